"""Files of a companion: read whole or refused by name, and left by a power cut as they were or as they should be."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from surefoot.wire.errors import Interrupted, Refused


def read_file(path: Path) -> bytes:
    """Return the file's bytes; `Refused` (`refused-file-unreadable`)."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused("refused-file-unreadable", f"Cannot read {path}: {error.strerror}.") from error


def read_token(path: Path | None) -> str | None:
    """Return the token in a file, None where none is named; `Refused` (`refused-file-unreadable`)."""
    return None if path is None else read_file(path).decode("ascii", "replace").strip()


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Change what is at `path` in here: a disk that does not take it is `Interrupted` (`interrupted-storage`)."""
    try:
        yield
    except OSError as error:
        raise Interrupted("interrupted-storage", f"{path} takes no writing ({error.strerror}): make room.") from error


def replace_file(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Put `data` at `path` durably, by writing beside it and renaming; its rights hold from the first byte.

    Raises:
        Interrupted: `interrupted-storage`; what was there is still there.
    """
    beside = path.with_name(path.name + ".new")
    with storing(path):
        beside.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError:
            # On a disk that is full it would only stand in the way of the next attempt.
            beside.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)


def remove_file(path: Path) -> None:
    """Remove a file durably, if it is there; `Interrupted` (`interrupted-storage`)."""
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make names in a directory durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class FileJournal:
    """Journal copies as two files. Fills `shell.ports.JournalStorage`."""

    def __init__(self, directory: Path) -> None:
        self._paths = (directory / "journal.0", directory / "journal.1")

    def read_copies(self) -> tuple[bytes, bytes]:
        """Return both files' bytes, b"" for one that is not there."""
        first, second = (path.read_bytes() if path.exists() else b"" for path in self._paths)
        return first, second

    def write_copy(self, index: int, data: bytes) -> None:
        """Replace one file."""
        replace_file(self._paths[index], data)
