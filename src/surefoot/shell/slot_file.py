"""A slot's content, or what waits to be written into one, as a file that is filled block by block."""

import contextlib
import hashlib
import os
from pathlib import Path

from surefoot.shell.files import remove_file, storing

BLOCK_BYTES = 65536


class SlotFile:
    """The file at `path`; what it holds may be anything, a part of an image included.

    What changes it raises `Interrupted` (`interrupted-storage`) when the disk does not take that.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def clear(self) -> None:
        """Forget the bytes."""
        remove_file(self.path)

    def erase_block(self, offset_bytes: int) -> None:
        """Cut the file off here: what came later is not known to be right."""
        with storing(self.path), self.path.open("ab") as file:
            file.truncate(offset_bytes)

    def write(self, offset_bytes: int, data: bytes) -> None:
        """Write into the file; a block that is complete is durable, because the agent records it next."""
        with storing(self.path), self.path.open("r+b") as file:
            file.seek(offset_bytes)
            file.write(data)
            if (offset_bytes + len(data)) % BLOCK_BYTES == 0:
                file.flush()
                os.fsync(file.fileno())

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Read from the file, fewer bytes at its end and none where somebody removed it."""
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            file.seek(offset_bytes)
            return file.read(length_bytes)
        return b""

    def size_bytes(self) -> int:
        """Return how many bytes it has, 0 where there is no file."""
        with contextlib.suppress(FileNotFoundError):
            return self.path.stat().st_size
        return 0

    def sync(self) -> None:
        """Make all of it durable."""
        with storing(self.path), self.path.open("rb") as file:
            os.fsync(file.fileno())

    def digest(self) -> str | None:
        """Return the digest of the whole file, None when there is none."""
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return None
