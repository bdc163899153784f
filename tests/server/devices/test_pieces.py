"""The pieces of images that a process holds in memory."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.server.devices.pieces import PIECE_BYTES, Pieces
from surefoot.server.devices.ranges import Span
from surefoot.store.blobs import DirectoryBlobs

SHA256 = "ab" * 32
SIZE_BYTES = PIECE_BYTES * 3 + 1000
IMAGE = bytes(range(256)) * (SIZE_BYTES // 256) + bytes(SIZE_BYTES % 256)


class CountedBlobs(DirectoryBlobs):
    """A disk with one image, counting what is read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.reads: list[tuple[int, int]] = []

    def read(self, sha256: str, offset_bytes: int, length_bytes: int) -> bytes:
        self.reads.append((offset_bytes, length_bytes))
        return IMAGE[offset_bytes : offset_bytes + length_bytes]


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> CountedBlobs:
    return CountedBlobs(tmp_path_factory.mktemp("pieces"))


def fetch(pieces: Pieces, offset_bytes: int = 0, length_bytes: int = SIZE_BYTES, sha256: str = SHA256) -> bytes:
    async def all_of_it() -> bytes:
        span = Span(offset_bytes=offset_bytes, length_bytes=length_bytes)
        return b"".join([piece async for piece in pieces.of(sha256, SIZE_BYTES, span)])

    return asyncio.run(all_of_it())


@given(first=st.integers(0, SIZE_BYTES - 1), length_bytes=st.integers(1, SIZE_BYTES))
def test_a_part_is_exactly_those_bytes_from_the_disk_and_from_memory(
    blobs: CountedBlobs, first: int, length_bytes: int
) -> None:
    expected, pieces = IMAGE[first : first + length_bytes], Pieces(blobs)
    assert fetch(pieces, first, len(expected)) == expected
    assert fetch(pieces, first, len(expected)) == expected


def test_what_one_robot_fetched_is_not_read_again_for_the_next(blobs: CountedBlobs) -> None:
    pieces = Pieces(blobs)
    fetch(pieces)
    blobs.reads.clear()
    assert fetch(pieces) == IMAGE
    assert blobs.reads == []


def test_another_image_is_another_image(blobs: CountedBlobs) -> None:
    pieces = Pieces(blobs)
    fetch(pieces)
    blobs.reads.clear()
    fetch(pieces, sha256="cd" * 32)
    assert len(blobs.reads) == 4


def test_only_so_many_pieces_are_held_those_used_last(blobs: CountedBlobs) -> None:
    pieces = Pieces(blobs, pieces_max=2)
    fetch(pieces, 0, PIECE_BYTES * 2)
    fetch(pieces, 0, 1)
    fetch(pieces, PIECE_BYTES * 2, 1)
    blobs.reads.clear()
    fetch(pieces, 0, 1)
    assert blobs.reads == []
    fetch(pieces, PIECE_BYTES, 1)
    assert blobs.reads == [(PIECE_BYTES, PIECE_BYTES)]


def test_who_fetches_from_memory_lets_others_have_their_turn(blobs: CountedBlobs) -> None:
    pieces = Pieces(blobs)
    fetch(pieces)

    async def turns_meanwhile() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(other())
        async for _ in pieces.of(SHA256, SIZE_BYTES, Span(offset_bytes=0, length_bytes=SIZE_BYTES)):
            pass
        beside.cancel()
        return turns

    assert asyncio.run(turns_meanwhile()) >= 3
