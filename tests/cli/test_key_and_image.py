import hashlib
import io
import os
import pty
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from surefoot.signing.signers import new_key
from surefoot.sim.images import app_image
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from wire.image_case import cpio

Run = Callable[..., Any]


@pytest.fixture
def key(surefoot: Run, tmp_path: Path) -> Path:
    path = tmp_path / "release.pem"
    assert surefoot("key", "new", "--output", path).code == 0
    return path


@pytest.fixture
def build(tmp_path: Path) -> Path:
    path = tmp_path / "robot.bin"
    path.write_bytes(app_image("0.2.1"))
    return path


def sign(surefoot: Run, build: Path, key: Path, version: str = "0.2.1", *more: str) -> Any:
    target = build.with_suffix(".img")
    return surefoot(
        "image", "sign", "--input", build, "--key", f"file:{key}", "--output", target, "--version", version, *more
    )


def public_of(key: Path) -> Path:
    return key.with_name(key.name + ".pub.der")


def test_a_new_key_is_for_its_owner_only_and_its_public_half_lies_beside_it(surefoot: Run, tmp_path: Path) -> None:
    path = tmp_path / "build.pem"
    answer = surefoot("key", "new", "--output", path, "--json").json
    assert answer["key_id"] == hashlib.sha256(public_of(path).read_bytes()).hexdigest()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not answer["encrypted"]


def test_a_key_is_never_replaced(surefoot: Run, key: Path) -> None:
    before = key.read_bytes()
    outcome = surefoot("key", "new", "--output", key)
    assert (outcome.code, outcome.error_code) == (1, "refused-file-exists")
    assert key.read_bytes() == before


def at_a_terminal(*words: object, answer: str) -> None:
    """Run the command at a terminal and give this answer whenever it asks."""
    person, terminal = pty.openpty()
    command: list[str | Path] = [Path(sys.executable).with_name("surefoot"), *(str(word) for word in words)]
    # A session of its own, so that the command cannot reach the terminal these tests run in.
    with subprocess.Popen(
        command, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, start_new_session=True
    ) as process:
        os.close(terminal)
        assert process.stderr is not None
        said = b""
        while piece := process.stderr.read(1):
            said += piece
            if said.endswith(b": "):
                os.write(person, answer.encode() + b"\n")
    os.close(person)
    assert process.returncode == 0, said
    assert answer.encode() not in said


def test_a_passphrase_is_asked_for_and_encrypts_the_key(surefoot: Run, tmp_path: Path, build: Path) -> None:
    path, image = tmp_path / "release.pem", tmp_path / "robot.img"
    at_a_terminal("key", "new", "--output", path, "--passphrase", answer="correct horse")
    load_pem_private_key(path.read_bytes(), b"correct horse")
    with pytest.raises(TypeError):
        load_pem_private_key(path.read_bytes(), None)

    signing = ("image", "sign", "--input", build, "--key", f"file:{path}", "--output", image, "--version", "0.2.1")
    at_a_terminal(*signing, answer="correct horse")
    assert surefoot("image", "inspect", image, "--public-key", public_of(path)).code == 0


def test_without_a_person_to_ask_nothing_is_made(
    surefoot: Run, tmp_path: Path, build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    path = tmp_path / "locked.pem"
    assert surefoot("key", "new", "--output", path, "--passphrase").error_code == "refused-passphrase"
    assert not path.exists()
    new_key(path, "correct horse")
    assert sign(surefoot, build, path).error_code == "refused-passphrase"
    assert not build.with_suffix(".img").exists()


def test_a_signed_image_is_header_and_firmware_and_everything_about_it_is_true(
    surefoot: Run, key: Path, build: Path
) -> None:
    answer = sign(surefoot, build, key, "0.2.1", "--json").json
    image = build.with_suffix(".img").read_bytes()
    assert image[HEADER_BYTES:] == build.read_bytes()
    assert answer["digest"] == hashlib.sha256(build.read_bytes()).hexdigest()
    assert str(ImageHeader.parse(image[:HEADER_BYTES]).version) == answer["version"] == "0.2.1"

    outcome = surefoot("image", "inspect", build.with_suffix(".img"), "--public-key", public_of(key), "--json")
    assert outcome.code == 0
    found = outcome.json
    inside = found.pop("inside")
    assert found == {
        "format": "robo",
        "version": "0.2.1",
        "size_bytes": build.stat().st_size,
        "digest": answer["digest"],
        "digest_matches": True,
        "signatures": [{"kind": "ecdsa-p256", "key_id": answer["key_id"], "valid": True}],
        "versions_agree": True,
        "file_bytes": len(image),
        "file_sha256": hashlib.sha256(image).hexdigest(),
        "signature_valid": True,
        "problems": [],
    }
    assert (inside["format"], inside["version"], inside["project"]) == ("esp-idf", "0.2.1", "robot")


def test_signing_as_another_version_than_the_build_has_is_refused(surefoot: Run, key: Path, build: Path) -> None:
    outcome = sign(surefoot, build, key, "0.3.0")
    assert (outcome.code, outcome.error_code) == (1, "refused-version-mismatch")
    assert not build.with_suffix(".img").exists()


def test_a_version_that_is_none_is_refused(surefoot: Run, key: Path, build: Path) -> None:
    assert sign(surefoot, build, key, "0.2").error_code == "refused-version-format"


def flipped(image: bytes) -> bytes:
    return image[:-1] + bytes([image[-1] ^ 1])


def truncated(image: bytes) -> bytes:
    return image[:-1]


def raised_version(image: bytes) -> bytes:
    return image[:4] + (0x00090000).to_bytes(4, "little") + image[8:]


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [(flipped, "SHA-256"), (truncated, "bytes of firmware"), (raised_version, "9.0.0")],
)
def test_what_is_wrong_with_an_image_is_said_and_shows_in_the_exit_code(
    surefoot: Run, key: Path, build: Path, spoil: Callable[[bytes], bytes], problem: str
) -> None:
    sign(surefoot, build, key)
    image = build.with_suffix(".img")
    image.write_bytes(spoil(image.read_bytes()))
    outcome = surefoot("image", "inspect", image)
    assert outcome.code == 1
    assert any(problem in line for line in outcome.stdout.splitlines() if line.startswith("problem: "))


