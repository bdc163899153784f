import hashlib
import json
import stat
import struct
from pathlib import Path

import pytest

from support import code_of
from surefoot.signing.image import SigningPlan, sign_esp_idf, sign_file, sign_image, sign_mcuboot
from surefoot.signing.signers import Signer, new_key, open_signer
from surefoot.trust.image import check_signed_image
from surefoot.trust.keys import KeyRing, PublicKey
from surefoot.trust.payload import Payload, check_payload
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.version import Version

VECTORS = Path(__file__).parent.parent / "vectors"
VERSION = Version.parse("1.2.3")
FIRMWARE = b"firmware of some other make" * 100


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    new_key(tmp_path / "key.pem")
    return open_signer(str(tmp_path / "key.pem"))


def esp_image(version: str) -> bytes:
    """Make the smallest ESP-IDF application image whose descriptor holds this version."""
    texts = (version, "robot", "12:00:00", "Jan  1 2026", "v5.4.1")
    descriptor = struct.pack(
        "<IIQ32s32s16s16s32s32s80s", 0xABCD5432, 0, 0, *(text.encode() for text in texts), bytes(32), bytes(80)
    )
    header = bytes([0xE9, 1, 2, 0x20]) + struct.pack("<I", 0x40080000) + bytes(15) + b"\x01"
    image = header + struct.pack("<II", 0x3F400020, len(descriptor)) + descriptor
    checksum = 0xEF
    for byte in descriptor:
        checksum ^= byte
    image += bytes(15 - len(image) % 16) + bytes([checksum])
    return image + hashlib.sha256(image).digest()


def test_a_signed_image_is_a_header_and_the_firmware_unchanged(signer: Signer) -> None:
    image = sign_image(FIRMWARE, VERSION, signer)
    header = ImageHeader.parse(image[:HEADER_BYTES])
    digest = hashlib.sha256(FIRMWARE).hexdigest()
    assert image[HEADER_BYTES:] == FIRMWARE
    assert (header.version, header.size_bytes, header.digest) == (VERSION, len(FIRMWARE), digest)
    assert check_signed_image(header, digest, KeyRing(keys=(signer.public_key,))) == signer.public_key.key_id


def test_nothing_is_not_signed(signer: Signer) -> None:
    assert code_of(sign_image, b"", VERSION, signer) == "refused-image-format"


def test_an_image_is_not_signed_twice(signer: Signer) -> None:
    image = sign_image(FIRMWARE, VERSION, signer)
    assert code_of(sign_image, image, VERSION, signer) == "refused-image-format"


@pytest.mark.parametrize("inside", ["1.2.4", "v1.2.4", "0.0.0", "1.20.3"])
def test_a_build_that_names_another_version_is_not_signed(signer: Signer, inside: str) -> None:
    assert code_of(sign_image, esp_image(inside), VERSION, signer) == "refused-version-mismatch"


def test_a_build_that_names_a_version_no_header_can_hold_is_not_signed(signer: Signer) -> None:
    assert code_of(sign_image, esp_image("1.2.300"), VERSION, signer) == "refused-version-format"


@pytest.mark.parametrize("inside", ["1.2.3", "v1.2.3", "", "8f3c2d1-dirty", "v1.2.4-3-g8f3c2d1"])
def test_a_build_that_names_the_same_version_or_none_is_signed(signer: Signer, inside: str) -> None:
    build = esp_image(inside)
    assert sign_image(build, VERSION, signer)[HEADER_BYTES:] == build


def test_a_build_that_is_cut_off_is_not_signed(signer: Signer) -> None:
    assert code_of(sign_image, esp_image("1.2.3")[:-1], VERSION, signer) == "refused-image-format"


def test_other_firmware_may_begin_with_the_same_byte_as_an_esp_image(signer: Signer) -> None:
    for build in (b"\xe9", b"\xe9" + FIRMWARE):
        assert sign_image(build, VERSION, signer)[HEADER_BYTES:] == build


class MismatchedSigner:
    """A key store that signs with one key and shows another."""

    def __init__(self, signer: Signer, shown: PublicKey) -> None:
        self._signer = signer
        self.public_key = shown
        self.tuf_signer = signer.tuf_signer

    def sign(self, data: bytes) -> bytes:
        return self._signer.sign(data)


def test_a_signature_that_the_shown_key_does_not_verify_never_leaves(signer: Signer, tmp_path: Path) -> None:
    other = new_key(tmp_path / "other.pem")
    assert code_of(sign_image, FIRMWARE, VERSION, MismatchedSigner(signer, other)) == "refused-signature"


def checked(image: bytes, signer: Signer) -> Payload:
    return check_payload(image, KeyRing(keys=(signer.public_key,)))


def test_an_esp_image_gets_a_signature_sector_and_stays_as_it_is(signer: Signer) -> None:
    build = esp_image("1.2.3")
    image = sign_esp_idf(build, VERSION, signer)
    assert image.startswith(build) and len(image) == 2 * 4096
    assert checked(image, signer).key_id == signer.public_key.key_id
    # Padding that the build brought along would hide the sector from the bootloader.
    assert len(sign_esp_idf(build + b"\xff" * 9000, VERSION, signer)) == len(image)


