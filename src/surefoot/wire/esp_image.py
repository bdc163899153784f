"""ESP-IDF application images, read through a bounded reader and never held whole.

`measure` finds the image's length and names, `verify` does what the bootloader does before it boots one. Both take
`read(offset_bytes, length_bytes) -> bytes` and a limit in bytes: the size of the file or of the slot. What they refuse
carries the code `refused-image-format`.

Not modelled: the bootloader's check that flash-mapped segments lie at the right page offset, which depends on the chip.
"""

import hashlib
import struct

from surefoot.wire.errors import Refused
from surefoot.wire.limits import CHUNK_BYTES
from surefoot.wire.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[int, int], bytes]

MAGIC = 0xE9
CHIP_ESP32 = 0x0000
SEGMENTS_MAX = 16
HEADER_BYTES = 24
SEGMENT_HEADER_BYTES = 8
CHECKSUM_SEED = 0xEF
CHECKSUM_BLOCK_BYTES = 16
SHA256_BYTES = 32

# The descriptor opens the first segment, so its place in the file is fixed.
DESCRIPTOR_OFFSET_BYTES = HEADER_BYTES + SEGMENT_HEADER_BYTES
DESCRIPTOR_BYTES = 256
DESCRIPTOR_MAGIC = 0xABCD5432
DESCRIPTOR_LAYOUT = "<II8s32s32s"

_CHIP_ID_OFFSET = 12
_SHA256_APPENDED_OFFSET = 23


class EspImage(Record):
    """What an application image says about itself; the names are empty when it has no descriptor."""

    __slots__ = (
        "size_bytes",
        "chip_id",
        "segment_count",
        "sha256_appended",
        "version",
        "project_name",
        "secure_version",
    )
    size_bytes: int
    chip_id: int
    segment_count: int
    sha256_appended: bool
    version: str
    project_name: str
    secure_version: int


def has_magic(head: bytes) -> bool:
    """Tell whether these first bytes are of an image with a descriptor.

    Both magics count: other processors' code may well begin with 0xE9, which is a jump on x86.
    """
    described = head[DESCRIPTOR_OFFSET_BYTES : DESCRIPTOR_OFFSET_BYTES + 4]
    return bytes(head[:1]) == bytes((MAGIC,)) and bytes(described) == struct.pack("<I", DESCRIPTOR_MAGIC)


def measure(read: "Read", limit_bytes: int) -> EspImage:
    """Return the image's length and names, from its headers alone.

    Raises:
        Refused: `refused-image-format`, not an image or not within the limit.
    """
    return _measure(read, limit_bytes, _segments(read, limit_bytes))


def verify(read: "Read", limit_bytes: int, chip_id: int = CHIP_ESP32) -> EspImage:
    """Check the image as the bootloader does before booting it: headers, chip, checksum, appended SHA-256.

    Raises:
        Refused: `refused-image-format`, the bootloader would not boot it.
    """
    segments = _segments(read, limit_bytes)
    image = _measure(read, limit_bytes, segments)
    if image.chip_id != chip_id:
        raise _refusal(f"it is for chip {image.chip_id}, not {chip_id}")
    sha256 = hashlib.sha256()
    offset = 0
    mixed = 0
    for start, length in segments:
        sha256.update(_take(read, offset, start - offset))
        offset = start
        while offset < start + length:
            piece = _take(read, offset, min(CHUNK_BYTES, start + length - offset))
            sha256.update(piece)
            mixed ^= int.from_bytes(piece, "little")
            offset += len(piece)
    tail = _take(read, offset, CHECKSUM_BLOCK_BYTES - offset % CHECKSUM_BLOCK_BYTES)
    if tail[-1] != CHECKSUM_SEED ^ _fold(mixed):
        raise _refusal("its checksum is wrong")
    if image.sha256_appended:
        sha256.update(tail)
        if _take(read, offset + len(tail), SHA256_BYTES) != sha256.digest():
            raise _refusal("its appended SHA-256 is wrong")
    return image


