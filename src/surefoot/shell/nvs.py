"""The journal's two copies in a chip's NVS, over MicroPython's `esp32.NVS`.

NVS rather than two sectors of a data partition: every chip has it, so robots in the field need no new partition table,
which could not be replaced safely over the air; and NVS spreads the wear of a write per recorded block over its pages.
It keeps the old value of a key until the new one is complete, which is more than the journal asks for.
"""

from surefoot.wire.errors import Damaged
from surefoot.wire.limits import JOURNAL_BYTES_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAMESPACE = "surefoot"
_KEYS = ("journal.0", "journal.1")
# ESP-IDF's ESP_ERR_NVS_NOT_FOUND, as MicroPython raises it.
_NOT_FOUND = -0x1102
_UNREADABLE = b"\0"


class NvsJournal:
    """Journal copies as two blobs. Fills `shell.ports.JournalStorage`.

    Args:
        nvs: MicroPython's `esp32.NVS`.
    """

    def __init__(self, nvs: "Any") -> None:
        self._nvs = nvs(NAMESPACE)

    def read_copies(self) -> "tuple[bytes, bytes]":
        """Return both blobs, b"" for one that was never written; one that NVS cannot read is a damaged copy."""
        return self._read(_KEYS[0]), self._read(_KEYS[1])

    def write_copy(self, index: int, data: bytes) -> None:
        """Replace one blob, durably.

        Raises:
            Damaged: `damaged-journal` when NVS does not take it; nothing may be done that is not recorded.
        """
        try:
            self._nvs.set_blob(_KEYS[index], data)
            self._nvs.commit()
        except OSError as error:
            raise Damaged("damaged-journal", f"NVS does not take the journal ({error}): make room in it.") from None

    def _read(self, key: str) -> bytes:
        data = bytearray(JOURNAL_BYTES_MAX)
        try:
            length = self._nvs.get_blob(key, data)
        except OSError as error:
            return b"" if error.args[0] == _NOT_FOUND else _UNREADABLE
        return bytes(data[:length])
