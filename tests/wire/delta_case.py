"""Deltas made by hand, on either interpreter: the patch's own format, and a zlib stream that packs nothing."""

import binascii
import hashlib
import struct

from surefoot.wire.delta import DeltaHead
from surefoot.wire.image_header import HEADER_BYTES


def number(value: int) -> bytes:
    """Return a number as detools writes it."""
    rest = abs(value)
    groups = [(rest & 0x3F) | (0x40 if value < 0 else 0)]
    rest >>= 6
    while rest:
        groups[-1] |= 0x80
        groups.append(rest & 0x7F)
        rest >>= 7
    return bytes(groups)


def patch_of(size_bytes: int, *rounds: "tuple[bytes, bytes, int]") -> bytes:
    """Return a patch; a round is what is added to the source, what stands as it is, and the move in the source."""
    parts = [number(0), number(size_bytes), number(0)]
    for added, plain, move in rounds:
        parts += [number(len(added)), added, number(len(plain)), plain, number(move)]
    return b"".join(parts)


def difference(source: bytes, target: bytes) -> bytes:
    """Return what must be added to one to get the other."""
    return bytes((b - a) & 0xFF for a, b in zip(source, target))


def zlib_of(data: bytes) -> bytes:
    """Return a zlib stream with a window of 1 KiB, in stored blocks."""
    stream = b"\x28\x15"
    for offset in range(0, len(data), 1000):
        piece = data[offset : offset + 1000]
        is_last = offset + 1000 >= len(data)
        stream += struct.pack("<BHH", 1 if is_last else 0, len(piece), len(piece) ^ 0xFFFF) + piece
    low, high = 1, 0
    for byte in data:
        low = (low + byte) % 65521
        high = (high + low) % 65521
    return stream + struct.pack(">HH", high, low)


def delta_file(source: bytes, target_file: bytes, patch: "bytes | None" = None) -> bytes:
    """Return the delta from an image to a signed one: what they have in common at the front is taken from the source.

    With a patch of one's own, that is what is inside.
    """
    target = target_file[HEADER_BYTES:]
    if patch is None:
        shared = min(len(source), len(target))
        patch = patch_of(len(target), (difference(source[:shared], target[:shared]), target[shared:], 0))
    head = DeltaHead(source_digest=digest_of(source), header=target_file[:HEADER_BYTES])
    return head.encode() + zlib_of(patch)


def digest_of(data: bytes) -> str:
    return binascii.hexlify(hashlib.sha256(data).digest()).decode()
