"""Unpacking deltas on CPython. Fills `shell.ports.Inflate`."""

import zlib
from collections.abc import Callable

from surefoot.wire.delta import PIECE_BYTES, WINDOW_BITS, refused


def inflate(read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """Return what reads unpacked bytes; it raises `Refused` (`refused-delta`)."""
    stream = zlib.decompressobj(WINDOW_BITS)

    def unpacked(length_bytes: int) -> bytes:
        while not stream.eof:
            packed = stream.unconsumed_tail or read(PIECE_BYTES)
            try:
                data = stream.decompress(packed, length_bytes)
            except zlib.error as error:
                raise refused(f"it does not unpack ({error})") from error
            if data or not packed:
                return data
        return b""

    return unpacked