def test_firmware_gets_an_mcuboot_header_in_front_or_where_the_build_left_room(signer: Signer) -> None:
    image = sign_mcuboot(FIRMWARE, VERSION, signer)
    assert image[32 : 32 + len(FIRMWARE)] == FIRMWARE
    roomy = sign_mcuboot(bytes(512) + FIRMWARE, VERSION, signer, 512)
    assert roomy[512 : 512 + len(FIRMWARE)] == FIRMWARE
    for signed in (image, roomy):
        payload = checked(signed, signer)
        assert (payload.format, payload.version, payload.key_id) == ("mcuboot", VERSION, signer.public_key.key_id)


@pytest.mark.parametrize("header_bytes", [31, 70_000, 64, len(FIRMWARE) + 600])
def test_room_for_a_header_that_is_not_there_is_refused(signer: Signer, header_bytes: int) -> None:
    assert code_of(sign_mcuboot, FIRMWARE, VERSION, signer, header_bytes) == "refused-image-format"


def test_what_is_signed_already_is_not_signed_the_same_way_again(signer: Signer) -> None:
    esp = sign_esp_idf(esp_image("1.2.3"), VERSION, signer)
    assert code_of(sign_esp_idf, esp, VERSION, signer) == "refused-image-format"
    assert code_of(sign_mcuboot, sign_mcuboot(FIRMWARE, VERSION, signer), VERSION, signer) == "refused-image-format"
    robo = sign_image(FIRMWARE, VERSION, signer)
    assert code_of(sign_esp_idf, robo, VERSION, signer) == "refused-image-format"
    assert code_of(sign_mcuboot, robo, VERSION, signer) == "refused-image-format"


def test_a_chip_that_verifies_itself_gets_its_signed_image_behind_our_header(signer: Signer) -> None:
    image = sign_image(sign_esp_idf(esp_image("1.2.3"), VERSION, signer), VERSION, signer)
    assert checked(image, signer).format == "robo"


def test_other_formats_are_held_to_the_version_too(signer: Signer) -> None:
    assert code_of(sign_esp_idf, esp_image("1.2.4"), VERSION, signer) == "refused-version-mismatch"
    assert code_of(sign_mcuboot, FIRMWARE, Version.parse("256.0.0"), signer) == "refused-version-format"
    assert code_of(sign_esp_idf, FIRMWARE, VERSION, signer) == "refused-image-format"


@pytest.mark.parametrize("name", ["robo", "esp-idf", "mcuboot"])
def test_a_key_that_does_not_verify_leaves_no_file(signer: Signer, tmp_path: Path, name: str) -> None:
    torn = MismatchedSigner(signer, new_key(tmp_path / "other.pem"))
    source, target = tmp_path / "firmware.bin", tmp_path / "signed.bin"
    source.write_bytes(esp_image("1.2.3"))
    assert code_of(sign_file, source, target, VERSION, torn, SigningPlan(format=name)) == "refused-signature"
    assert not target.exists()


def test_a_file_is_signed_into_another(signer: Signer, tmp_path: Path) -> None:
    source, target = tmp_path / "firmware.bin", tmp_path / "signed.bin"
    source.write_bytes(FIRMWARE)
    target.write_bytes(b"what an earlier run left")
    payload = sign_file(source, target, VERSION, signer)
    assert target.read_bytes()[HEADER_BYTES:] == FIRMWARE
    assert (payload.version, payload.digest) == (VERSION, hashlib.sha256(FIRMWARE).hexdigest())
    assert payload.key_id == signer.public_key.key_id
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


def test_what_is_refused_leaves_the_target_as_it_was(signer: Signer, tmp_path: Path) -> None:
    source, target = tmp_path / "firmware.bin", tmp_path / "signed.bin"
    source.write_bytes(b"")
    target.write_bytes(b"what an earlier run left")
    before = sorted(tmp_path.iterdir())
    assert code_of(sign_file, source, target, VERSION, signer) == "refused-image-format"
    assert target.read_bytes() == b"what an earlier run left"
    assert sorted(tmp_path.iterdir()) == before


def test_files_that_cannot_be_read_or_written_are_refused(signer: Signer, tmp_path: Path) -> None:
    source = tmp_path / "firmware.bin"
    assert code_of(sign_file, source, tmp_path / "out", VERSION, signer) == "refused-file-unreadable"
    source.write_bytes(FIRMWARE)
    assert code_of(sign_file, source, tmp_path / "nowhere" / "out", VERSION, signer) == "refused-file-unwritable"
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.iterdir())
    assert code_of(sign_file, source, tmp_path / "folder", VERSION, signer) == "refused-file-unwritable"
    assert sorted(tmp_path.iterdir()) == before


def test_the_image_signed_once_and_kept_is_read_the_same_for_ever() -> None:
    vector = json.loads((VECTORS / "robo-image.json").read_text())
    image = bytes.fromhex(vector["image"])
    header = ImageHeader.parse(image[:HEADER_BYTES])
    key = PublicKey.from_der(bytes.fromhex(vector["public_key_der"]))
    assert str(header.version) == vector["version"]
    assert header.version.packed == vector["version_packed"]
    assert header.size_bytes == vector["size_bytes"] == len(image) - HEADER_BYTES
    assert header.digest == vector["digest"] == hashlib.sha256(image[HEADER_BYTES:]).hexdigest()
    assert header.signature.hex() == vector["signature"]
    assert header.encode() == image[:HEADER_BYTES]
    assert check_signed_image(header, header.digest, KeyRing(keys=(key,))) == vector["key_id"] == key.key_id
