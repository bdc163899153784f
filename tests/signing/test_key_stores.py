"""Keys that lie elsewhere: a real SoftHSM2 token, moto's key management, a Vault in this process."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import boto3  # type: ignore[import-untyped]
import pkcs11
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from moto.kms.utils import ECDSAPrivateKey
from moto.server import ThreadedMotoServer
from pkcs11.util.ec import encode_named_curve_parameters

from support import code_of
from surefoot.signing.image import sign_image
from surefoot.signing.key_stores import KEY_STORES, RefusingSigner
from surefoot.signing.signers import Signer, open_signer
from surefoot.trust.keys import KeyRing
from surefoot.trust.payload import check_payload
from surefoot.wire.errors import Refused
from surefoot.wire.version import Version

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
PIN = "648219"
VERSION = Version.parse("1.2.3")


class Person:
    """Answers every question, and remembers what was asked."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def __call__(self, prompt: str) -> str:
        self.asked.append(prompt)
        return self.answer


def assert_signs_images(signer: Signer) -> None:
    image = sign_image(b"firmware", VERSION, signer)
    assert check_payload(image, KeyRing(keys=(signer.public_key,))).key_id == signer.public_key.key_id
    signature = signer.tuf_signer.sign(b"metadata")
    signer.tuf_signer.public_key.verify_signature(signature, b"metadata")


# The module reads its configuration once in a process, so all tests share one token.
@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\n")
    module = next(path for path in MODULES if Path(path).exists())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
        patch.setenv("PYKCS11LIB", module)
        pins = ("--so-pin", "11223344", "--pin", PIN)
        command = ["softhsm2-util", "--init-token", "--free", "--label", "release", *pins]
        subprocess.run(command, check=True, capture_output=True)
        make_key(module, 7, "secp256r1")
        make_key(module, 8, "secp384r1")
        yield


def make_key(module: str, number: int, curve: str) -> None:
    with pkcs11.lib(module).get_token(token_label="release").open(user_pin=PIN, rw=True) as session:
        curve_attribute = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}
        parameters = session.create_domain_parameters(pkcs11.KeyType.EC, curve_attribute, local=True)
        parameters.generate_keypair(store=True, id=bytes((number,)), label=f"key {number}")


@pytest.mark.usefixtures("token")
def test_a_token_signs_and_its_pin_is_asked_for_once() -> None:
    person = Person(PIN)
    signer = open_signer("hsm:7?label=release", person)
    assert_signs_images(signer)
    assert_signs_images(signer)
    assert person.asked == ["PIN of the token release: "]
    assert open_signer("hsm:7", Person(PIN)).public_key == signer.public_key


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("hsm:9?label=release", "refused-signer"),
        ("hsm:7?label=another", "refused-signer"),
        ("hsm:seven", "refused-signer"),
        ("hsm:8?label=release", "refused-key-format"),
    ],
)
def test_a_key_that_is_not_there_or_on_another_curve_is_refused(uri: str, code: str) -> None:
    assert code_of(open_signer, uri, Person(PIN)) == code


@pytest.mark.usefixtures("token")
def test_a_wrong_pin_is_refused_and_never_repeated() -> None:
    with pytest.raises(Refused) as refused:
        open_signer("hsm:7?label=release", Person("999999")).sign(b"firmware")
    assert refused.value.code == "refused-passphrase"
    assert "999999" not in refused.value.message


@pytest.mark.usefixtures("token")
def test_without_a_person_the_pin_comes_from_a_file_or_nothing_is_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "firmware.bin").write_bytes(b"firmware")
    (tmp_path / "pin").write_text(f"{PIN}\n")
    words = ["image", "sign", "--input", "firmware.bin", "--output", "robot.img", "--version", "1.2.3"]
    command = [str(Path(sys.executable).with_name("surefoot")), *words, "--key", "hsm:7?label=release"]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    refused = run()
    assert refused.returncode == 1 and "[refused-passphrase]" in refused.stderr
    assert not (tmp_path / "robot.img").exists()
    monkeypatch.setenv("SUREFOOT_SIGNER_SECRET_FILE", str(tmp_path / "pin"))
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert PIN not in done.stdout
    public_key = open_signer("hsm:7", Person(PIN)).public_key
    signed = check_payload((tmp_path / "robot.img").read_bytes(), KeyRing(keys=(public_key,)))
    assert signed.key_id == public_key.key_id


