"""Unpacking deltas on a chip, over MicroPython's `deflate` module. Fills `shell.ports.Inflate`."""

import gc
import io

from surefoot.wire.delta import PIECE_BYTES, WINDOW_BITS, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from surefoot.shell.ports import Inflate


class _Packed(io.IOBase):
    """The packed bytes as a stream: `deflate` asks for one at a time, which is no way to ask a server."""

    def __init__(self, read: "Callable[[int], bytes]") -> None:
        self._read = read
        self._piece = b""
        self._place = 0

    def readinto(self, buffer: "bytearray") -> int:
        """Put the next bytes there and return how many; 0 at the end."""
        if self._place == len(self._piece):
            # Patches are made of many small pieces, between which a heap soon has no room for a large one.
            gc.collect()
            self._piece, self._place = self._read(PIECE_BYTES), 0
        data = self._piece[self._place : self._place + len(buffer)]
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


def inflate_with(deflate: "Any") -> "Inflate":
    """Return the inflater made of MicroPython's module `deflate`."""

    def inflate(read: "Callable[[int], bytes]") -> "Callable[[int], bytes]":
        stream = deflate.DeflateIO(_Packed(read), deflate.ZLIB, WINDOW_BITS)

        def unpacked(length_bytes: int) -> bytes:
            try:
                data: bytes = stream.read(length_bytes)
            except (OSError, EOFError):
                raise refused("it does not unpack") from None
            return data

        return unpacked

    return inflate
