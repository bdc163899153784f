import binascii
import hashlib

from support import code_of, reader_of
from surefoot.wire import formats
from surefoot.wire.formats import Format, recognise
from wire.image_case import (
    KEY_ID,
    SIGNATURE,
    SWU,
    XY,
    cpio,
    esp_image,
    mcuboot_image,
    rauc_bundle,
    robo_image,
    signed_esp_image,
)

ESP = esp_image()
FILES = {
    formats.ROBO: robo_image(b"firmware"),
    formats.ESP_IDF: ESP,
    formats.MCUBOOT: mcuboot_image(),
    formats.SWUPDATE: SWU,
    formats.RAUC: rauc_bundle(),
}


def recognised(data: bytes) -> Format:
    return recognise(reader_of(data), len(data))


def code(data: bytes) -> str:
    return code_of(recognise, reader_of(data), len(data))


def sha256_of(data: bytes) -> str:
    return binascii.hexlify(hashlib.sha256(data).digest()).decode()


def test_every_format_is_recognised_by_its_bytes() -> None:
    assert sorted(FILES) == sorted(formats.NAMES)
    for name, data in FILES.items():
        assert recognised(data).name == name


def test_the_digest_is_of_the_bytes_that_the_slot_holds() -> None:
    for name, data in FILES.items():
        held = data[136:] if name == formats.ROBO else data
        found = recognised(data)
        assert (found.digest, found.slot_bytes) == (sha256_of(held), len(held)), name


def test_an_esp_image_says_version_project_and_chip() -> None:
    found = recognised(ESP)
    assert (found.version, found.project_name, found.chip_id) == ("1.2.3", "robot", 0)
    assert formats.chip_name(0) == "ESP32" and formats.chip_name(999) == "chip 999"
    assert recognised(esp_image(version=b"")).version is None


def test_the_digest_of_a_signed_esp_image_covers_its_signature() -> None:
    signed = signed_esp_image(ESP)
    found = recognised(signed)
    assert (found.digest, found.slot_bytes) == (sha256_of(signed), len(signed))
    assert [signature.kind for signature in found.signatures] == ["ecdsa-p256"]


def test_a_signed_header_shows_what_it_carries() -> None:
    for firmware, name in ((ESP, formats.ESP_IDF), (mcuboot_image(), formats.MCUBOOT)):
        inside = recognised(robo_image(firmware)).inside
        assert inside is not None and inside == recognised(firmware) and inside.name == name
    assert recognised(robo_image(b"anything")).inside is None


def test_the_signatures_are_handed_out_with_what_they_sign() -> None:
    (robo,) = recognised(robo_image(ESP)).signatures
    assert (robo.digest, robo.signature, robo.key_id) == (hashlib.sha256(ESP).digest(), SIGNATURE, None)
    (mcuboot,) = recognised(mcuboot_image()).signatures
    assert mcuboot.key_id == KEY_ID
    (esp,) = recognised(signed_esp_image(ESP, xy=XY)).signatures
    assert esp.key_id is not None
    for opaque in (SWU, rauc_bundle()):
        (signature,) = recognised(opaque).signatures
        assert (signature.digest, signature.signature) == (None, None)


def test_a_signed_header_around_other_or_fewer_bytes_is_refused() -> None:
    image = robo_image(ESP)
    assert code(image[:-1]) == "refused-image-format"
    assert code(image + b"\0") == "refused-image-format"
    assert code(image[:-1] + bytes((image[-1] ^ 1,))) == "refused-digest"
    assert code(image[:100]) == "refused-image-format"


def test_a_signed_header_around_a_broken_build_is_refused() -> None:
    assert code(robo_image(ESP[:-1])) == "refused-image-format"


def test_what_nobody_knows_is_refused() -> None:
    for data in (b"", b"\xe9", b"hello", bytes(5000), b"\xff" * 5000, cpio([(b"readme", b"hello")])):
        assert code(data) == "refused-image-format"
