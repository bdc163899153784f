"""Bundles for Linux companions: SWUpdate's `.swu` and RAUC's. Looked into as far as to know that they are whole.

Neither is opened further: their own tools verify them, with their own keys, on the companion.
"""

import struct

from surefoot.wire.errors import Refused
from surefoot.wire.pieces import is_filled, take
from surefoot.wire.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.wire.pieces import Read

# cpio's "new ASCII" format, without and with a checksum of each file: 13 numbers of 8 hex digits behind the magic.
_CPIO_MAGICS = (b"070701", b"070702")
_CPIO_HEADER_BYTES = 110
_CPIO_NAME_BYTES_MAX = 256
_CPIO_ENTRIES_MAX = 1024
_DESCRIPTION = b"sw-description"
_LAST = b"TRAILER!!!"

_SQUASHFS_MAGIC = b"hsqs"
_SQUASHFS_HEADER_BYTES = 96
_SQUASHFS_BLOCK_BYTES = 4096
# RAUC's own limit.
_CMS_BYTES_MAX = 0x10000
_SIZE_FIELD_BYTES = 8
# ContentInfo's OIDs 1.2.840.113549.1.7.2 (signed) and .3 (encrypted), RFC 5652.
_SIGNED_DATA = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
_ENVELOPED_DATA = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"


class SwuArchive(Record):
    """What lies in a `.swu`: the names of its files in order, and whether its description has a signature."""

    __slots__ = ("names", "signed")
    names: "tuple[str, ...]"
    signed: bool


class RaucBundle(Record):
    """How a RAUC bundle is laid out: `plain`, `verity` or `crypt`, the bytes of its payload, and of its signature."""

    __slots__ = ("layout", "payload_bytes", "signature_bytes")
    layout: str
    payload_bytes: int
    signature_bytes: int


def is_swu(head: bytes) -> bool:
    """Tell whether these bytes begin a cpio archive whose first file is the description of an update."""
    after = head[_CPIO_HEADER_BYTES : _CPIO_HEADER_BYTES + len(_DESCRIPTION) + 1]
    return head[:6] in _CPIO_MAGICS and after == _DESCRIPTION + b"\0"


def parse_swu(read: "Read", size_bytes: int) -> SwuArchive:
    """Walk a `.swu` to its end.

    Raises:
        Refused: `refused-image-format` unless every file of it is there and nothing else follows.
    """
    names: "list[str]" = []
    offset = 0
    for _ in range(_CPIO_ENTRIES_MAX):
        header = take(read, offset, _CPIO_HEADER_BYTES)
        if header[:6] not in _CPIO_MAGICS:
            raise _refusal(f"there is no cpio header at byte {offset}")
        file_bytes, name_bytes = _hex(header[54:62]), _hex(header[94:102])
        if not 2 <= name_bytes <= _CPIO_NAME_BYTES_MAX:
            raise _refusal(f"a name in it has {name_bytes} bytes")
        name = take(read, offset + _CPIO_HEADER_BYTES, name_bytes)[:-1]
        offset = _aligned(_aligned(offset + _CPIO_HEADER_BYTES + name_bytes) + file_bytes)
        if name == _LAST:
            if offset > size_bytes or not is_filled(read, offset, size_bytes - offset, b"\0"):
                raise _refusal("something follows its end")
            return SwuArchive(names=tuple(names), signed=names[1:2] == ["sw-description.sig"])
        if offset > size_bytes:
            raise _refusal("it is cut off")
        names.append(_text(name))
    raise _refusal(f"it has more than {_CPIO_ENTRIES_MAX} files")


def parse_rauc(read: "Read", size_bytes: int) -> "RaucBundle | None":
    """Return how a RAUC bundle is laid out, or None where the file does not end like one.

    The last eight bytes are the length of the CMS structure before them, big-endian.
    """
    if size_bytes < _SQUASHFS_HEADER_BYTES + _SIZE_FIELD_BYTES:
        return None
    high, cms_bytes = struct.unpack(">II", take(read, size_bytes - _SIZE_FIELD_BYTES, _SIZE_FIELD_BYTES))
    payload_bytes = size_bytes - _SIZE_FIELD_BYTES - cms_bytes
    if high or not 0 < cms_bytes <= _CMS_BYTES_MAX or payload_bytes < _SQUASHFS_HEADER_BYTES:
        return None
    content = _cms_content(take(read, payload_bytes, min(cms_bytes, 32)), cms_bytes)
    if content == _ENVELOPED_DATA:
        return RaucBundle(layout="crypt", payload_bytes=payload_bytes, signature_bytes=cms_bytes)
    head = take(read, 0, _SQUASHFS_HEADER_BYTES)
    if content != _SIGNED_DATA or head[:4] != _SQUASHFS_MAGIC:
        return None
    used, used_high = struct.unpack("<II", head[40:48])
    squashfs_bytes = used + (-used % _SQUASHFS_BLOCK_BYTES)
    if used_high or used < _SQUASHFS_HEADER_BYTES or squashfs_bytes > payload_bytes:
        return None
    # Only the verity format has something, its tree of digests, between the file system and the signature.
    layout = "plain" if squashfs_bytes == payload_bytes else "verity"
    return RaucBundle(layout=layout, payload_bytes=payload_bytes, signature_bytes=cms_bytes)


def _cms_content(head: bytes, cms_bytes: int) -> "bytes | None":
    """Return the OID of a DER ContentInfo that fills exactly these bytes."""
    # A signature with its certificate has 256 to 65535 bytes, whose length DER writes in two.
    if head[:2] != b"\x30\x82" or 4 + int.from_bytes(head[2:4], "big") != cms_bytes:
        return None
    return head[4 : 4 + len(_SIGNED_DATA)]


def _hex(digits: bytes) -> int:
    if not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
        raise _refusal("a number in its headers is not hexadecimal")
    return int(digits.decode(), 16)


def _text(name: bytes) -> str:
    if not all(0x20 <= byte < 0x7F for byte in name):
        raise _refusal("a name in it is not printable")
    return name.decode()


def _aligned(offset: int) -> int:
    return offset + (-offset % 4)


def _refusal(fact: str) -> Refused:
    return Refused("refused-image-format", f"Refusing the .swu file: {fact}. Build or fetch it again.")
