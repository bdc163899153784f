from support import code_of
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader, has_magic
from surefoot.wire.version import Version

SIGNATURE = bytes(range(64))
HEADER = ImageHeader(
    version=Version(major=1, minor=2, patch=3),
    size_bytes=0x00ABCDEF,
    digest="0123456789abcdef" * 4,
    signature=SIGNATURE,
)
ENCODED = (
    b"\x4f\x42\x4f\x52" + b"\x03\x02\x01\x00" + b"\xef\xcd\xab\x00" + b"\x01\x23\x45\x67\x89\xab\xcd\xef" * 4
) + (SIGNATURE + bytes(28))


def with_bytes(offset_bytes: int, data: bytes) -> bytes:
    return ENCODED[:offset_bytes] + data + ENCODED[offset_bytes + len(data) :]


def test_a_header_is_136_bytes_laid_out_as_robots_read_it() -> None:
    assert HEADER.encode() == ENCODED
    assert len(ENCODED) == HEADER_BYTES == 136


def test_a_header_is_read_back_as_it_was_written() -> None:
    assert ImageHeader.parse(ENCODED) == HEADER


def test_a_truncated_header_is_refused_at_every_length() -> None:
    for length in range(HEADER_BYTES):
        assert code_of(ImageHeader.parse, ENCODED[:length]) == "refused-image-format", length
    assert code_of(ImageHeader.parse, ENCODED + b"\x00") == "refused-image-format"


def test_a_header_with_another_magic_is_refused() -> None:
    assert code_of(ImageHeader.parse, with_bytes(0, b"ROBO")) == "refused-image-format"
    assert code_of(ImageHeader.parse, with_bytes(0, b"\xe9")) == "refused-image-format"


def test_reserved_bytes_that_are_not_zero_are_refused() -> None:
    for offset_bytes in range(108, HEADER_BYTES):
        assert code_of(ImageHeader.parse, with_bytes(offset_bytes, b"\x01")) == "refused-image-format", offset_bytes


def test_a_header_without_firmware_is_refused() -> None:
    assert code_of(ImageHeader.parse, with_bytes(8, bytes(4))) == "refused-image-format"


def test_fields_that_fit_no_header_are_refused_when_they_are_set() -> None:
    for name, value in (
        ("size_bytes", 0),
        ("size_bytes", -1),
        ("size_bytes", 1 << 32),
        ("digest", "ab" * 31),
        ("digest", "AB" * 32),
        ("digest", "zz" * 32),
        ("signature", bytes(63)),
        ("signature", bytes(72)),
    ):
        assert code_of(lambda name=name, value=value: HEADER.replace(**{name: value})) == "refused-image-format", name


def test_a_signed_image_is_recognised_by_its_first_four_bytes() -> None:
    assert has_magic(ENCODED) and has_magic(b"OBOR")
    assert not has_magic(b"ROBO") and not has_magic(b"OBO") and not has_magic(b"")
