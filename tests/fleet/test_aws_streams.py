"""Which blocks a stream request means."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.fleet.aws_streams import (
    BLOCK_BYTES_MIN,
    NO_BITMAP,
    REQUEST_PAYLOAD_BYTES_MAX,
    Blocks,
    StreamError,
    StreamErrorCode,
    data_object,
    description_object,
    read_get,
)

SIZE = 10_000


def numbers(size_bytes: int = SIZE, **request: Any) -> tuple[int, ...]:
    return read_get({"f": 0, "l": 1024, **request}, size_bytes).numbers


def test_one_block_is_sent_unless_more_are_asked_for() -> None:
    assert numbers() == (0,)
    assert numbers(o=3) == (3,)
    assert numbers(o=3, n=4) == (3, 4, 5, 6)


def test_the_last_block_is_short_and_none_stands_behind_it() -> None:
    found = read_get({"f": 0, "l": 1024, "o": 8, "n": 100}, SIZE)
    assert list(found.ranges(SIZE)) == [(8, 8192, 1024), (9, 9216, 784)]


def test_a_bitmap_names_blocks_from_the_offset_on_least_bit_first() -> None:
    assert numbers(b="05") == (0, 2)
    assert numbers(b="0x0580", o=1) == (1, 3)
    assert numbers(b=b"\x03", o=2, n=1) == (2,)
    assert numbers(b=b"\xff\xff", n=64) == tuple(range(10))


def test_the_four_bytes_that_a_library_always_sends_are_no_bitmap() -> None:
    assert numbers(b=NO_BITMAP, n=2) == (0, 1)
    assert numbers(b="MQ==", n=2) == (0, 1)


@pytest.mark.parametrize(
    ("request_fields", "code"),
    [
        ({"l": 255}, StreamErrorCode.BLOCK_SIZE_OUT_OF_BOUNDS),
        ({"l": 131073}, StreamErrorCode.BLOCK_SIZE_OUT_OF_BOUNDS),
        ({"o": 10}, StreamErrorCode.OFFSET_OUT_OF_BOUNDS),
        ({"n": 129}, StreamErrorCode.BLOCK_COUNT_LIMIT_EXCEEDED),
        ({"n": 0}, StreamErrorCode.INVALID_REQUEST),
        ({"f": 1}, StreamErrorCode.RESOURCE_NOT_FOUND),
        ({"f": None}, StreamErrorCode.INVALID_REQUEST),
        ({"f": True}, StreamErrorCode.INVALID_REQUEST),
        ({"s": 2}, StreamErrorCode.VERSION_MISMATCH),
        ({"b": "zz"}, StreamErrorCode.INVALID_REQUEST),
        ({"b": "00"}, StreamErrorCode.INVALID_REQUEST),
        ({"b": b"\x01" * 20_000}, StreamErrorCode.BLOCK_BITMAP_LIMIT_EXCEEDED),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(request_fields: dict[str, Any], code: StreamErrorCode) -> None:
    with pytest.raises(StreamError) as caught:
        numbers(c="token", **request_fields)
    assert caught.value.code is code
    assert caught.value.to_object()["clientToken"] == "token"


@given(
    size_bytes=st.integers(1, 3_000_000),
    block_bytes=st.integers(BLOCK_BYTES_MIN, 131072),
    count=st.integers(1, 512),
)
def test_window_by_window_a_file_arrives_whole(size_bytes: int, block_bytes: int, count: int) -> None:
    count = min(count, REQUEST_PAYLOAD_BYTES_MAX // block_bytes)
    total, reached = -(-size_bytes // block_bytes), 0
    for first in range(0, total, count):
        found = read_get({"f": 0, "l": block_bytes, "o": first, "n": count}, size_bytes)
        for _number, begin, length in found.ranges(size_bytes):
            assert begin == reached
            reached += length
    assert reached == size_bytes


def test_a_block_is_carried_by_json_and_by_cbor() -> None:
    blocks = Blocks(numbers=(7,), block_bytes=256, client_token="t")
    assert data_object(blocks, 7, b"abc", as_json=False) == {"c": "t", "f": 0, "l": 3, "i": 7, "p": b"abc"}
    assert data_object(blocks, 7, b"abc", as_json=True)["p"] == base64.b64encode(b"abc").decode()
    assert description_object(5, None) == {"s": 1, "d": "", "r": [{"f": 0, "z": 5}]}
