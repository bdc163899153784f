"""Bearer tokens: made here, kept by their holders, known to the server by their SHA-256 only."""

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from surefoot.fleet.access import Account, ApiToken
from surefoot.fleet.accounts import permissions_of
from surefoot.fleet.ports import Rows
from surefoot.server.files import PRIVATE, write_atomically
from surefoot.server.operators.permissions import Actor, How
from surefoot.wire.errors import Refused

# By this beginning a token is found where it should not be, such as in a repository.
OPERATOR_PREFIX = "sfo_"
# A use is written down when the last one written down is older than this.
USED_EVERY_S = 3600.0
_SCHEME = "bearer "
_CHARS_MAX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Who a credential belongs to, and whether its use should be written down."""

    actor: Actor
    note_use: bool


def new_token() -> str:
    """Return a token of 256 random bits."""
    return secrets.token_urlsafe(32)


def new_operator_token() -> str:
    """Return an operator's token of 256 random bits."""
    return OPERATOR_PREFIX + new_token()


def token_sha256(token: str) -> str:
    """Return what is kept of a token. The tokens are random, so a fast hash without salt is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def bearer_sha256(authorization: bytes | None) -> str:
    """Return the SHA-256 of the token in an Authorization header.

    Raises:
        Refused: `refused-token` when there is none.
    """
    text = (authorization or b"").decode("latin-1")
    token = text[len(_SCHEME) :].strip()
    if text[: len(_SCHEME)].lower() != _SCHEME or not 0 < len(token) <= _CHARS_MAX:
        raise Refused("refused-token", "The request carries no bearer token: send Authorization: Bearer TOKEN.")
    return token_sha256(token)


def unknown_token() -> Refused:
    """Return the refusal of a token that belongs to nobody; it says no more than that."""
    return Refused("refused-token", "Nobody has this bearer token: use the one given at enrolment.")


def token_holder(rows: Rows, sha256: str, now_s: float) -> Known:
    """Return who has an API token.

    Raises:
        Refused: `refused-token` when nobody has, or it was revoked, has expired, or its account is disabled.
    """
    token = rows.get(ApiToken, sha256)
    if token is None:
        raise unknown_token()
    account = rows.get(Account, token.account)
    if token.revoked_at_s is not None or token.expires_at_s <= now_s or account is None or account.disabled:
        detail = "This token has expired or was revoked: sign in anew with `surefoot login`, or ask for a new one."
        raise Refused("refused-token", detail)
    actor = Actor(name=account.name, role=account.role, how=How.TOKEN, permissions=permissions_of(account, token))
    return Known(actor=actor, note_use=token.used_at_s is None or now_s - token.used_at_s >= USED_EVERY_S)


def ensure_operator_token(path: Path) -> str:
    """Return the operator's token, written to a file only its owner can read at first start."""
    if not path.exists():
        write_atomically(path, new_token().encode() + b"\n", PRIVATE)
    return path.read_text().strip()
