"""A delta: the file that leads from the image a robot runs to another one, without most of that one's bytes.

    offset  size  field
         0     4  magic "SFD1"
         4    32  digest of the source image, the one that runs
        36   136  signed header of the target image, as in front of the full file
       172     …  zlib stream with a window of at most 1 KiB: a patch as detools writes it

The patch is detools' sequential format without compression of its own: byte 0, the target's size, 0 (no data format),
and then rounds of `size, bytes to add to the source's` `size, bytes as they are` `move in the source`. Numbers are
little-endian groups: the first byte has 6 bits of value, bit 6 for minus, bit 7 for "more"; each further one 7 bits.

Nothing in here is believed: what comes out is judged like a full download.
"""

import binascii

from surefoot.wire.errors import Refused
from surefoot.wire.image_header import DIGEST_BYTES, HEADER_BYTES
from surefoot.wire.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from surefoot.wire.esp_image import Read

# What a robot calls this format when it says what it can apply.
FORMAT = "sfd1"
WINDOW_BITS = 10
# A robot holds a piece of the patch, the source's piece and the sum of both at a time.
PIECE_BYTES = 512

_CODE = "refused-delta"
_MAGIC = b"SFD1"
HEAD_BYTES = len(_MAGIC) + DIGEST_BYTES + HEADER_BYTES
# Five bytes count to 2**34, beyond every image.
_NUMBER_BYTES_MAX = 5
_IDLE_ROUNDS_MIN = 16


class DeltaHead(Record):
    """What a delta says it is for: the digest of its source, and its target's signed header."""

    __slots__ = ("source_digest", "header")
    source_digest: str
    header: bytes

    @staticmethod
    def parse(data: bytes) -> "DeltaHead":
        """Read the first `HEAD_BYTES` bytes of a delta; raise `Refused` (`refused-delta`) unless it begins like one."""
        if len(data) != HEAD_BYTES or data[: len(_MAGIC)] != _MAGIC:
            raise refused("it does not begin like one")
        source = data[len(_MAGIC) : len(_MAGIC) + DIGEST_BYTES]
        return DeltaHead(source_digest=binascii.hexlify(source).decode(), header=data[-HEADER_BYTES:])

    def encode(self) -> bytes:
        """Return the `HEAD_BYTES` bytes that go in front of the compressed patch."""
        return _MAGIC + binascii.unhexlify(self.source_digest) + self.header


def patched(read: "Callable[[int], bytes]", read_source: "Read", size_bytes: int) -> "Iterator[bytes]":
    """Yield the target image in pieces of at most `PIECE_BYTES`.

    Args:
        read: Returns up to so many bytes of the patch, b"" at its end.
        read_source: Reads from the image that runs.
        size_bytes: What the target's signed header says; a patch that makes more or less is refused.

    Raises:
        Refused: `refused-delta`.
    """
    if (_number(read), _number(read), _number(read)) != (0, size_bytes, 0):
        raise refused("its patch is not of the kind, or not for the size, that it should be")
    source, left = 0, size_bytes
    # detools makes a round without content now and then; without a limit a few bytes could keep a robot busy for ever.
    idle_rounds = _IDLE_ROUNDS_MIN + size_bytes // PIECE_BYTES
    while left:
        before = left
        for is_sum in (True, False):
            size = _number(read)
            if not 0 <= size <= left:
                raise refused("it makes more than the whole image")
            left -= size
            while size:
                piece = _exactly(read, min(size, PIECE_BYTES))
                size -= len(piece)
                yield _sum(piece, read_source, source) if is_sum else piece
                source += len(piece) if is_sum else 0
        idle_rounds -= left == before
        if idle_rounds < 0:
            raise refused("it goes on without making anything")
        source += _number(read)


def _sum(piece: bytes, read_source: "Read", offset_bytes: int) -> bytes:
    original = read_source(offset_bytes, len(piece)) if offset_bytes >= 0 else b""
    if len(original) != len(piece):
        raise refused("it reads where the running image has nothing")
    if not any(piece):
        # Most of a new build is the old one, moved: this is the common case by far.
        return original
    total = bytearray(original)
    for index, byte in enumerate(piece):
        if byte:
            total[index] = (total[index] + byte) & 0xFF
    return bytes(total)


def _number(read: "Callable[[int], bytes]") -> int:
    byte = _exactly(read, 1)[0]
    is_negative, value, shift = byte & 0x40, byte & 0x3F, 6
    for _ in range(_NUMBER_BYTES_MAX - 1):
        if not byte & 0x80:
            return -value if is_negative else value
        byte = _exactly(read, 1)[0]
        value |= (byte & 0x7F) << shift
        shift += 7
    if byte & 0x80:
        raise refused("one of its numbers has no end")
    return -value if is_negative else value


def _exactly(read: "Callable[[int], bytes]", length_bytes: int) -> bytes:
    data = read(length_bytes)
    while len(data) < length_bytes:
        more = read(length_bytes - len(data))
        if not more:
            raise refused("it ends too early")
        data += more
    return data


def refused(why: str) -> Refused:
    """Return the refusal of a delta."""
    return Refused(_CODE, f"The delta cannot be used: {why}. The full image takes its place; make the delta anew.")
