from support import code_of
from surefoot.wire.errors import Refused
from surefoot.wire.version import Version

TOO_LARGE = ("65536.0.0", "1.256.0", "1.0.256", "1.0.123456", "9" * 5000 + ".0.0")
NOT_A_VERSION = (
    "",
    "1",
    "1.2",
    "1.2.3.4",
    "1..3",
    "v1.2.3",
    "1.2.3-rc1",
    "1.2.3+build",
    "01.2.3",
    "1.02.3",
    "1.2.00",
    "+1.2.3",
    "-1.2.3",
    " 1.2.3",
    "1.2.3\n",
    "1_0.2.3",
    "1.2.\u0663",
    "1.2.\u00b2",
)


def version(text: str) -> Version:
    return Version.parse(text)


def test_a_version_is_read_and_written_as_major_minor_patch() -> None:
    assert version("1.20.3") == Version(major=1, minor=20, patch=3)
    assert str(version("1.20.3")) == "1.20.3"
    assert str(version("0.0.0")) == "0.0.0"
    assert str(version("65535.255.255")) == "65535.255.255"


def test_what_is_not_a_version_is_refused() -> None:
    for text in NOT_A_VERSION:
        assert code_of(Version.parse, text) == "refused-version-format", text


def test_a_version_that_does_not_fit_is_an_error_that_says_so() -> None:
    for text in TOO_LARGE:
        try:
            Version.parse(text)
        except Refused as refused:
            assert refused.code == "refused-version-format"
            assert "does not fit the image header: use at most 65535.255.255" in refused.message
        else:
            raise AssertionError(text)
    assert code_of(lambda: Version(major=1, minor=-1, patch=0)) == "refused-version-format"


def test_major_minor_and_patch_are_packed_into_32_bits() -> None:
    assert version("1.2.3").packed == 0x00010203
    assert version("65535.255.255").packed == 0xFFFFFFFF
    assert Version.from_packed(0x00010203) == version("1.2.3")
    assert Version.from_packed(0xFFFFFFFF) == version("65535.255.255")


def test_a_number_of_more_than_32_bits_is_not_a_packed_version() -> None:
    assert code_of(Version.from_packed, 1 << 32) == "refused-version-format"
    assert code_of(Version.from_packed, -1) == "refused-version-format"


def test_versions_are_ordered_by_number_and_not_by_text() -> None:
    rising = [version(text) for text in ("0.0.9", "0.0.10", "0.9.0", "0.10.0", "1.0.0", "2.0.0", "10.0.0")]
    for lower, higher in zip(rising, rising[1:]):
        assert lower < higher and lower <= higher and higher > lower and higher >= lower
        assert not higher < lower and not higher <= lower and not lower > higher and not lower >= higher
        assert lower != higher
    assert version("1.2.3") <= version("1.2.3") and version("1.2.3") >= version("1.2.3")
    assert not version("1.2.3") < version("1.2.3") and not version("1.2.3") > version("1.2.3")


def test_a_build_may_write_its_version_with_a_leading_v() -> None:
    assert Version.parse_descriptor("1.2.3") == version("1.2.3")
    assert Version.parse_descriptor("v1.2.3") == version("1.2.3")


def test_a_build_that_names_no_version_claims_none() -> None:
    for text in ("", "v", "8f3c2d1", "v1.2.3-4-g8f3c2d1", "1.2.3-dirty", "vv1.2.3", "V1.2.3", "1.2"):
        assert Version.parse_descriptor(text) is None, text


def test_a_build_that_names_a_version_no_header_can_hold_is_refused() -> None:
    assert code_of(Version.parse_descriptor, "v1.0.256") == "refused-version-format"
