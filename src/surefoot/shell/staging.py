"""A file in place of a spare slot that only somebody else may write: the download waits there to be handed over."""

from pathlib import Path

from surefoot.shell.ports import JournalStorage
from surefoot.shell.slot_file import SlotFile
from surefoot.wire.errors import Refused
from surefoot.wire.image_header import ImageHeader
from surefoot.wire.journal import Journal, load_journal


class Staging(SlotFile):
    """The staged image, without its signed header; that one is in the journal."""

    def __init__(self, path: Path, storage: JournalStorage) -> None:
        super().__init__(path)
        self._storage = storage

    def journal(self) -> Journal | None:
        """Return what the agent remembers, read anew: it is recorded before anything is done about it."""
        return load_journal(self._storage.read_copies()).journal

    def header(self) -> bytes:
        """Return the signed header of the offer in hand, b"" when it needs no download."""
        journal = self.journal()
        return b"" if journal is None else journal.header

    def check(self) -> ImageHeader:
        """Return the header of what is staged.

        Raises:
            Refused: `stage-failed` when the file is not what the header in the journal says: something else wrote it.
        """
        header = self.header()
        if not header or ImageHeader.parse(header).digest != self.digest():
            raise Refused("stage-failed", f"{self.path} is not the image that was judged: fetch it again.")
        return ImageHeader.parse(header)


class StagedSlots:
    """What every driver with a staged file does alike: it fills the file, and gives no running image out."""

    def __init__(self, path: Path, storage: JournalStorage) -> None:
        self._staging = Staging(path, storage)

    def erase_block(self, offset_bytes: int) -> None:
        """Cut the staged file off here."""
        self._staging.erase_block(offset_bytes)

    def write(self, offset_bytes: int, data: bytes) -> None:
        """Write into the staged file."""
        self._staging.write(offset_bytes, data)

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Read from the staged file."""
        return self._staging.read(offset_bytes, length_bytes)

    def read_running(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Return nothing: whoever writes the slots does not give back what it made of them."""
        return b""
