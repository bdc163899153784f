"""The 136-byte header in front of a signed image (the ROBO format).

All numbers are little-endian; the signature is raw `r || s`, each 32 bytes big-endian.

    offset  size  field
         0     4  magic 0x524F424F
         4     4  version, packed
         8     4  size of the firmware data in bytes, without this header
        12    32  SHA-256 of the firmware data
        44    64  ECDSA P-256 signature over that SHA-256 (not hashed again)
       108    28  reserved, zero

The signature covers the firmware data only. Nothing may be decided from the version in here alone.
"""

import binascii
import struct

from surefoot.wire.errors import Refused
from surefoot.wire.fields import HEX_DIGITS
from surefoot.wire.record import Record
from surefoot.wire.version import Version

MAGIC = 0x524F424F
HEADER_BYTES = 136
DIGEST_BYTES = 32
SIGNATURE_BYTES = 64
IMAGE_SIZE_BYTES_MAX = 0xFFFFFFFF

_LAYOUT = "<III32s64s28s"
_RESERVED = bytes(28)


class ImageHeader(Record):
    """What a signed image says about itself; `digest` is 64 lower-case hex digits, `signature` raw `r || s`.

    Raises:
        Refused: `refused-image-format` when a field cannot be put into a header.
    """

    __slots__ = ("version", "size_bytes", "digest", "signature")
    version: Version
    size_bytes: int
    digest: str
    signature: bytes

    def check(self) -> None:
        if not 0 < self.size_bytes <= IMAGE_SIZE_BYTES_MAX:
            raise _refused(f"it would hold {self.size_bytes} bytes, and 1 to {IMAGE_SIZE_BYTES_MAX} are possible")
        if len(self.digest) != 2 * DIGEST_BYTES or self.digest.strip(HEX_DIGITS):
            raise _refused("its digest is not 64 lower-case hex digits")
        if len(self.signature) != SIGNATURE_BYTES:
            raise _refused(f"its signature has {len(self.signature)} bytes, not {SIGNATURE_BYTES}")

    @staticmethod
    def parse(data: bytes) -> "ImageHeader":
        """Read the first `HEADER_BYTES` bytes of a signed image.

        Raises:
            Refused: `refused-image-format` unless these are exactly the bytes of a header.
        """
        if len(data) != HEADER_BYTES:
            raise _refused(f"its header has {len(data)} bytes, not {HEADER_BYTES}")
        magic, packed, size_bytes, digest, signature, reserved = struct.unpack(_LAYOUT, data)
        if magic != MAGIC:
            raise _refused(f"it begins with 0x{magic:08X}, not 0x{MAGIC:08X}")
        if reserved != _RESERVED:
            raise _refused("the reserved bytes of its header are not zero")
        return ImageHeader(
            version=Version.from_packed(packed),
            size_bytes=size_bytes,
            digest=binascii.hexlify(digest).decode(),
            signature=signature,
        )

    def encode(self) -> bytes:
        """Return the `HEADER_BYTES` bytes that go in front of the firmware data."""
        digest = binascii.unhexlify(self.digest)
        return struct.pack(_LAYOUT, MAGIC, self.version.packed, self.size_bytes, digest, self.signature, _RESERVED)


def has_magic(data: bytes) -> bool:
    """Tell whether these bytes begin like a signed image."""
    return data[:4] == struct.pack("<I", MAGIC)


def _refused(why: str) -> Refused:
    return Refused("refused-image-format", f"This is no signed image: {why}. Make one with `surefoot image sign`.")
