"""What holds for files wherever they lie: the name is the SHA-256 of the bytes, and strange names are no files."""

import re
from hashlib import sha256 as hash_sha256

from surefoot.wire.errors import Damaged, Interrupted, Misuse, Refused

SHA256 = re.compile("[0-9a-f]{64}")


def check_sha256(sha256: str, data: bytes) -> None:
    """Raise `Refused` (`refused-sha256`) unless these bytes have this SHA-256."""
    found = hash_sha256(data).hexdigest()
    if found != sha256:
        raise Refused("refused-sha256", f"The file has the SHA-256 {found}, not {sha256}: send it again.")


def check_piece(sha256: str, offset_bytes: int, length_bytes: int) -> None:
    """Raise unless this can be a piece of a file.

    Raises:
        Misuse: `misuse-blob-range` when it has a negative offset or length.
        Damaged: `damaged-blob` when the name is none: what a stranger sent must never become part of a path.
    """
    if offset_bytes < 0 or length_bytes < 0:
        raise Misuse("misuse-blob-range", f"{length_bytes} bytes at {offset_bytes} are no piece of a file.")
    if not SHA256.fullmatch(sha256):
        raise missing(sha256)


def missing(sha256: str) -> Damaged:
    """Return what is raised for a file that is not there, or not all of it."""
    return Damaged("damaged-blob", f"The file {sha256[:64]!r} is missing or too short: publish the release again.")


def not_stored(sha256: str, why: str) -> Interrupted:
    """Return what is raised for a file that could not be stored now."""
    return Interrupted("interrupted-blob", f"{sha256} could not be stored: see to the storage and retry. {why}")
