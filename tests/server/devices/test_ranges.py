import pytest

from support import code_of
from surefoot.server.devices.ranges import Span, names_etag, parse_range

SIZE_BYTES = 1000


@pytest.mark.parametrize(
    ("header", "offset_bytes", "length_bytes"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-999", 0, 1000),
        ("bytes=500-", 500, 500),
        ("bytes=999-", 999, 1),
        ("bytes=990-5000", 990, 10),
        ("bytes=-1", 999, 1),
        ("bytes=-5000", 0, 1000),
        ("Bytes=7-8", 7, 2),
    ],
)
def test_a_single_range_is_cut_to_the_file(header: str, offset_bytes: int, length_bytes: int) -> None:
    assert parse_range(header, SIZE_BYTES) == Span(offset_bytes=offset_bytes, length_bytes=length_bytes)


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=999999999999-"])
def test_a_range_past_the_end_is_refused(header: str) -> None:
    assert code_of(parse_range, header, SIZE_BYTES) == "refused-range"


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,4-5", "lines=0-1", "bytes=a-b", "bytes=٣-"],
)
def test_what_is_no_single_range_means_the_whole_file(header: str | None) -> None:
    assert parse_range(header, SIZE_BYTES) is None


def test_a_number_of_absurd_length_costs_nothing() -> None:
    assert parse_range("bytes=" + "9" * 60_000 + "-", SIZE_BYTES) is None


@pytest.mark.parametrize("header", ['"tag"', 'W/"tag"', '"other", "tag"', "*"])
def test_a_named_entity_tag_is_found(header: str) -> None:
    assert names_etag(header, '"tag"')


@pytest.mark.parametrize("header", ["", '"other"', "tag"])
def test_another_entity_tag_is_not(header: str) -> None:
    assert not names_etag(header, '"tag"')
