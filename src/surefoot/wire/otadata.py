"""The boot records ("otadata") by which ESP-IDF's bootloader chooses a slot.

Two flash sectors hold one 32-byte record each. The CRC covers only the sequence number: a torn state is not noticed.
The rules here are those of ESP-IDF's bootloader (`bootloader_common_ota_select_valid` and its neighbours).
"""

import binascii
import struct

from surefoot.wire.errors import Refused
from surefoot.wire.record import Record

RECORD_BYTES = 32
RECORD_COUNT = 2
SEQ_BLANK = 0xFFFFFFFF
LABEL_BLANK = b"\xff" * 20

NEW = 0
PENDING_VERIFY = 1
VALID = 2
INVALID = 3
ABORTED = 4
UNDEFINED = 0xFFFFFFFF

_LAYOUT = "<I20sII"
_U32_MASK = 0xFFFFFFFF


class OtaRecord(Record):
    """One boot record, field by field as it lies in flash."""

    __slots__ = ("seq", "label", "state", "crc")
    seq: int
    label: bytes
    state: int
    crc: int

    def is_crc_right(self) -> bool:
        """Whether the CRC fits the sequence number."""
        return self.crc == crc_of(self.seq)

    def is_invalid(self) -> bool:
        """Whether the bootloader passes over this record whatever its CRC: blank, or its image was given up."""
        return self.seq == SEQ_BLANK or self.state in (INVALID, ABORTED)

    def is_valid(self) -> bool:
        """Whether the bootloader may choose by this record. Not the opposite of `is_invalid`: the CRC counts too."""
        return not self.is_invalid() and self.is_crc_right()

    def encode(self) -> bytes:
        """Return the 32 bytes of this record, its CRC as it is."""
        return struct.pack(_LAYOUT, self.seq, self.label, self.state, self.crc)


def crc_of(seq: int) -> int:
    """Return the CRC that belongs to a sequence number."""
    return binascii.crc32(struct.pack("<I", seq), 0xFFFFFFFF) & _U32_MASK


def parse_record(data: bytes) -> OtaRecord:
    """Read one record.

    Every content is a record, even a blank or torn one; ask `is_valid`.

    Raises:
        Refused: `refused-boot-record`, not 32 bytes.
    """
    if len(data) != RECORD_BYTES:
        raise Refused("refused-boot-record", f"A boot record has {RECORD_BYTES} bytes, not {len(data)}.")
    seq, label, state, crc = struct.unpack(_LAYOUT, data)
    return OtaRecord(seq=seq, label=bytes(label), state=state, crc=crc)


def encode_record(seq: int, state: int, label: bytes = LABEL_BLANK) -> bytes:
    """Return the 32 bytes of a record with the right CRC."""
    return OtaRecord(seq=seq, label=label, state=state, crc=crc_of(seq)).encode()


def active_record(record_0: OtaRecord, record_1: OtaRecord) -> "int | None":
    """Return the index of the record the bootloader goes by: the valid one with the greatest seq, first on a tie."""
    if record_0.is_valid() and record_1.is_valid():
        return 1 if record_1.seq > record_0.seq else 0
    if record_0.is_valid():
        return 0
    return 1 if record_1.is_valid() else None


def slot_of(seq: int, slot_count: int) -> int:
    """Return the index of the OTA slot a sequence number means; seq 0 wraps as the chip's 32-bit arithmetic does."""
    return ((seq - 1) & _U32_MASK) % slot_count


def next_seq(active_seq: "int | None", slot: int, slot_count: int) -> int:
    """Return the smallest sequence number, not below the active one, that means `slot`."""
    if active_seq is None:
        return slot + 1
    base = (slot + 1) % slot_count
    rounds = max(0, (active_seq - base + slot_count - 1) // slot_count)
    return (base + rounds * slot_count) & _U32_MASK
