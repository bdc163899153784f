"""A chip's partitions over MicroPython's `esp32.Partition`: reading, erasing, and what image stands in one."""

import binascii
import hashlib

from surefoot.wire import esp_image
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.limits import CHUNK_BYTES
from surefoot.wire.report import EMPTY, UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from surefoot.wire.esp_image import Read

# What `esp32.Partition` calls a block, one sector of flash.
BLOCK_BYTES = 4096
_IOCTL_BLOCK_ERASE = 6


def label_of(partition: "Any") -> str:
    """Return its label."""
    label: str = partition.info()[4]
    return label


def size_of(partition: "Any") -> int:
    """Return how many bytes it has."""
    size_bytes: int = partition.info()[3]
    return size_bytes


def read(partition: "Any", offset_bytes: int, length_bytes: int) -> bytes:
    """Return the bytes there, fewer at the end of the partition."""
    data = bytearray(max(0, min(length_bytes, size_of(partition) - offset_bytes)))
    if data:
        partition.readblocks(offset_bytes // BLOCK_BYTES, data, offset_bytes % BLOCK_BYTES)
    return bytes(data)


def reader_of(partition: "Any") -> "Read":
    """Return what reads from this partition."""
    return lambda offset_bytes, length_bytes: read(partition, offset_bytes, length_bytes)


def erase(partition: "Any", offset_bytes: int) -> None:
    """Erase the block that begins here; `Interrupted` (`interrupted-storage`) when flash does not let it."""
    try:
        partition.ioctl(_IOCTL_BLOCK_ERASE, offset_bytes // BLOCK_BYTES)
    except OSError as error:
        raise _not_taken(partition, error) from None


def program(partition: "Any", offset_bytes: int, data: bytes) -> None:
    """Program bytes that were erased; `Interrupted` (`interrupted-storage`) when flash does not take them."""
    try:
        # Without an offset within the block, `writeblocks` would erase first.
        partition.writeblocks(offset_bytes // BLOCK_BYTES, data, offset_bytes % BLOCK_BYTES)
    except OSError as error:
        raise _not_taken(partition, error) from None


def _not_taken(partition: "Any", error: OSError) -> Interrupted:
    return Interrupted("interrupted-storage", f"{label_of(partition)} takes no writing ({error}): look at the flash.")


def image_of(partition: "Any") -> "tuple[str | None, str, str]":
    """Return digest and version of the image in a partition, or None, "", and whether the partition is empty."""
    try:
        measured = esp_image.measure(reader_of(partition), size_of(partition))
    except Refused:
        erased = read(partition, 0, BLOCK_BYTES) == b"\xff" * BLOCK_BYTES
        return None, "", EMPTY if erased else UNKNOWN
    sha256 = hashlib.sha256()
    for offset in range(0, measured.size_bytes, CHUNK_BYTES):
        sha256.update(read(partition, offset, min(CHUNK_BYTES, measured.size_bytes - offset)))
    return binascii.hexlify(sha256.digest()).decode(), measured.version, UNKNOWN


def is_bootable(partition: "Any", chip_id: int) -> bool:
    """Whether the bootloader of this chip would start what stands there."""
    try:
        esp_image.verify(reader_of(partition), size_of(partition), chip_id)
    except Refused:
        return False
    return True
