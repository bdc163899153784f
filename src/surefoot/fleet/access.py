"""Who may operate the fleet: accounts with a role, and the tokens, sessions and sign-ins that prove who they are.

Of every secret only what recognises it is kept: the argon2id string of a password, the SHA-256 of a random token.
"""

from dataclasses import dataclass
from enum import StrEnum


class Permission(StrEnum):
    """What a route may need."""

    READ = "read"
    PUBLISH = "publish"
    OPERATE = "operate"
    APPROVE = "approve"
    ADMIN = "admin"


class Role(StrEnum):
    """What an account is for."""

    VIEWER = "viewer"
    PUBLISHER = "publisher"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


# Publishing and rolling out are different people's work; an approver decides and does neither.
PERMISSIONS_OF: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.PUBLISHER: frozenset({Permission.READ, Permission.PUBLISH}),
    Role.OPERATOR: frozenset({Permission.READ, Permission.OPERATE}),
    Role.APPROVER: frozenset({Permission.READ, Permission.APPROVE}),
    Role.ADMIN: frozenset(Permission),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person or a machine that operates the fleet.

    `password_phc` is the argon2id string of its password, None where it has none; `subject` is issuer and subject at
    the identity provider, None for an account made here.
    """

    name: str
    role: Role
    password_phc: str | None
    subject: str | None
    disabled: bool
    created_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token of an account; it allows what both its scopes and the account's role allow."""

    token_sha256: str
    token_id: str
    account: str
    label: str
    scopes: tuple[Permission, ...]
    created_at_s: float
    expires_at_s: float
    revoked_at_s: float | None
    used_at_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser that signed in; `used_at_s` is coarse."""

    cookie_sha256: str
    account: str
    started_at_s: float
    used_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """How often something was tried since a moment: the count behind a rate limit."""

    subject: str
    count: int
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A login that a browser began at the identity provider and has not come back from; it serves once."""

    state_sha256: str
    browser_sha256: str
    nonce: str
    code_verifier: str
    begun_at_s: float
