"""Files that a person names on the command line."""

import os
from pathlib import Path

from surefoot.wire.errors import Refused


def read_file(path: Path) -> bytes:
    """Return the file's bytes; raise `Refused` (`refused-file-unreadable`)."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused("refused-file-unreadable", f"Cannot read {path}: {error.strerror}.") from error


def write_new_secret(path: Path, data: bytes) -> None:
    """Write a new file that only its owner reads.

    Raises:
        Refused: `refused-file-exists`, `refused-file-unwritable`.
    """
    try:
        # O_EXCL decides existence and creation in one step, and the mode holds from the first byte.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise Refused("refused-file-exists", f"{path} exists: choose another name for the secret.") from None
    except OSError as error:
        raise Refused("refused-file-unwritable", f"Cannot write {path}: {error.strerror}.") from error
