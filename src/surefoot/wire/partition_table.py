"""ESP-IDF's partition table: 32-byte entries, closed by an MD5 entry.

The MD5 finds torn tables; it protects from nobody. The bootloader accepts a table without one, so this does too.
"""

import hashlib
import struct

from surefoot.wire.errors import Refused
from surefoot.wire.esp_image import printable_text
from surefoot.wire.record import Record

TABLE_BYTES = 0xC00
ENTRY_BYTES = 32
ENTRIES_MAX = TABLE_BYTES // ENTRY_BYTES - 2  # the MD5 entry and the blank one at the end
LABEL_BYTES_MAX = 16

APP = 0x00
DATA = 0x01

APP_FACTORY = 0x00
APP_OTA_0 = 0x10
APP_OTA_SLOTS_MAX = 16
DATA_OTA = 0x00
DATA_PHY = 0x01
DATA_NVS = 0x02
DATA_COREDUMP = 0x03
DATA_NVS_KEYS = 0x04
DATA_LITTLEFS = 0x83

FLAG_ENCRYPTED = 0x01

_LAYOUT = "<2sBBII16sI"
_MAGIC = b"\xaa\x50"
_MD5_MAGIC = b"\xeb\xeb" + b"\xff" * 14
_BLANK = b"\xff" * ENTRY_BYTES


class PartitionEntry(Record):
    """One partition: where it lies in flash and what it is for."""

    __slots__ = ("kind", "subtype", "offset_bytes", "size_bytes", "label", "flags")
    kind: int
    subtype: int
    offset_bytes: int
    size_bytes: int
    label: str
    flags: int

    def check(self) -> None:
        """Raise `Refused` when the label does not fit its field."""
        label = self.label.encode()
        if not label or len(label) > LABEL_BYTES_MAX or printable_text(label) != self.label:
            raise _refusal(f"the label {self.label!r} is not 1 to {LABEL_BYTES_MAX} printable characters")


def parse_table(data: bytes, flash_size_bytes: int) -> "tuple[PartitionEntry, ...]":
    """Read the entries of a table, in their order.

    Raises:
        Refused: `refused-partition-table`, not a table the bootloader goes by, or a label is unreadable.
    """
    entries: list[PartitionEntry] = []
    closed = False
    for offset in range(0, min(len(data), TABLE_BYTES) - ENTRY_BYTES + 1, ENTRY_BYTES):
        raw = data[offset : offset + ENTRY_BYTES]
        if raw[:4] == _BLANK[:4]:
            return tuple(entries)
        if closed:
            raise _refusal("it goes on after its MD5 entry")
        if raw[:2] == _MAGIC:
            entries.append(_parse_entry(raw, flash_size_bytes))
        elif raw[:2] == _MD5_MAGIC[:2]:
            if raw[16:] != _md5(data[:offset]):
                raise _refusal("its MD5 is wrong")
            closed = True
        else:
            raise _refusal(f"entry {offset // ENTRY_BYTES} begins with neither magic")
    raise _refusal("it does not end")


def encode_table(entries: "tuple[PartitionEntry, ...]") -> bytes:
    """Return the table with its MD5 entry, filled with 0xFF to its full size.

    Raises:
        Refused: `refused-partition-table`, more entries than a table holds.
    """
    if len(entries) > ENTRIES_MAX:
        raise _refusal(f"{len(entries)} entries are more than {ENTRIES_MAX}")
    table = b""
    for entry in entries:
        table += struct.pack(
            _LAYOUT,
            _MAGIC,
            entry.kind,
            entry.subtype,
            entry.offset_bytes,
            entry.size_bytes,
            entry.label.encode(),
            entry.flags,
        )
    table += _MD5_MAGIC + _md5(table)
    return table + b"\xff" * (TABLE_BYTES - len(table))


def _refusal(fact: str) -> Refused:
    return Refused("refused-partition-table", f"Refusing the partition table: {fact}. Flash it again.")


def _parse_entry(raw: bytes, flash_size_bytes: int) -> PartitionEntry:
    _, kind, subtype, offset_bytes, size_bytes, label, flags = struct.unpack(_LAYOUT, raw)
    if offset_bytes + size_bytes > flash_size_bytes:
        raise _refusal(f"the partition at 0x{offset_bytes:x} ends behind the flash of {flash_size_bytes} bytes")
    return PartitionEntry(
        kind=kind,
        subtype=subtype,
        offset_bytes=offset_bytes,
        size_bytes=size_bytes,
        label=printable_text(label),
        flags=flags,
    )


def _md5(data: bytes) -> bytes:
    md5 = hashlib.md5()
    md5.update(data)
    return md5.digest()
