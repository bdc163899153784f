"""Key files and images on disk: read whole, written whole or not at all."""

import os
import tempfile
from pathlib import Path

from surefoot.wire.errors import Refused


def read_file(path: Path) -> bytes:
    """Return the file's bytes; raise `Refused` (`refused-file-unreadable`)."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused("refused-file-unreadable", f"Cannot read {path}: {error.strerror}.") from error


def write_new_file(path: Path, data: bytes, mode: int) -> None:
    """Write a file that was not there, with these rights from its first byte.

    Raises:
        Refused: `refused-file-exists`, `refused-file-unwritable`.
    """
    try:
        # O_EXCL decides existence and creation in one step, and the mode holds from the first byte.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        detail = f"{path} exists, and a key is never overwritten: choose another name."
        raise Refused("refused-file-exists", detail) from None
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        _write(descriptor, data)
    except OSError as error:
        path.unlink(missing_ok=True)  # half a key would only stand in the way of the next attempt
        raise _unwritable(path, error) from error


def replace_file(path: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all, in place of what was there; raise `refused-file-unwritable`."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        _write(handle, data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        Path(name).unlink(missing_ok=True)


def _write(descriptor: int, data: bytes) -> None:
    """Write, flush and close."""
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _unwritable(path: Path, error: OSError) -> Refused:
    return Refused("refused-file-unwritable", f"Cannot write {path}: {error.strerror}.")
