import hashlib
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from surefoot.cli.inspection import look_into
from surefoot.sim.images import app_image
from surefoot.wire.errors import Refused
from surefoot.wire.image_header import ImageHeader
from surefoot.wire.version import Version


def signed(firmware: bytes, version: str = "0.2.1") -> bytes:
    header = ImageHeader(
        version=Version.parse(version),
        size_bytes=len(firmware),
        digest=hashlib.sha256(firmware).hexdigest(),
        signature=bytes(64),
    )
    return header.encode() + firmware


@given(st.binary(max_size=400))
def test_whatever_follows_a_header_is_described(firmware: bytes) -> None:
    with suppress(Refused):
        assert look_into(signed(firmware), None)["digest_matches"]


@given(st.binary(max_size=200))
def test_whatever_a_file_holds_it_is_described_or_refused(data: bytes) -> None:
    with suppress(Refused):
        look_into(data, None)


def test_a_build_whose_version_fits_no_header_disagrees() -> None:
    found = look_into(signed(app_image("1.0.999")), None)
    assert found["versions_agree"] is False
    assert "1.0.999" in found["problems"][0]


def test_a_commit_id_in_the_place_of_the_version_claims_nothing() -> None:
    found = look_into(signed(app_image("4f2a91c")), None)
    assert found["versions_agree"] is None and found["problems"] == []
