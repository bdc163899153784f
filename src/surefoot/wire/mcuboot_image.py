"""MCUboot images: a header, the firmware, and what is known about it as type-length-value records (TLVs) behind.

All numbers are little-endian. The header:

    offset  size  field
         0     4  magic 0x96F3B83D
         4     4  load address
         8     2  bytes of the header, 32 and padding
        10     2  bytes of the protected records, their own head included
        12     4  bytes of the firmware
        16     4  flags
        20     8  version: major (1), minor (1), revision (2), build (4)
        28     4  zero

Then the firmware, the protected records (head 0x6908), if any, and the others (head 0x6907). A head is a magic and
the length of the whole area, two bytes each; a record has type and length, two bytes each, and its value. The signed
SHA-256 covers everything up to the end of the protected records.
"""

import binascii
import hashlib
import struct

from surefoot.wire.embedded_signature import (
    ECDSA_P256,
    EmbeddedSignature,
    decode_der,
    encode_der,
    unchecked,
)
from surefoot.wire.errors import Refused
from surefoot.wire.pieces import digest_of, is_filled, take
from surefoot.wire.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.wire.pieces import Read

MAGIC = 0x96F3B83D
HEADER_BYTES = 32
HEADER_BYTES_MAX = 0xFFFF

_HEADER_LAYOUT = "<IIHHIIBBHII"
_HEAD_LAYOUT = "<HH"
_HEAD_BYTES = 4
_PROTECTED = 0x6908
_UNPROTECTED = 0x6907
_ENCRYPTED_FLAGS = 0x04 | 0x08

_KEY_DIGEST = 0x01
_PUBLIC_KEY = 0x02
_ECDSA = 0x22
_SECURITY_COUNTER = 0x50
# Type of the record with the image's digest: the algorithm, where this Python has it.
_DIGESTS = {0x10: "sha256", 0x11: "sha384", 0x12: "sha512"}
_OTHER_SIGNATURES = {0x20: "rsa-2048", 0x23: "rsa-3072", 0x24: "ed25519"}

# How a slot ends that `imgtool sign --pad` filled: 16 bytes, the first two of which may tell the alignment.
_TRAILERS = (binascii.unhexlify("77c295f360d2ef7f3552500f2cb67980"), binascii.unhexlify("2de15d29410b8d77679c110f1f8a"))


class McubootImage(Record):
    """What an MCUboot image says about itself; `version` is `MAJOR.MINOR.REVISION`, `build` the number behind it.

    `image_bytes` ends with the last record; a padded slot is longer. `digest` is what the image's own record says, and
    true unless the image is `encrypted`, as only the robot sees its firmware then.
    """

    __slots__ = (
        "version",
        "build",
        "firmware_bytes",
        "image_bytes",
        "digest",
        "encrypted",
        "security_counter",
        "signatures",
    )
    version: str
    build: int
    firmware_bytes: int
    image_bytes: int
    digest: bytes
    encrypted: bool
    security_counter: "int | None"
    signatures: "tuple[EmbeddedSignature, ...]"


def has_magic(head: bytes) -> bool:
    """Tell whether these bytes begin like an MCUboot image."""
    return head[:4] == struct.pack("<I", MAGIC)


def encode_header(version: "tuple[int, int, int]", header_bytes: int, firmware_bytes: int) -> bytes:
    """Return a header without flags, padded with zeros to `header_bytes`."""
    major, minor, revision = version
    fields = (MAGIC, 0, header_bytes, 0, firmware_bytes, 0, major, minor, revision, 0, 0)
    return struct.pack(_HEADER_LAYOUT, *fields) + bytes(header_bytes - HEADER_BYTES)


def encode_records(digest: bytes, key_id: str, signature: bytes) -> bytes:
    """Return the records of a signed image: its SHA-256, the id of the key, and `r || s` as DER."""
    records = b""
    for kind, value in (
        (0x10, digest),
        (_KEY_DIGEST, binascii.unhexlify(key_id)),
        (_ECDSA, encode_der(signature)),
    ):
        records += struct.pack(_HEAD_LAYOUT, kind, len(value)) + value
    return struct.pack(_HEAD_LAYOUT, _UNPROTECTED, _HEAD_BYTES + len(records)) + records


