import hashlib
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from surefoot.signing.signers import new_key
from surefoot.trust.image import check_signed_image
from surefoot.trust.keys import KeyRing, PublicKey
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "sign_firmware.py"
FIRMWARE = b"firmware"


@pytest.fixture
def key(tmp_path: Path) -> PublicKey:
    (tmp_path / "firmware.bin").write_bytes(FIRMWARE)
    return new_key(tmp_path / "key.pem")


def run(folder: Path, **options: str) -> "subprocess.CompletedProcess[str]":
    given = {"input": "firmware.bin", "key": "key.pem", "output": "signed.bin", "version": "1.2.3", **options}
    arguments = [part for name, value in given.items() for part in (f"--{name}", value)]
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def test_a_build_server_signs_with_the_documented_command(tmp_path: Path, key: PublicKey) -> None:
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    image = (tmp_path / "signed.bin").read_bytes()
    header = ImageHeader.parse(image[:HEADER_BYTES])
    assert image[HEADER_BYTES:] == FIRMWARE
    assert check_signed_image(header, hashlib.sha256(FIRMWARE).hexdigest(), KeyRing(keys=(key,))) == key.key_id
    assert done.stdout.splitlines() == [
        f"Signed signed.bin: version 1.2.3, 8 bytes of firmware, digest {header.digest}, key {key.short_id}"
    ]


def test_the_key_may_be_a_signer_uri(tmp_path: Path, key: PublicKey) -> None:
    assert run(tmp_path, key="file:key.pem").returncode == 0
    assert (tmp_path / "signed.bin").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"version": "1.2"}, "refused-version-format"),
        ({"version": "1.2.3-rc1"}, "refused-version-format"),
        ({"version": "1.2.256"}, "refused-version-format"),
        ({"input": "missing.bin"}, "refused-file-unreadable"),
        ({"key": "missing.pem"}, "refused-file-unreadable"),
        ({"key": "ftp:1"}, "refused-signer-scheme"),
        ({"output": "nowhere/signed.bin"}, "refused-file-unwritable"),
    ],
)
def test_a_refusal_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, key: PublicKey, options: dict[str, str], code: str
) -> None:
    done = run(tmp_path, **options)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{code}: ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "signed.bin").exists()


def test_an_encrypted_key_is_refused_where_there_is_nobody_to_ask(tmp_path: Path, key: PublicKey) -> None:
    new_key(tmp_path / "encrypted.pem", "secret")
    done = run(tmp_path, key="encrypted.pem")
    assert done.returncode == 1
    assert done.stderr.startswith("refused-passphrase: ")


def test_an_encrypted_key_opens_with_a_secret_from_a_file(
    tmp_path: Path, key: PublicKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_key(tmp_path / "encrypted.pem", "secret")
    (tmp_path / "secret.txt").write_text("secret\n")
    monkeypatch.setenv("SUREFOOT_SIGNER_SECRET_FILE", str(tmp_path / "secret.txt"))
    done = run(tmp_path, key="encrypted.pem")
    assert (done.returncode, done.stderr) == (0, "")
    assert "secret" not in done.stdout


def openssl(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True).stdout


def test_the_documented_openssl_commands_and_the_script_fit_together(tmp_path: Path) -> None:
    (tmp_path / "firmware.bin").write_bytes(FIRMWARE)
    openssl(tmp_path, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "release.pem")
    openssl(tmp_path, "ec", "-in", "release.pem", "-pubout", "-outform", "DER", "-out", "release.pub.der")
    assert run(tmp_path, key="release.pem").returncode == 0

    # Byte for byte what robots in the field verify.
    image = (tmp_path / "signed.bin").read_bytes()
    magic, version, size_bytes, sha256, signature, reserved = struct.unpack("<4sII32s64s28s", image[:136])
    assert (magic, version, size_bytes) == (b"OBOR", 0x00010203, len(FIRMWARE))
    assert (sha256, reserved, image[136:]) == (hashlib.sha256(FIRMWARE).digest(), bytes(28), FIRMWARE)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    (tmp_path / "signature.der").write_bytes(encode_dss_signature(r, s))
    (tmp_path / "digest").write_bytes(sha256)
    public = ("-keyform", "DER", "-signature", "signature.der")
    assert b"Verified OK" in openssl(tmp_path, "dgst", "-sha256", "-verify", "release.pub.der", *public, "firmware.bin")
    prehashed = ("-verify", "-pubin", "-keyform", "DER", "-inkey", "release.pub.der", "-sigfile", "signature.der")
    assert b"Verified Successfully" in openssl(tmp_path, "pkeyutl", *prehashed, "-in", "digest")


def test_arguments_that_are_missing_are_a_matter_of_usage() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--input" in done.stderr
