"""Files that a power cut leaves either as they were or as they should be."""

import os
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` at `path` durably, by writing beside it and renaming."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
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
