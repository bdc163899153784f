import hashlib
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, utils
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.signer import CryptoSigner

from support import code_of
from surefoot.signing.signers import Signer, TufBackedSigner, load_public_key, new_key, open_signer
from surefoot.trust import p256
from surefoot.trust.keys import PublicKey
from surefoot.wire.errors import Refused

DIGEST = hashlib.sha256(b"firmware").digest()


def openssl(*arguments: str | Path) -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True).stdout


def assert_signs(signer: Signer, public_key: PublicKey) -> None:
    assert signer.public_key == public_key
    assert p256.verify(public_key.xy, DIGEST, signer.sign(b"firmware"))


def nobody(prompt: str) -> str:
    raise AssertionError(f"nobody should be asked: {prompt}")


def test_a_new_key_signs_what_its_public_file_verifies(tmp_path: Path) -> None:
    public_key = new_key(tmp_path / "key.pem")
    assert load_public_key(tmp_path / "key.pem.pub.der") == public_key
    assert_signs(open_signer(f"file:{tmp_path}/key.pem", nobody), public_key)
    assert_signs(open_signer(str(tmp_path / "key.pem")), public_key)


def test_a_new_private_key_is_its_owners_alone(tmp_path: Path) -> None:
    new_key(tmp_path / "key.pem")
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert (tmp_path / "key.pem").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize("existing", ["key.pem", "key.pem.pub.der"])
def test_a_key_is_never_overwritten(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_bytes(b"precious")
    assert code_of(new_key, tmp_path / "key.pem") == "refused-file-exists"
    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_bytes() == b"precious"


def test_a_key_is_not_written_through_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "key.pem").symlink_to(tmp_path / "elsewhere")
    assert code_of(new_key, tmp_path / "key.pem") == "refused-file-exists"
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_in_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert code_of(new_key, tmp_path / "nowhere" / "key.pem") == "refused-file-unwritable"


def test_an_encrypted_key_opens_with_the_passphrase_it_asks_for(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    public_key = new_key(path, "correct horse")
    assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return "correct horse"

    assert_signs(open_signer(f"file:{path}", ask), public_key)
    assert prompts == [f"Passphrase for {path}: "]


def test_an_encrypted_key_stays_shut_without_its_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    new_key(path, "correct horse")
    assert code_of(open_signer, str(path)) == "refused-passphrase"
    assert code_of(open_signer, str(path), lambda _: "battery staple") == "refused-passphrase"
    assert code_of(open_signer, str(path), lambda _: "") == "refused-passphrase"


def test_an_empty_passphrase_is_refused_rather_than_ignored(tmp_path: Path) -> None:
    assert code_of(new_key, tmp_path / "key.pem", "") == "refused-passphrase"
    assert not list(tmp_path.iterdir())


def test_an_unknown_scheme_is_refused_and_the_known_ones_are_named() -> None:
    known = "file:, hsm:, awskms:, gcpkms:, azurekms:, vault:"
    with pytest.raises(Refused, match=f"no signer for ftp: URIs: use one of {known}") as refused:
        open_signer("ftp:key")
    assert refused.value.code == "refused-signer-scheme"


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    assert code_of(open_signer, str(tmp_path / "missing.pem")) == "refused-file-unreadable"
    assert code_of(open_signer, str(tmp_path)) == "refused-file-unreadable"
    assert code_of(load_public_key, tmp_path / "missing.der") == "refused-file-unreadable"


@pytest.mark.parametrize("content", [b"", b"junk", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    assert code_of(open_signer, str(tmp_path / "key.pem")) == "refused-key-format"
    assert code_of(load_public_key, tmp_path / "key.pem") == "refused-key-format"


def test_a_key_of_another_algorithm_is_refused(tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (tmp_path / "pub.pem").write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    assert code_of(open_signer, str(tmp_path / "key.pem")) == "refused-key-format"
    assert code_of(load_public_key, tmp_path / "pub.pem") == "refused-key-format"


def test_metadata_is_signed_with_the_same_key(tmp_path: Path) -> None:
    new_key(tmp_path / "key.pem")
    signer = open_signer(str(tmp_path / "key.pem"))
    signature = signer.tuf_signer.sign(b"metadata")
    signer.tuf_signer.public_key.verify_signature(signature, b"metadata")
    assert (
        load_pem_public_key(signer.tuf_signer.public_key.keyval["public"].encode()).public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        == signer.public_key.der
    )


def test_a_signer_of_another_algorithm_is_refused() -> None:
    assert code_of(TufBackedSigner, CryptoSigner.generate_ed25519()) == "refused-key-format"


@pytest.mark.parametrize("options", [["-noout"], []], ids=["key alone", "with its EC PARAMETERS block"])
def test_keys_made_by_openssl_are_taken(tmp_path: Path, options: list[str]) -> None:
    key, public = tmp_path / "key.pem", tmp_path / "pub.der"
    openssl("ecparam", "-name", "prime256v1", "-genkey", *options, "-out", key)
    openssl("ec", "-in", key, "-pubout", "-outform", "DER", "-out", public)
    openssl("ec", "-in", key, "-pubout", "-out", tmp_path / "pub.pem")
    assert_signs(open_signer(f"file:{key}"), load_public_key(public))
    assert load_public_key(tmp_path / "pub.pem") == load_public_key(public)
    assert load_public_key(public).der == public.read_bytes()
    assert load_public_key(public).key_id == openssl("dgst", "-sha256", "-r", public).split()[0].decode()


def test_a_key_encrypted_by_openssl_is_taken(tmp_path: Path) -> None:
    plain, encrypted = tmp_path / "plain.pem", tmp_path / "encrypted.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", plain)
    openssl("ec", "-in", plain, "-aes256", "-passout", "pass:secret", "-out", encrypted)
    assert_signs(open_signer(str(encrypted), lambda _: "secret"), open_signer(str(plain)).public_key)


def test_a_key_on_another_curve_is_refused(tmp_path: Path) -> None:
    key, public = tmp_path / "key.pem", tmp_path / "pub.der"
    openssl("ecparam", "-name", "secp256k1", "-genkey", "-noout", "-out", key)
    openssl("ec", "-in", key, "-pubout", "-outform", "DER", "-out", public)
    assert code_of(open_signer, str(key)) == "refused-key-format"
    assert code_of(load_public_key, public) == "refused-key-format"


def test_openssl_verifies_our_signature_and_reads_our_key_files(tmp_path: Path) -> None:
    public_key = new_key(tmp_path / "key.pem")
    signature = open_signer(str(tmp_path / "key.pem")).sign(b"firmware")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    (tmp_path / "firmware").write_bytes(b"firmware")
    (tmp_path / "digest").write_bytes(DIGEST)
    (tmp_path / "signature").write_bytes(utils.encode_dss_signature(r, s))
    public = tmp_path / "key.pem.pub.der"
    assert openssl("ec", "-in", tmp_path / "key.pem", "-pubout", "-outform", "DER") == public_key.der
    verified = openssl(
        *("pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", public),
        *("-sigfile", tmp_path / "signature", "-in", tmp_path / "digest"),
    )
    assert b"Signature Verified Successfully" in verified
    verified = openssl(
        *("dgst", "-sha256", "-keyform", "DER", "-verify", public),
        *("-signature", tmp_path / "signature", tmp_path / "firmware"),
    )
    assert b"Verified OK" in verified
