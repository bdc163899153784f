"""Reads images piece by piece, and keeps the pieces read last: a fleet fetches the same image on the same day.

A piece in memory is sent at half of what it costs to wait for a thread and copy it from the disk's cache.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator

from surefoot.fleet.ports import Blobs
from surefoot.server.devices.ranges import Span

# As large as brings the most through TLS, and as small as fifty downloads at once can be held.
PIECE_BYTES = 256 * 1024
# 64 MiB: the images of some microcontrollers, or a part of one of a larger computer.
PIECES_MAX = 256


class Pieces:
    """The pieces of images that one process holds. What is behind a SHA-256 never changes, so none grows old."""

    def __init__(self, blobs: Blobs, pieces_max: int = PIECES_MAX) -> None:
        self._blobs = blobs
        self._pieces_max = pieces_max
        self._held: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    async def of(self, sha256: str, size_bytes: int, span: Span) -> AsyncGenerator[bytes, None]:
        """Yield a part of a file of this size.

        Raises:
            Damaged: `damaged-blob` when the storage turns out wrong.
            Interrupted: `interrupted-blob` when it does not answer.
        """
        offset_bytes, end = span.offset_bytes, span.offset_bytes + span.length_bytes
        while offset_bytes < end:
            number, skipped_bytes = divmod(offset_bytes, PIECE_BYTES)
            whole = await self._piece(sha256, size_bytes, number)
            piece = whole[skipped_bytes : skipped_bytes + end - offset_bytes]
            yield piece
            offset_bytes += len(piece)

    async def _piece(self, sha256: str, size_bytes: int, number: int) -> bytes:
        piece = self._held.get((sha256, number))
        if piece is None:
            first = number * PIECE_BYTES
            piece = await asyncio.to_thread(self._blobs.read, sha256, first, min(PIECE_BYTES, size_bytes - first))
            self._held[sha256, number] = piece
            while len(self._held) > self._pieces_max:
                self._held.popitem(last=False)
        else:
            self._held.move_to_end((sha256, number))
            # A robot that takes all it is given must not keep the others waiting.
            await asyncio.sleep(0)
        return piece
