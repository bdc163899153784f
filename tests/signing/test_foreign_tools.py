"""What we sign, the vendors' own tools verify; what they sign or make, we take. The tools run for real."""

import subprocess
import sys
from pathlib import Path

import pytest

from support import code_of, reader_of
from surefoot.signing.image import sign_esp_idf, sign_mcuboot
from surefoot.signing.signers import Signer, new_key, open_signer
from surefoot.sim.firmware import arduino_image, real_images
from surefoot.sim.images import app_image
from surefoot.trust.keys import KeyRing
from surefoot.trust.payload import Payload, check_payload
from surefoot.wire.formats import Format, recognise
from surefoot.wire.version import Version

VERSION = Version.parse("1.2.3")
FIRMWARE = b"firmware" * 500
ESP_VERIFY = ("espsecure", "verify-signature", "--version", "2", "--keyfile", "public.pem", "image.bin")
ESP_SIGN = ("espsecure", "sign-data", "--version", "2", "--keyfile")
# The list of keys ends at the next option.
ESP_FILES = ("--output", "image.bin", "build.bin")
MCU_VERIFY = ("imgtool", "verify", "--key", "public.pem", "image.bin")
MCU_SIGN = ("imgtool", "sign", "--version", "1.2.3+7", "--align", "4", "--header-size", "32", "--pad-header")
MCU_SLOT = ("--slot-size", "0x10000")


