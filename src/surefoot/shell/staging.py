"""A file in place of a spare slot that only somebody else may write: the download waits there to be handed over."""

import hashlib
import os
from pathlib import Path

from surefoot.shell.files import sync_directory
from surefoot.shell.ports import JournalStorage
from surefoot.wire.errors import Refused
from surefoot.wire.image_header import ImageHeader
from surefoot.wire.journal import Journal, load_journal

BLOCK_BYTES = 65536


class Staging:
    """The staged image, without its signed header; that one is in the journal."""

    def __init__(self, path: Path, storage: JournalStorage) -> None:
        self.path = path
        self._storage = storage

    def journal(self) -> Journal | None:
        """Return what the agent remembers, read anew: it is recorded before anything is done about it."""
        return load_journal(self._storage.read_copies()).journal

    def header(self) -> bytes:
        """Return the signed header of the offer in hand, b"" when it needs no download."""
        journal = self.journal()
        return b"" if journal is None else journal.header

    def clear(self) -> None:
        """Forget the bytes."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        sync_directory(self.path.parent)

    def erase_block(self, offset_bytes: int) -> None:
        """Cut the file off here: what came later is not known to be right."""
        with self.path.open("ab") as file:
            file.truncate(offset_bytes)

    def write(self, offset_bytes: int, data: bytes) -> None:
        """Write into the file; a block that is complete is durable, because the agent records it next."""
        with self.path.open("r+b") as file:
            file.seek(offset_bytes)
            file.write(data)
            if (offset_bytes + len(data)) % BLOCK_BYTES == 0:
                file.flush()
                os.fsync(file.fileno())

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Read from the file."""
        with self.path.open("rb") as file:
            file.seek(offset_bytes)
            return file.read(length_bytes)

    def digest(self) -> str | None:
        """Return the digest of the whole file, None when there is none."""
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return None

    def check(self) -> ImageHeader:
        """Return the header of what is staged.

        Raises:
            Refused: `stage-failed` when the file is not what the header in the journal says: something else wrote it.
        """
        header = self.header()
        if not header or ImageHeader.parse(header).digest != self.digest():
            raise Refused("stage-failed", f"{self.path} is not the image that was judged: fetch it again.")
        return ImageHeader.parse(header)
