import hashlib

from support import code_of
from surefoot.trust.keys import KeyRing
from surefoot.trust.payload import check_payload
from surefoot.wire.version import Version
from trust.test_image import KEY, OTHER
from trust.test_image import SIGNATURE as SAMPLE_SIGNATURE
from wire.image_case import SWU, esp_image, mcuboot_image, rauc_bundle, robo_image, signed_esp_image

RING = KeyRing(keys=(OTHER, KEY))
GOOD = KEY.xy
VERSION = Version(major=1, minor=2, patch=3)


def signed_by(xy: bytes, _digest: bytes, signature: bytes) -> bool:
    """Stand in for ECDSA: a key's signature is the key itself, so that tests can sign without a private key."""
    return signature == xy


def code(data: bytes, ring: KeyRing = RING) -> str:
    return code_of(check_payload, data, ring, signed_by)


def test_a_signed_header_must_be_signed_by_a_trusted_key() -> None:
    payload = check_payload(robo_image(esp_image(), signature=GOOD), RING, signed_by)
    assert (payload.format, payload.version, payload.key_id) == ("robo", VERSION, KEY.key_id)
    assert payload.size_bytes == len(esp_image())
    assert code(robo_image(esp_image(), signature=bytes(64))) == "refused-signature"
    assert code(robo_image(esp_image(), signature=GOOD), KeyRing(keys=())) == "refused-signature"


def test_a_real_signature_is_verified() -> None:
    image = robo_image(b"sample", signature=SAMPLE_SIGNATURE)
    assert check_payload(image, RING).key_id == KEY.key_id
    assert code_of(check_payload, image, KeyRing(keys=(OTHER,))) == "refused-signature"


def test_a_signed_build_must_be_signed_by_a_trusted_key() -> None:
    esp = signed_esp_image(esp_image(), signature=GOOD)
    assert check_payload(esp, RING, signed_by).key_id == KEY.key_id
    assert check_payload(mcuboot_image(signature=GOOD), RING, signed_by).key_id == KEY.key_id
    assert code(signed_esp_image(esp_image(), signature=bytes(64))) == "refused-signature"
    assert code(mcuboot_image(signature=bytes(64))) == "refused-signature"


def test_that_an_image_names_a_trusted_key_is_not_enough() -> None:
    assert code(signed_esp_image(esp_image(), signature=bytes(64), xy=KEY.xy)) == "refused-signature"
    assert code(mcuboot_image(signature=bytes(64), key_id=KEY.key_id)) == "refused-signature"


def test_what_is_not_signed_in_a_way_we_can_check_has_no_key() -> None:
    for data, name in ((esp_image(), "esp-idf"), (SWU, "swupdate"), (rauc_bundle(), "rauc")):
        payload = check_payload(data, RING, signed_by)
        assert (payload.format, payload.key_id, payload.size_bytes) == (name, None, len(data))
        assert bytes.fromhex(payload.digest) == hashlib.sha256(data).digest()


def test_a_header_whose_version_was_edited_is_refused() -> None:
    image = robo_image(esp_image(), signature=GOOD, version="1.9.0")
    assert code(image) == "refused-version-mismatch"


def test_a_build_that_claims_no_version_has_none() -> None:
    assert check_payload(esp_image(version=b"4f2a91c"), RING).version is None
    assert check_payload(robo_image(esp_image(version=b""), signature=GOOD), RING, signed_by).version == VERSION
    assert check_payload(SWU, RING).version is None


def test_a_version_that_no_robot_could_hold_is_refused() -> None:
    assert code(esp_image(version=b"1.2.256")) == "refused-version-format"


def test_what_is_damaged_or_unknown_is_refused() -> None:
    image = robo_image(esp_image(), signature=GOOD)
    assert code(image[:-1] + bytes((image[-1] ^ 1,))) == "refused-digest"
    assert code(b"firmware") == "refused-image-format"
