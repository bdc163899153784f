import io
import zlib

import pytest

from support import code_of
from surefoot.shell.inflate import inflate
from surefoot.wire.delta import WINDOW_BITS
from surefoot.wire.errors import Interrupted

PLAIN = bytes(range(256)) * 100 + bytes(50_000)


def packed(window_bits: int = WINDOW_BITS) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, window_bits)
    return packer.compress(PLAIN) + packer.flush()


@pytest.mark.parametrize("length_bytes", [1, 100, 512, 1 << 20])
def test_what_was_packed_comes_out_in_pieces_no_larger_than_asked_for(length_bytes: int) -> None:
    read = inflate(io.BytesIO(packed()).read)
    out = bytearray()
    while piece := read(length_bytes):
        assert len(piece) <= length_bytes
        out += piece
    assert out == PLAIN
    assert read(1) == b""


def test_what_is_no_such_stream_is_refused() -> None:
    flipped = bytearray(packed())
    flipped[20] ^= 0xFF
    for data in (b"no stream", packed(window_bits=15), bytes(flipped)):
        read = inflate(io.BytesIO(data).read)
        assert code_of(lambda read=read: [read(512) for _ in range(500)]) == "refused-delta"


def test_a_stream_that_ends_early_just_ends() -> None:
    read = inflate(io.BytesIO(packed()[:-100]).read)
    out = bytearray()
    while piece := read(512):
        out += piece
    assert PLAIN.startswith(bytes(out)) and len(out) < len(PLAIN)


def test_a_way_that_breaks_is_not_taken_for_a_damaged_stream() -> None:
    def broken(length_bytes: int) -> bytes:
        raise Interrupted("download-interrupted", "The line is dead: try again.")

    assert code_of(inflate(broken), 10) == "download-interrupted"
