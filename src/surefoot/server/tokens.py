"""Bearer tokens: made here, kept by their holders, known to the server by their SHA-256 only."""

import hashlib
import secrets
from pathlib import Path

from surefoot.server.files import PRIVATE, write_atomically
from surefoot.wire.errors import Refused

_SCHEME = "bearer "
_CHARS_MAX = 512


def new_token() -> str:
    """Return a token of 256 random bits."""
    return secrets.token_urlsafe(32)


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


def ensure_operator_token(path: Path) -> str:
    """Return the operator's token, written to a file only its owner can read at first start."""
    if not path.exists():
        write_atomically(path, new_token().encode() + b"\n", PRIVATE)
    return path.read_text().strip()