class Folder:
    """A folder with a key pair in it, where tools of this Python's environment run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        new_key(path / "key.pem")
        self.signer: Signer = open_signer(str(path / "key.pem"))
        self.run("openssl", "ec", "-in", "key.pem", "-pubout", "-out", "public.pem")

    def run(self, tool: str, *arguments: str) -> str:
        """Run a tool, which must succeed."""
        return self.attempt(tool, *arguments, check=True).stdout

    def attempt(self, tool: str, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        own = Path(sys.executable).with_name(tool)
        command = [str(own) if own.exists() else tool, *arguments]
        return subprocess.run(command, cwd=self.path, check=check, capture_output=True, text=True)

    def write(self, name: str, data: bytes) -> None:
        (self.path / name).write_bytes(data)

    def checked(self, name: str = "image.bin") -> Payload:
        return check_payload((self.path / name).read_bytes(), KeyRing(keys=(self.signer.public_key,)))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def recognised(data: bytes) -> Format:
    return recognise(reader_of(data), len(data))


@pytest.mark.parametrize("size_bytes", [4096, 12_000])
def test_espsecure_verifies_what_we_sign(folder: Folder, size_bytes: int) -> None:
    folder.write("image.bin", sign_esp_idf(app_image("1.2.3", size_bytes=size_bytes), VERSION, folder.signer))
    assert "verification successful" in folder.run(*ESP_VERIFY)
    key_id = folder.checked().key_id
    assert key_id == folder.signer.public_key.key_id


def test_espsecure_does_not_verify_it_changed(folder: Folder) -> None:
    image = bytearray(sign_esp_idf(app_image("1.2.3"), VERSION, folder.signer))
    image[5000] ^= 1
    folder.write("image.bin", bytes(image))
    assert folder.attempt(*ESP_VERIFY).returncode != 0
    assert code_of(folder.checked) in ("refused-image-format", "refused-digest")


def test_we_take_what_espsecure_signs(folder: Folder) -> None:
    folder.write("build.bin", app_image("1.2.3"))
    folder.run(*ESP_SIGN, "key.pem", *ESP_FILES)
    assert folder.checked().key_id == folder.signer.public_key.key_id


def test_one_of_several_keys_is_enough(folder: Folder) -> None:
    folder.write("build.bin", app_image("1.2.3"))
    new_key(folder.path / "other.pem")
    folder.run(*ESP_SIGN, "other.pem", "key.pem", *ESP_FILES)
    assert folder.checked().key_id == folder.signer.public_key.key_id
    folder.run(*ESP_SIGN, "other.pem", *ESP_FILES)
    assert code_of(folder.checked) == "refused-signature"


def test_an_rsa_signature_by_espsecure_is_named_and_left_to_the_manifest(folder: Folder) -> None:
    folder.run("openssl", "genrsa", "-out", "rsa.pem", "3072")
    folder.write("build.bin", app_image("1.2.3"))
    folder.run(*ESP_SIGN, "rsa.pem", *ESP_FILES)
    assert folder.checked().key_id is None
    found = recognised((folder.path / "image.bin").read_bytes())
    assert [signature.kind for signature in found.signatures] == ["rsa-3072"]


@pytest.mark.parametrize("header_bytes", [0, 512])
def test_imgtool_verifies_what_we_sign(folder: Folder, header_bytes: int) -> None:
    folder.write("image.bin", sign_mcuboot(bytes(header_bytes) + FIRMWARE, VERSION, folder.signer, header_bytes))
    said = folder.run(*MCU_VERIFY)
    assert "Image was correctly validated" in said and "1.2.3+0" in said


def test_imgtool_does_not_verify_it_changed(folder: Folder) -> None:
    image = bytearray(sign_mcuboot(FIRMWARE, VERSION, folder.signer))
    image[1000] ^= 1
    folder.write("image.bin", bytes(image))
    assert folder.attempt(*MCU_VERIFY).returncode != 0
    assert code_of(folder.checked) == "refused-digest"


@pytest.mark.parametrize(
    "options", [[], ["--security-counter", "9"], ["--pad", "--confirm"], ["--public-key-format", "full"]], ids=str
)
def test_we_take_what_imgtool_signs(folder: Folder, options: list[str]) -> None:
    folder.write("build.bin", FIRMWARE)
    folder.run(*MCU_SIGN, *MCU_SLOT, *options, "--key", "key.pem", "build.bin", "image.bin")
    payload = folder.checked()
    assert (payload.format, payload.version, payload.key_id) == (
        "mcuboot",
        VERSION,
        folder.signer.public_key.key_id,
    )
    (signature,) = recognised((folder.path / "image.bin").read_bytes()).signatures
    assert signature.key_id == folder.signer.public_key.key_id


@pytest.mark.parametrize(("kind", "named"), [("rsa-2048", "rsa-2048"), ("ed25519", "ed25519"), ("ecdsa-p384", None)])
def test_other_keys_of_imgtool_are_left_to_the_manifest(folder: Folder, kind: str, named: str | None) -> None:
    folder.run("imgtool", "keygen", "--key", "strange.pem", "--type", kind)
    folder.write("build.bin", FIRMWARE)
    folder.run(*MCU_SIGN, *MCU_SLOT, "--key", "strange.pem", "build.bin", "image.bin")
    assert folder.checked().key_id is None
    (signature,) = recognised((folder.path / "image.bin").read_bytes()).signatures
    assert signature.kind == named or kind


@pytest.mark.parametrize("layout", ["plain", "verity", "crypt"])
def test_a_bundle_that_rauc_makes_is_recognised(folder: Folder, layout: str) -> None:
    (folder.path / "content").mkdir()
    folder.write("content/root.img", app_image(size_bytes=16_000))
    manifest = (
        f"[update]\ncompatible=robot\nversion=1.2.3\n[bundle]\nformat={layout}\n[image.rootfs]\nfilename=root.img\n"
    )
    folder.write("content/manifest.raucm", manifest.encode())
    subject = ("-subj", "/CN=maker", "-out", "certificate.pem")
    folder.run("openssl", "req", "-x509", "-new", "-key", "key.pem", "-days", "9", *subject)
    folder.run("rauc", "bundle", "--cert=certificate.pem", "--key=key.pem", "content", "image.raucb")
    if layout == "crypt":
        folder.run(
            "rauc", "encrypt", "--keyring=certificate.pem", "--to=certificate.pem", "image.raucb", "secret.raucb"
        )
        (folder.path / "secret.raucb").replace(folder.path / "image.raucb")
    found = recognised((folder.path / "image.raucb").read_bytes())
    assert (found.name, found.facts) == ("rauc", (("bundle format", layout),))
    assert folder.checked("image.raucb").key_id is None


def test_real_builds_are_recognised() -> None:
    for image in real_images():
        found = recognised(image)
        assert (found.name, found.version, found.chip_id) == ("esp-idf", None, 0)
    assert recognised(arduino_image()).project_name == "arduino-lib-builder"
