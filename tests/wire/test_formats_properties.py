"""Whatever a file holds, recognising it ends in a description or in a refusal with a code."""

import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import reader_of
from surefoot.wire.errors import Refused
from surefoot.wire.formats import recognise
from wire.image_case import SWU, esp_image, mcuboot_image, rauc_bundle, robo_image, signed_esp_image

FILES = (
    robo_image(esp_image()),
    esp_image(),
    signed_esp_image(esp_image()),
    mcuboot_image(),
    robo_image(mcuboot_image()),
    SWU,
    rauc_bundle(),
)
CODES = {"refused-image-format", "refused-digest", "refused-version-format"}


@st.composite
def near_files(draw: st.DrawFn) -> bytes:
    """A file of a known format, some bytes of it changed, cut out or put in."""
    data = draw(st.sampled_from(FILES))
    for _ in range(draw(st.integers(1, 4))):
        # Most of what can go wrong stands at either end.
        offset = draw(st.integers(0, min(160, len(data))) | st.integers(0, len(data)))
        offset = offset if draw(st.booleans()) else len(data) - offset
        removed = draw(st.integers(0, 8))
        data = data[:offset] + draw(st.binary(max_size=8)) + data[offset + removed :]
    return data


@given(st.binary(max_size=300) | near_files())
def test_nothing_but_a_refusal_comes_out(data: bytes) -> None:
    try:
        found = recognise(reader_of(data), len(data))
    except Refused as refused:
        assert refused.code in CODES
    else:
        assert found.slot_bytes <= len(data)


@given(st.sampled_from(FILES), st.data())
def test_a_file_is_told_by_all_of_it_or_refused_cut_off(data: bytes, draw: st.DataObject) -> None:
    cut = data[: draw.draw(st.integers(0, len(data.rstrip(b"\0\xff")) - 1))]
    with suppress(Refused):
        found = recognise(reader_of(cut), len(cut))
        # An image without its signature sector is an unsigned one.
        assert not found.signatures


@pytest.mark.parametrize("data", FILES)
def test_a_length_that_lies_costs_no_memory(data: bytes) -> None:
    for offset in range(0, 140, 2):
        lying = data[:offset] + b"\xff\xff\xff\x7f" + data[offset + 4 :]
        tracemalloc.start()
        with suppress(Refused):
            recognise(reader_of(lying), len(lying))
        assert tracemalloc.get_traced_memory()[1] < 200_000
        tracemalloc.stop()
