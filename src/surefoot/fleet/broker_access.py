"""Whom the MQTT broker lets in: what it is told of robots' passwords and of credentials that ended.

A broker looks at nothing but its own files, so what HTTPS learns from the absence of a row has to be written down for
it: certificates by serial number, until they would have expired anyway.
"""

import base64
import hashlib
from dataclasses import dataclass

from surefoot.fleet.ports import Rows

# Iterations make guessing slow. Nobody guesses 256 random bits, and the broker, which computes this for each robot that
# connects and for all of them whenever it reloads, does nothing else meanwhile.
ITERATIONS = 1
SALT_BYTES = 12
PASSWORD_HASH = r"\$7\$1\$[A-Za-z0-9+/]{16}\$[A-Za-z0-9+/]{86}=="  # noqa: S105 - the form of hashes
# It ends the name in the broker's password file.
_ENDS_NAME = ":"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPassword:
    """The broker's own hash of a robot's token: of that SHA-256, which is all the server keeps, it can make no use."""

    token_sha256: str
    robot_id: str
    password_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded:
    """A certificate that was renewed, good until `expires_at_s` (Unix seconds); `serial` in hex digits if known."""

    certificate_sha256: str
    serial: str | None
    expires_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedCredential:
    """A token or certificate that ended, by its SHA-256, in the order in which they did.

    `serial` is of a certificate, in hex digits; certificates issued before serials were kept have none. A token has
    neither that nor `expires_at_s` (Unix seconds).
    """

    credential_sha256: str
    robot_id: str
    serial: str | None
    ended_at_s: float
    expires_at_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccess:
    """What a broker's files say: hashes by robot id, and what ended, oldest first."""

    passwords: dict[str, str]
    ended: tuple[EndedCredential, ...]


def password_hash(token: str, salt: bytes) -> str:
    """Return Mosquitto's hash of a token as a password: PBKDF2 with SHA-512, `$7$` in its password file."""
    key = hashlib.pbkdf2_hmac("sha512", token.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def give_password(rows: Rows, robot_id: str, token_sha256: str, hashed: str) -> None:
    """Let a robot with this token connect to the broker with it; one with a `:` in its id needs a certificate."""
    if _ENDS_NAME not in robot_id:
        rows.put(BrokerPassword(token_sha256=token_sha256, robot_id=robot_id, password_hash=hashed))


def end_token(rows: Rows, robot_id: str, token_sha256: str, now_s: float) -> None:
    """Take a robot's token from the broker, and note it, so that its connection is cut."""
    rows.drop(BrokerPassword, token_sha256)
    rows.put(
        EndedCredential(
            credential_sha256=token_sha256, robot_id=robot_id, serial=None, ended_at_s=now_s, expires_at_s=None
        )
    )


def end_certificate(rows: Rows, robot_id: str, certificate: Superseded, now_s: float) -> None:
    """Note that a certificate ended before its time, so that brokers refuse it."""
    rows.put(
        EndedCredential(
            credential_sha256=certificate.certificate_sha256,
            robot_id=robot_id,
            serial=certificate.serial,
            ended_at_s=now_s,
            expires_at_s=certificate.expires_at_s,
        )
    )


def newest_changes(rows: Rows) -> tuple[str, str]:
    """Return what is another pair whenever `broker_access` is another: two short queries instead of long ones."""
    ended = rows.find(EndedCredential, newest_first=True, limit=1)
    given = rows.find(BrokerPassword, newest_first=True, limit=1)
    return ended[0].credential_sha256 if ended else "", given[0].token_sha256 if given else ""


def broker_access(rows: Rows) -> BrokerAccess:
    """Return whom the broker lets in."""
    return BrokerAccess(
        passwords={row.robot_id: row.password_hash for row in rows.find(BrokerPassword)},
        ended=tuple(rows.find(EndedCredential)),
    )
