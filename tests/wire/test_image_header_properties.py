from hypothesis import given
from hypothesis import strategies as st

from surefoot.wire.errors import Refused
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.version import Version

versions = st.integers(0, 0xFFFFFFFF).map(Version.from_packed)
headers = st.builds(
    ImageHeader,
    version=versions,
    size_bytes=st.integers(1, 0xFFFFFFFF),
    digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
    signature=st.binary(min_size=64, max_size=64),
)


@given(headers)
def test_parsing_undoes_encoding(header: ImageHeader) -> None:
    assert ImageHeader.parse(header.encode()) == header


@given(headers, st.integers(0, HEADER_BYTES - 1), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_read_as_something_else(header: ImageHeader, index: int, value: int) -> None:
    changed = bytearray(header.encode())
    unchanged = changed[index] == value
    changed[index] = value
    try:
        assert (ImageHeader.parse(bytes(changed)) == header) == unchanged
    except Refused as refused:
        assert refused.code == "refused-image-format"


@given(st.binary(max_size=2 * HEADER_BYTES))
def test_arbitrary_bytes_are_refused_and_nothing_worse(data: bytes) -> None:
    try:
        assert ImageHeader.parse(data).encode() == data
    except Refused as refused:
        assert refused.code == "refused-image-format"


@given(versions)
def test_a_version_survives_text_and_packing(version: Version) -> None:
    assert Version.parse(str(version)) == version
    assert Version.from_packed(version.packed) == version
    assert Version.parse_descriptor(f"v{version}") == version


@given(versions, versions)
def test_versions_are_ordered_like_their_parts(left: Version, right: Version) -> None:
    left_parts, right_parts = ((v.major, v.minor, v.patch) for v in (left, right))
    assert (left < right) == (left_parts < right_parts)
    assert (left <= right) == (left_parts <= right_parts)
    assert (left > right) == (left_parts > right_parts)
    assert (left >= right) == (left_parts >= right_parts)


@given(st.text(max_size=20))
def test_arbitrary_text_is_refused_or_is_exactly_how_the_version_is_written(text: str) -> None:
    try:
        assert str(Version.parse(text)) == text
    except Refused as refused:
        assert refused.code == "refused-version-format"
