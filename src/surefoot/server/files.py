"""Files that are whole or absent after a kill, and the lock that keeps a second server out."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from surefoot.wire.errors import Refused

PRIVATE = 0o600
PUBLIC = 0o644


def write_atomically(path: Path, data: bytes, mode: int) -> None:
    """Write the file durably, so that a kill at any moment leaves the old file or the new one."""
    # mkstemp makes the file 0600, so a private key is never readable by others, not even for a moment.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say in words what keeps a folder from being written to while the block runs.

    Raises:
        Refused: `refused-file-unwritable`.
    """
    try:
        yield
    except OSError as error:
        detail = f"Cannot write to {folder} ({error.strerror or error}): make room there, or name another folder."
        raise Refused("refused-file-unwritable", detail) from error


@contextmanager
def hold_data_dir(data_dir: Path) -> Iterator[None]:
    """Make the directory if needed and hold it for this process; the lock dies with the process, however it ends.

    Raises:
        Refused: `refused-data-in-use` when another server holds it.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(data_dir / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                "refused-data-in-use",
                f"Another server uses {data_dir}: stop it, or name another data directory.",
            ) from None
        yield
    finally:
        os.close(lock)
