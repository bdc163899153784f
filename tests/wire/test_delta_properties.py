import io

import detools  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from support import reader_of
from surefoot.wire.delta import PIECE_BYTES, patched
from surefoot.wire.errors import Refused
from wire.delta_case import patch_of

SOURCE = bytes(range(256)) * 4


@st.composite
def edited(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Draw an image, and one that is made of its parts in another order, of a few changed bytes and of new ones."""
    old = draw(st.binary(min_size=1, max_size=2000))
    parts = []
    for _ in range(draw(st.integers(1, 6))):
        begin, end = sorted(draw(st.tuples(st.integers(0, len(old)), st.integers(0, len(old)))))
        part = bytearray(old[begin:end])
        if part and draw(st.booleans()):
            part[draw(st.integers(0, len(part) - 1))] ^= draw(st.integers(1, 255))
        parts.append(bytes(part) + draw(st.binary(max_size=20)))
    return old, b"".join(parts) or b"new"


@given(edited())
def test_what_detools_writes_leads_to_the_target(pair: tuple[bytes, bytes]) -> None:
    old, new = pair
    patch = io.BytesIO()
    detools.create_patch(io.BytesIO(old), io.BytesIO(new), patch, compression="none")
    assert b"".join(patched(io.BytesIO(patch.getvalue()).read, reader_of(old), len(new))) == new


@given(st.binary(max_size=400), st.integers(1, 5000))
def test_any_bytes_make_the_promised_size_or_are_refused(data: bytes, size_bytes: int) -> None:
    made = 0
    try:
        for piece in patched(io.BytesIO(patch_of(size_bytes) + data).read, reader_of(SOURCE), size_bytes):
            assert 0 < len(piece) <= PIECE_BYTES
            made += len(piece)
            assert made <= size_bytes
    except Refused as refusal:
        assert refusal.code == "refused-delta"
    else:
        assert made == size_bytes
