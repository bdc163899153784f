"""Accounts, tokens, sessions and audit entries as operators send and get them."""

from typing import Any, Self

from pydantic import Field, SecretStr

from surefoot.fleet.access import Account, ApiToken, Permission, Role
from surefoot.fleet.accounts import NAME_PATTERN
from surefoot.fleet.audit import Entry
from surefoot.server.operators.models import Model
from surefoot.server.operators.passwords import CHARS_MAX, CHARS_MIN
from surefoot.server.operators.permissions import Actor, How

REASON_CHARS_MAX = 500
LABEL_CHARS_MAX = 64
DAYS_DEFAULT = 90


class LoginIn(Model):
    """Who wants to sign in."""

    account: str = Field(max_length=128)
    password: SecretStr = Field(max_length=CHARS_MAX)


class SessionOut(Model):
    """Who you are; `csrf_token` goes into X-CSRF-Token with every change that a session asks for."""

    account: str
    role: Role
    permissions: list[Permission]
    how: How
    csrf_token: str | None

    @classmethod
    def of(cls, actor: Actor, csrf_token: str | None) -> Self:
        """Show an actor."""
        return cls(
            account=actor.name,
            role=actor.role,
            permissions=sorted(actor.permissions),
            how=actor.how,
            csrf_token=csrf_token,
        )


class AccountIn(Model):
    """An account to make; without a password it has tokens only."""

    name: str = Field(pattern=NAME_PATTERN)
    role: Role
    password: SecretStr | None = Field(default=None, min_length=CHARS_MIN, max_length=CHARS_MAX)


class RoleIn(Model):
    """Another role for an account, and why."""

    role: Role
    reason: str | None = Field(default=None, max_length=REASON_CHARS_MAX)


class WhyIn(Model):
    """Why an account is disabled or enabled."""

    reason: str | None = Field(default=None, max_length=REASON_CHARS_MAX)


class PasswordIn(Model):
    """Another password; who changes their own without being an admin shows the one it replaces."""

    password: SecretStr = Field(min_length=CHARS_MIN, max_length=CHARS_MAX)
    current_password: SecretStr | None = Field(default=None, max_length=CHARS_MAX)
    revoke_tokens: bool = Field(default=False, strict=True, description="Whether the account's tokens end as well.")


class AccountOut(Model):
    """An account, and by what it can prove itself."""

    name: str
    role: Role
    disabled: bool
    has_password: bool
    at_identity_provider: bool
    created_at_s: float

    @classmethod
    def of(cls, account: Account) -> Self:
        """Show an account."""
        return cls(
            name=account.name,
            role=account.role,
            disabled=account.disabled,
            has_password=account.password_phc is not None,
            at_identity_provider=account.subject is not None,
            created_at_s=account.created_at_s,
        )


class NewPasswordOut(AccountOut):
    """An account that got another password, and how many of its tokens are good all the same."""

    active_tokens: int

    @classmethod
    def of_new(cls, account: Account, active_tokens: int) -> Self:
        """Show an account whose password was changed just now."""
        return cls(**AccountOut.of(account).model_dump(), active_tokens=active_tokens)


class AccountsOut(Model):
    """A page of accounts; `next_after` continues the list, null at its end."""

    accounts: list[AccountOut]
    next_after: str | None


class TokenIn(Model):
    """A token to make: for yourself, or as an admin for any account; without scopes it allows what the role does."""

    label: str = Field(min_length=1, max_length=LABEL_CHARS_MAX)
    account: str | None = Field(default=None, max_length=128)
    scopes: list[Permission] | None = Field(default=None, min_length=1, max_length=len(Permission))
    days: int = Field(default=DAYS_DEFAULT, ge=1, le=36525, description="Days for which it is valid.")


class TokenOut(Model):
    """A token; the token itself is never shown again."""

    token_id: str
    account: str
    label: str
    scopes: list[Permission]
    created_at_s: float
    expires_at_s: float
    revoked_at_s: float | None
    used_at_s: float | None = Field(description="When it was used last, to the hour.")

    @classmethod
    def of(cls, token: ApiToken) -> Self:
        """Show a token."""
        return cls(**{name: getattr(token, name) for name in TokenOut.model_fields})


class NewTokenOut(TokenOut):
    """A new token; `token` is shown this once."""

    token: str

    @classmethod
    def of_new(cls, kept: ApiToken, token: str) -> Self:
        """Show a token that was just made."""
        return cls(**TokenOut.of(kept).model_dump(), token=token)


class TokensOut(Model):
    """A page of tokens; `next_after` continues the list, null at its end."""

    tokens: list[TokenOut]
    next_after: str | None


class EntryOut(Model):
    """One change; its `sha256` seals it together with the entry before."""

    number: int
    at_s: float
    actor: str
    action: str
    target: str
    before: Any
    after: Any
    reason: str | None
    previous_sha256: str
    sha256: str

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """Show an audit entry."""
        return cls(**{name: getattr(entry, name) for name in cls.model_fields})


class EntriesOut(Model):
    """A page of audit entries; `next_after` continues the list, null at its end."""

    entries: list[EntryOut]
    next_after: int | None