def parse(read: "Read", size_bytes: int) -> McubootImage:
    """Read an image and check its own digest; its signatures are the caller's to verify.

    Raises:
        Refused: `refused-image-format`; `refused-digest` when the firmware is not what its records speak of.
    """
    fields = struct.unpack(_HEADER_LAYOUT, take(read, 0, HEADER_BYTES))
    magic, _, header_bytes, protected_bytes, firmware_bytes, flags, major, minor, revision, build, _ = fields
    if magic != MAGIC or header_bytes < HEADER_BYTES:
        raise _refusal("it has no MCUboot header")
    end = header_bytes + firmware_bytes
    if end + protected_bytes + _HEAD_BYTES > size_bytes:
        raise _refusal(f"its header speaks of {end + protected_bytes} bytes and the file has {size_bytes}")
    protected: "list[tuple[int, bytes]]" = []
    if protected_bytes:
        protected, after = _records(read, end, size_bytes, _PROTECTED)
        if after != end + protected_bytes:
            raise _refusal("its header and its protected records name different lengths")
        end = after
    records, image_bytes = _records(read, end, size_bytes, _UNPROTECTED)
    _check_tail(read, image_bytes, size_bytes)
    encrypted = flags & _ENCRYPTED_FLAGS != 0
    kind, digest = _digest_record(records)
    if not encrypted:
        _check_digest(read, end, kind, digest)
    counters = [value for type_, value in protected if type_ == _SECURITY_COUNTER and len(value) == 4]
    return McubootImage(
        version=f"{major}.{minor}.{revision}",
        build=build,
        firmware_bytes=firmware_bytes,
        image_bytes=image_bytes,
        digest=digest,
        encrypted=encrypted,
        security_counter=struct.unpack("<I", counters[0])[0] if counters else None,
        signatures=_signatures(records, kind, digest),
    )


def _records(read: "Read", offset: int, size_bytes: int, wanted: int) -> "tuple[list[tuple[int, bytes]], int]":
    """Return the records of the area that begins here, and where it ends; an area has at most 64 KiB."""
    magic, length = struct.unpack(_HEAD_LAYOUT, take(read, offset, _HEAD_BYTES))
    if magic != wanted or length < _HEAD_BYTES or offset + length > size_bytes:
        raise _refusal(f"there are no records (0x{wanted:04x}) at byte {offset}")
    end = offset + length
    offset += _HEAD_BYTES
    records = []
    while offset < end:
        if offset + _HEAD_BYTES > end:
            raise _refusal("its records do not fill their area")
        kind, value_bytes = struct.unpack(_HEAD_LAYOUT, take(read, offset, _HEAD_BYTES))
        offset += _HEAD_BYTES
        if offset + value_bytes > end:
            raise _refusal("a record is longer than the area it is in")
        records.append((kind, take(read, offset, value_bytes)))
        offset += value_bytes
    return records, end


def _check_tail(read: "Read", image_bytes: int, size_bytes: int) -> None:
    rest_bytes = size_bytes - image_bytes
    trailer = take(read, size_bytes - 16, 16) if rest_bytes >= 16 else b""
    if trailer == _TRAILERS[0] or trailer[2:] == _TRAILERS[1]:
        return
    if not is_filled(read, image_bytes, rest_bytes):
        raise _refusal(f"the {rest_bytes} bytes behind its records are neither padding nor a boot trailer")


def _digest_record(records: "list[tuple[int, bytes]]") -> "tuple[str, bytes]":
    found = [(_DIGESTS[kind], value) for kind, value in records if kind in _DIGESTS]
    if len(found) != 1:
        raise _refusal(f"it has {len(found)} records with a digest, not 1")
    return found[0]


def _check_digest(read: "Read", end: int, kind: str, digest: bytes) -> None:
    algorithm = getattr(hashlib, kind, None)
    if algorithm is None:
        raise _refusal(f"this Python cannot compute its {kind}")
    if digest_of(read, 0, end, algorithm) != digest:
        raise Refused(
            "refused-digest", f"The firmware's {kind} is not the one its records name: fetch or sign it again."
        )


def _signatures(records: "list[tuple[int, bytes]]", kind: str, digest: bytes) -> "tuple[EmbeddedSignature, ...]":
    """Return the signatures in order, each with the key that is named before it."""
    found = []
    key_id = None
    for type_, value in records:
        if type_ == _KEY_DIGEST:
            key_id = binascii.hexlify(value).decode()
        elif type_ == _PUBLIC_KEY:
            key_id = binascii.hexlify(hashlib.sha256(value).digest()).decode()
        elif type_ == _ECDSA and kind == "sha256":
            signature = decode_der(value)
            found.append(EmbeddedSignature(kind=ECDSA_P256, key_id=key_id, digest=digest, signature=signature))
        elif type_ == _ECDSA:
            found.append(unchecked("ecdsa-p384"))
        elif type_ in _OTHER_SIGNATURES:
            found.append(unchecked(_OTHER_SIGNATURES[type_]))
    return tuple(found)


def _refusal(fact: str) -> Refused:
    return Refused("refused-image-format", f"Refusing the MCUboot image: {fact}. Build or sign it again.")
