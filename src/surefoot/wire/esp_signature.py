"""The signature sector behind an ESP-IDF image: Secure Boot v2, as `espsecure sign-data --version 2` writes it.

The image is padded with 0xFF to whole sectors of 4096 bytes, and one more sector holds up to three blocks of 1216
bytes, the rest of it 0xFF. The signature covers the padded image. All numbers of a block are little-endian, the
coordinates and `r`, `s` too. An ECDSA P-256 block:

    offset  size  field
         0     1  magic 0xE7
         1     1  scheme: 2 RSA-3072, 3 ECDSA
         2     1  digest: 0 SHA-256, 1 SHA-384 (ECDSA)
         3     1  zero
         4    32  SHA-256 of the padded image
        36     1  curve: 1 P-192, 2 P-256, 3 P-384
        37    64  public key, X then Y
       101    64  signature, r then s
       165  1031  zero
      1196     4  CRC-32 of what stands before it
      1200    16  zero
"""

import binascii
import struct

from surefoot.wire.embedded_signature import ECDSA_P256, HALF_BYTES, EmbeddedSignature, unchecked
from surefoot.wire.errors import Refused
from surefoot.wire.key_id import key_id_of_xy
from surefoot.wire.pieces import ERASED, digest_of, is_filled, take
from surefoot.wire.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.wire.pieces import Read

SECTOR_BYTES = 4096
BLOCK_BYTES = 1216
BLOCKS_MAX = 3

_MAGIC = 0xE7
_RSA = 2
_ECDSA = 3
_SHA256 = 0
_P256 = 2
_CURVES = {1: "ecdsa-p192", 2: ECDSA_P256, 3: "ecdsa-p384"}
_SIGNED_BYTES = 1196
_LAYOUT = "<BBBx32sB64s64s1031x"
# The curve follows the digest, which is longer in a P-384 block.
_CURVE_OFFSETS = {0: 36, 1: 52}


class SignatureBlock(Record):
    """One P-256 block: the SHA-256 of the padded image, the public key `X || Y` and `r || s`, both big-endian."""

    __slots__ = ("digest", "xy", "signature")
    digest: bytes
    xy: bytes
    signature: bytes


def padding_of(size_bytes: int) -> int:
    """Return how many bytes of 0xFF take an image of this size to whole sectors."""
    return -size_bytes % SECTOR_BYTES


def encode_sector(block: SignatureBlock) -> bytes:
    """Return the sector with this one block in it."""
    data = struct.pack(
        _LAYOUT, _MAGIC, _ECDSA, _SHA256, block.digest, _P256, _turned(block.xy), _turned(block.signature)
    )
    data += struct.pack("<I", _crc32(data)) + bytes(BLOCK_BYTES - _SIGNED_BYTES - 4)
    return data + ERASED * (SECTOR_BYTES - len(data))


def read_signatures(read: "Read", image_bytes: int, size_bytes: int) -> "tuple[EmbeddedSignature, ...]":
    """Return the signatures behind an image of `image_bytes` in a file of `size_bytes`; none when it has no sector.

    Args:
        read: the file, from the image's first byte.
        image_bytes: the image's own length.
        size_bytes: the file's length.

    Raises:
        Refused: `refused-image-format` when what follows the image is neither padding nor a signature sector,
            `refused-digest` when a block signs other bytes than these.
    """
    # The bootloader looks for the sector there and nowhere else.
    sector_at = image_bytes + padding_of(image_bytes)
    if size_bytes == sector_at + SECTOR_BYTES and take(read, sector_at, 1) == bytes((_MAGIC,)):
        if not is_filled(read, image_bytes, sector_at - image_bytes):
            raise _refusal("there is something else between the image and its signature")
        return _read_sector(read, sector_at)
    if not is_filled(read, image_bytes, size_bytes - image_bytes):
        raise _refusal(f"the {size_bytes - image_bytes} bytes behind the image are no Secure Boot v2 signature")
    return ()


def _read_sector(read: "Read", sector_at: int) -> "tuple[EmbeddedSignature, ...]":
    digest = digest_of(read, 0, sector_at)
    found = []
    for index in range(BLOCKS_MAX):
        data = take(read, sector_at + index * BLOCK_BYTES, BLOCK_BYTES)
        if data == ERASED * BLOCK_BYTES:
            break
        found.append(_read_block(data, digest))
    used = len(found) * BLOCK_BYTES
    if not found or not is_filled(read, sector_at + used, SECTOR_BYTES - used):
        raise _refusal("its signature sector holds something besides signature blocks")
    return tuple(found)


def _read_block(data: bytes, digest: bytes) -> EmbeddedSignature:
    magic, scheme, algorithm, signed = struct.unpack("<BBBx32s", data[:36])
    if magic != _MAGIC or struct.unpack("<I", data[_SIGNED_BYTES : _SIGNED_BYTES + 4])[0] != _crc32(
        data[:_SIGNED_BYTES]
    ):
        raise _refusal("a signature block is damaged")
    if scheme == _ECDSA and algorithm in _CURVE_OFFSETS:
        kind = _CURVES.get(data[_CURVE_OFFSETS[algorithm]])
    else:
        kind = "rsa-3072" if scheme == _RSA else None
    if kind is None:
        raise _refusal(f"a signature block has scheme {scheme}, which Secure Boot v2 does not know")
    # A P-384 block holds a SHA-384, which robots' Python cannot compute; nobody here verifies it.
    if algorithm == _SHA256 and signed != digest:
        raise Refused(
            "refused-digest",
            f"The image's SHA-256 is {binascii.hexlify(digest).decode()[:16]}… and its signature block speaks of "
            "another: sign it again.",
        )
    if kind != ECDSA_P256 or algorithm != _SHA256:
        return unchecked(kind)
    xy, signature = struct.unpack("<64s64s", data[37:165])
    return EmbeddedSignature(kind=kind, key_id=key_id_of_xy(_turned(xy)), digest=digest, signature=_turned(signature))


def _turned(pair: bytes) -> bytes:
    """Return two numbers with the bytes of each in the other order."""
    return bytes(reversed(pair[:HALF_BYTES])) + bytes(reversed(pair[HALF_BYTES:]))


def _crc32(data: bytes) -> int:
    return binascii.crc32(data) & 0xFFFFFFFF


def _refusal(fact: str) -> Refused:
    return Refused("refused-image-format", f"Refusing the ESP-IDF image: {fact}. Build or sign it again.")