def test_a_token_needs_its_module_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYKCS11LIB", raising=False)
    assert code_of(open_signer, "hsm:7", None) == "refused-signer"
    monkeypatch.setenv("PYKCS11LIB", "/nowhere/module.so")
    assert code_of(open_signer, "hsm:7", None) == "refused-signer"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadedMotoServer]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    yield server
    server.stop()


def aws_key(spec: str = "ECC_NIST_P256") -> str:
    key = boto3.client("kms").create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
    return str(key["KeyMetadata"]["KeyId"])


@pytest.mark.usefixtures("aws")
def test_a_key_in_aws_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    # moto takes the digest it is sent for the message and hashes it once more; AWS does as MessageType says.
    def sign_as_aws(self: ECDSAPrivateKey, message: bytes, signing_algorithm: str) -> bytes:
        assert (len(message), signing_algorithm) == (32, "ECDSA_SHA_256")
        return self.private_key.sign(message, ec.ECDSA(utils.Prehashed(hashes.SHA256())))

    monkeypatch.setattr(ECDSAPrivateKey, "sign", sign_as_aws)
    assert_signs_images(open_signer(f"awskms:{aws_key()}"))


@pytest.mark.usefixtures("aws")
def test_a_key_management_that_signs_something_else_is_noticed() -> None:
    assert code_of(open_signer(f"awskms:{aws_key()}").sign, b"firmware") == "refused-signature"


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P384"])
def test_a_key_in_aws_of_another_kind_is_refused(spec: str) -> None:
    assert code_of(open_signer, f"awskms:{aws_key(spec)}") == "refused-key-format"


def test_a_key_management_that_refuses_or_is_not_there_is_a_refusal(
    aws: ThreadedMotoServer,
) -> None:
    with pytest.raises(Refused, match="NotFoundException") as refused:
        open_signer("awskms:nothing")
    assert refused.value.code == "refused-signer"
    signer = open_signer(f"awskms:{aws_key()}")
    aws.stop()
    assert code_of(signer.sign, b"firmware") == "refused-signer"


def test_what_a_library_logs_of_a_key_management_is_not_printed_beside_the_refusal() -> None:
    script = "import surefoot.signing.key_stores, logging; logging.getLogger('securesystemslib.signer').error('secret')"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert ended.stderr == b""


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "fake_vault"))
    yield
    for name in ("hvac", "hvac.exceptions"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("vault")
def test_the_newest_key_in_a_vault_signs() -> None:
    signer = open_signer("vault:release")
    assert_signs_images(signer)
    newest = ec.derive_private_key(10, ec.SECP256R1()).public_key().public_numbers()
    assert signer.public_key.xy[:32] == newest.x.to_bytes(32, "big")
    assert code_of(open_signer, "vault:edwards") == "refused-signer"
    with pytest.raises(Refused) as refused:
        open_signer("vault:missing")
    assert "InvalidPath" in refused.value.message and "s.secret" not in refused.value.message


@pytest.mark.parametrize(
    ("uri", "extra"),
    [
        ("gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1", "gcpkms"),
        ("azurekms://robots.vault.azure.net/keys/release", "azurekms"),
        ("vault:release", "vault"),
    ],
)
def test_a_package_that_is_missing_is_named_with_the_extra_that_brings_it(uri: str, extra: str) -> None:
    assert not any(find_spec(name) for name in ("hvac", "azure"))
    with pytest.raises(Refused, match=rf"pip install 'surefoot\[{extra}\]'") as refused:
        open_signer(uri)
    assert refused.value.code == "refused-signer-package"


def test_every_extra_is_named_in_the_project() -> None:
    project = (Path(__file__).parent.parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    for store in KEY_STORES.values():
        assert f'{store.extra} = ["securesystemslib[{store.extra}]' in project


@pytest.mark.usefixtures("token")
def test_a_signer_opened_by_tuf_must_hold_the_key_it_expects() -> None:
    key = open_signer("hsm:7", Person(PIN)).tuf_signer.public_key
    signer = RefusingSigner.from_priv_key_uri("hsm:7?label=release", key, Person(PIN))
    assert signer.public_key == key
    other = type(key).from_dict("0" * 64, key.to_dict())
    assert code_of(RefusingSigner.from_priv_key_uri, "hsm:7", other, Person(PIN)) == "refused-signer"