def verify_whole(read: "Read", size_bytes: int) -> EspImage:
    """Check an image that must take up exactly so many bytes, as the bootloader of the chip that it names would.

    Raises:
        Refused: `refused-image-format`.
    """
    measured = measure(read, size_bytes)
    if measured.size_bytes != size_bytes:
        raise _refusal(f"it ends after {measured.size_bytes} of {size_bytes} bytes")
    return verify(read, size_bytes, measured.chip_id)


def printable_text(field: bytes) -> str:
    """Return a NUL-padded text field, or "" where it is not printable ASCII: real builds leave anything there."""
    field = field.split(b"\0", 1)[0]
    if not all(0x20 <= byte < 0x7F for byte in field):
        return ""
    return field.decode()


def _refusal(fact: str) -> Refused:
    return Refused("refused-image-format", f"Refusing the application image: {fact}. Build or fetch it again.")


def _take(read: "Read", offset: int, length: int) -> bytes:
    data = read(offset, length)
    if len(data) != length:
        raise _refusal(f"it is cut off at byte {offset + len(data)}")
    return data


def _segments(read: "Read", limit_bytes: int) -> "list[tuple[int, int]]":
    """Return offset and length of each segment's data, checked against the limit."""
    if limit_bytes < HEADER_BYTES:
        raise _refusal(f"{limit_bytes} bytes cannot hold its header")
    header = _take(read, 0, HEADER_BYTES)
    if header[0] != MAGIC:
        raise _refusal(f"it begins with 0x{header[0]:02x}, not 0x{MAGIC:02x}")
    # The bootloader would also take an image without segments, and then have nothing to run.
    if not 1 <= header[1] <= SEGMENTS_MAX:
        raise _refusal(f"it has {header[1]} segments, not 1 to {SEGMENTS_MAX}")
    segments = []
    offset = HEADER_BYTES
    for _ in range(header[1]):
        offset += SEGMENT_HEADER_BYTES
        if offset > limit_bytes:
            raise _refusal(f"its segments do not fit into {limit_bytes} bytes")
        _, length = struct.unpack("<II", _take(read, offset - SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES))
        if length % 4:
            raise _refusal(f"a segment has {length} bytes, not a multiple of 4")
        segments.append((offset, length))
        offset += length
    return segments


def _measure(read: "Read", limit_bytes: int, segments: "list[tuple[int, int]]") -> EspImage:
    header = _take(read, 0, HEADER_BYTES)
    sha256_appended = header[_SHA256_APPENDED_OFFSET] != 0
    end = segments[-1][0] + segments[-1][1]
    size_bytes = end + CHECKSUM_BLOCK_BYTES - end % CHECKSUM_BLOCK_BYTES + (SHA256_BYTES if sha256_appended else 0)
    if size_bytes > limit_bytes:
        raise _refusal(f"it needs {size_bytes} bytes and there are {limit_bytes}")
    version, project_name, secure_version = b"", b"", 0
    if size_bytes >= DESCRIPTOR_OFFSET_BYTES + DESCRIPTOR_BYTES:
        described = _take(read, DESCRIPTOR_OFFSET_BYTES, struct.calcsize(DESCRIPTOR_LAYOUT))
        if struct.unpack("<I", described[:4])[0] == DESCRIPTOR_MAGIC:
            _, secure_version, _, version, project_name = struct.unpack(DESCRIPTOR_LAYOUT, described)
    return EspImage(
        size_bytes=size_bytes,
        chip_id=struct.unpack("<H", header[_CHIP_ID_OFFSET : _CHIP_ID_OFFSET + 2])[0],
        segment_count=len(segments),
        sha256_appended=sha256_appended,
        version=printable_text(version),
        project_name=printable_text(project_name),
        secure_version=secure_version,
    )


def _fold(mixed: int) -> int:
    """Return the XOR of all bytes of a little-endian number of at most CHUNK_BYTES bytes, halving it each time."""
    bits = 8 * CHUNK_BYTES
    while bits > 8:
        bits //= 2
        mixed = (mixed >> bits) ^ (mixed & ((1 << bits) - 1))
    return mixed