def test_a_signature_by_another_key_is_told(surefoot: Run, key: Path, build: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    surefoot("key", "new", "--output", other)
    sign(surefoot, build, key)
    outcome = surefoot("image", "inspect", build.with_suffix(".img"), "--public-key", public_of(other), "--json")
    assert (outcome.code, outcome.json["signature_valid"]) == (1, False)


def test_firmware_that_names_no_version_leaves_nothing_to_compare(surefoot: Run, key: Path, tmp_path: Path) -> None:
    build = tmp_path / "plain.bin"
    build.write_bytes(b"not an ESP-IDF image")
    sign(surefoot, build, key, "1.0.0")
    answer = surefoot("image", "inspect", build.with_suffix(".img"), "--json").json
    assert answer["versions_agree"] is None and answer["problems"] == []


def test_bare_firmware_is_described_and_has_no_signature(surefoot: Run, build: Path) -> None:
    answer = surefoot("image", "inspect", build, "--json").json
    assert (answer["format"], answer["version"], answer["signatures"]) == ("esp-idf", "0.2.1", [])


def test_what_is_no_image_is_refused(surefoot: Run, key: Path) -> None:
    for verb in ("inspect", "verify"):
        outcome = surefoot("image", verb, key, "--public-key", public_of(key))
        assert (outcome.code, outcome.error_code) == (1, "refused-image-format")


@pytest.mark.parametrize("image_format", ["robo", "esp-idf", "mcuboot"])
def test_every_format_is_signed_shown_and_verified(
    surefoot: Run, key: Path, build: Path, tmp_path: Path, image_format: str
) -> None:
    answer = sign(surefoot, build, key, "0.2.1", "--format", image_format, "--json").json
    image = build.with_suffix(".img")
    assert answer["format"] == image_format
    verified = surefoot("image", "verify", image, "--public-key", public_of(key), "--json").json
    assert verified == {name: answer[name] for name in ("format", "version", "digest", "size_bytes", "key_id")}
    shown = surefoot("image", "inspect", image, "--public-key", public_of(key)).stdout
    assert shown.startswith(f"{image_format} image\n") and f"key {answer['key_id'][:16]}, valid" in shown

    other = tmp_path / "other.pem"
    surefoot("key", "new", "--output", other)
    assert surefoot("image", "verify", image, "--public-key", public_of(other)).error_code == "refused-signature"
    both = ("--public-key", public_of(other), "--public-key", public_of(key))
    assert surefoot("image", "verify", image, *both).code == 0


def test_an_unsigned_image_does_not_verify(surefoot: Run, key: Path, build: Path) -> None:
    outcome = surefoot("image", "verify", build, "--public-key", public_of(key))
    assert (outcome.code, outcome.error_code) == (1, "refused-signature")


def test_room_for_a_header_is_a_matter_of_mcuboot(surefoot: Run, key: Path, build: Path) -> None:
    build.write_bytes(bytes(512) + b"firmware")
    assert sign(surefoot, build, key, "0.2.1", "--header-bytes", "512").code == 1
    assert sign(surefoot, build, key, "0.2.1", "--format", "mcuboot", "--header-bytes", "512").code == 0


def test_an_image_is_shown_in_colour_on_a_terminal_and_obeys_nothing_in_it(surefoot: Run, tmp_path: Path) -> None:
    image = tmp_path / "evil.swu"
    image.write_bytes(cpio([(b"sw-description", b""), (b"[red]name[/red]", b"")]))
    plain = surefoot("image", "inspect", image).stdout
    assert "[red]name[/red]" in plain and "\x1b" not in plain
    command = [str(Path(sys.executable).with_name("surefoot")), "image", "inspect", str(image)]
    person, terminal = pty.openpty()
    subprocess.run(command, stdout=terminal, check=True, env={**os.environ, "TERM": "xterm-256color"})
    os.close(terminal)
    assert b"\x1b[" in os.read(person, 65536)
    os.close(person)


def test_a_public_key_is_shown_from_either_half_of_a_pair(surefoot: Run, key: Path, tmp_path: Path) -> None:
    der = public_of(key).read_bytes()
    for given in (public_of(key), key, f"file:{key}"):
        answer = surefoot("key", "show", given, "--json").json
        assert (answer["key_id"], answer["xy"]) == (hashlib.sha256(der).hexdigest(), der[-64:].hex())
    target = tmp_path / "again.der"
    assert surefoot("key", "show", f"file:{key}", "--output", target).code == 0
    assert target.read_bytes() == der
    assert surefoot("key", "show", key, "--output", target).error_code == "refused-file-exists"


def test_what_is_no_key_is_not_shown(surefoot: Run, build: Path) -> None:
    assert surefoot("key", "show", build).error_code == "refused-key-format"
    assert surefoot("key", "show", build.with_name("missing")).error_code == "refused-file-unreadable"
    assert surefoot("key", "show", "ftp:key").error_code == "refused-signer-scheme"
