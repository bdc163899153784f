import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from support import code_of
from surefoot.cli.inspection import look_into
from surefoot.signing.image import sign_esp_idf, sign_image, sign_mcuboot
from surefoot.signing.signers import TufBackedSigner
from surefoot.sim.images import app_image
from surefoot.trust.keys import KeyRing
from surefoot.wire.errors import Refused
from surefoot.wire.image_header import ImageHeader
from surefoot.wire.version import Version
from wire.image_case import SWU, rauc_bundle


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
        assert look_into(signed(firmware))["digest_matches"]


@given(st.binary(max_size=200))
def test_whatever_a_file_holds_it_is_described_or_refused(data: bytes) -> None:
    with suppress(Refused):
        look_into(data)


def test_a_build_whose_version_fits_no_header_disagrees() -> None:
    found = look_into(signed(app_image("1.0.999")))
    assert found["versions_agree"] is False
    assert "1.0.999" in found["problems"][0]


def test_a_commit_id_in_the_place_of_the_version_claims_nothing() -> None:
    found = look_into(signed(app_image("4f2a91c")))
    assert found["versions_agree"] is None and found["problems"] == []


KEY = TufBackedSigner(CryptoSigner.generate_ecdsa())
STRANGER = TufBackedSigner(CryptoSigner.generate_ecdsa())
RING = KeyRing(keys=(KEY.public_key,))
VERSION = Version.parse("0.2.1")


def test_both_layers_of_a_signed_header_are_described() -> None:
    inner = sign_esp_idf(app_image("0.2.1"), VERSION, KEY)
    found = look_into(sign_image(inner, VERSION, KEY), RING)
    inside = found["inside"]
    assert (found["format"], inside["format"]) == ("robo", "esp-idf")
    assert (inside["version"], inside["project"], inside["chip"]) == ("0.2.1", "robot", "ESP32")
    for layer in (found, inside):
        (signature,) = layer["signatures"]
        assert signature == {"kind": "ecdsa-p256", "key_id": KEY.public_key.key_id, "valid": True}
    assert found["versions_agree"] and found["problems"] == []


@pytest.mark.parametrize(
    "image",
    [
        sign_image(b"firmware", VERSION, KEY),
        sign_esp_idf(app_image("0.2.1"), VERSION, KEY),
        sign_mcuboot(b"firmware", VERSION, KEY),
    ],
    ids=["robo", "esp-idf", "mcuboot"],
)
def test_a_signature_is_checked_with_the_keys_one_gives(image: bytes) -> None:
    assert look_into(image)["signature_valid"] is None
    assert look_into(image, RING)["signature_valid"] is True
    strange = look_into(image, KeyRing(keys=(STRANGER.public_key,)))
    assert strange["signature_valid"] is False and len(strange["problems"]) == 1


def test_the_signer_of_an_inner_layer_is_not_the_robots_concern() -> None:
    found = look_into(sign_image(sign_esp_idf(app_image("0.2.1"), VERSION, STRANGER), VERSION, KEY), RING)
    assert found["inside"]["signatures"][0]["valid"] is False
    assert found["problems"] == []


def test_opaque_bundles_are_described_without_a_verdict() -> None:
    swu = look_into(SWU, RING)
    assert swu["details"]["files"] == ("sw-description", "sw-description.sig", "root.ext4")
    assert look_into(rauc_bundle(), RING)["details"] == {"bundle_format": "plain"}
    for found in (swu, look_into(rauc_bundle(), RING)):
        assert found["signatures"][0]["valid"] is None
        assert found["problems"] == []


@pytest.mark.parametrize("image", [app_image("0.2.1"), sign_mcuboot(bytes(99), VERSION, KEY), SWU])
def test_a_damaged_file_of_another_format_is_refused(image: bytes) -> None:
    assert code_of(look_into, image[:100]) == "refused-image-format"
