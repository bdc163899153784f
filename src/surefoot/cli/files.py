"""Files that a person names on the command line."""

import os
from pathlib import Path

from surefoot.wire.errors import Refused


def write_file(path: Path, data: bytes) -> Path:
    """Write a file, with the folder it is in, and return its path; raise `Refused` (`refused-file-unwritable`)."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise Refused("refused-file-unwritable", f"Cannot write {path}: {error.strerror}.") from error
    return path


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
