"""What an update costs a microcontroller: the whole of it runs in 64 KiB beyond the program itself."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from surefoot.signing.delta import make_delta
from surefoot.signing.image import sign_image
from surefoot.signing.manifest import sign_manifest
from surefoot.signing.signers import Signer, new_key, open_signer
from surefoot.sim.firmware import real_images
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.manifest import Manifest
from surefoot.wire.offer import Answer, Delta, Offer, encode_answer
from surefoot.wire.version import Version
from test_micropython import micropython_command

IMAGE_BYTES = 4 * 1024 * 1024
MEMORY_BYTES_MAX = 64 * 1024
STEP_BYTES = 4 * 1024


def write_story(directory: Path) -> Path:
    """Sign a 4 MiB image, and write what a robot needs to be offered it."""
    signer = make_signer(directory)
    image = sign_image(bytes(range(256)) * (IMAGE_BYTES // 256), Version.parse("0.2.1"), signer)
    return written(directory, signer, image, None, {})


def write_delta_story(directory: Path) -> Path:
    """Sign two real builds, and write what a robot that runs the old one needs to get the new one by a delta."""
    signer = make_signer(directory)
    old, new = real_images()
    image = sign_image(new, Version.parse("0.2.1"), signer)
    file = make_delta(sign_image(old, Version.parse("0.2.0"), signer), image)
    source_digest = hashlib.sha256(old).hexdigest()
    sha256 = hashlib.sha256(file).hexdigest()
    delta = Delta(url="delta", sha256=sha256, size_bytes=len(file), source_digest=source_digest)
    more = {"source_digest": source_digest}
    for name, data in (("source", old), ("target", new), ("delta", file)):
        (directory / name).write_bytes(data)
        more[name] = str(directory / name)
    return written(directory, signer, image, delta, more)


def make_signer(directory: Path) -> Signer:
    new_key(directory / "key.pem")
    return open_signer(f"file:{directory / 'key.pem'}")


def written(directory: Path, signer: Signer, image: bytes, delta: Delta | None, more: dict[str, str]) -> Path:
    """Write the story of one offer, with what else is to be in it."""
    header = ImageHeader.parse(image[:HEADER_BYTES])
    manifest = Manifest(
        name="firmware",
        sku="standard",
        version=header.version,
        digest=header.digest,
        size_bytes=header.size_bytes,
        protocol=1,
        companion_versions=(),
        from_version_min=None,
        version_floor=None,
        delta_sources=(),
        trusted_keys=(),
        expires_at_s=None,
        notes=None,
    )
    offer = Offer(
        id="assignment-1",
        url="https://fleet.example/v1/images/1",
        sha256=hashlib.sha256(image).hexdigest(),
        size_bytes=len(image),
        digest=header.digest,
        version=header.version,
        sku="standard",
        release="standard-0.2.1",
        manifest=sign_manifest(manifest, signer),
        force=False,
        rollback=False,
        attempt=1,
        delta=delta,
    )
    answer = Answer(acknowledged=None, offer=offer, cancelled=None, stale=False, next_check_s=60)
    story = {
        "answer": encode_answer(answer).decode(),
        "header": image[:HEADER_BYTES].hex(),
        "key_xy": signer.public_key.xy.hex(),
        "image_bytes": header.size_bytes,
        **more,
    }
    path = directory / "story.json"
    path.write_text(json.dumps(story))
    return path


def update(story: Path, free_bytes: int) -> "subprocess.CompletedProcess[str]":
    script = Path(__file__).parent / "micropython_update.py"
    command, environment = micropython_command(str(script), str(story), str(free_bytes))
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=110)


@pytest.mark.micropython
@pytest.mark.parametrize(
    ("write", "what"), [(write_story, "a 4 MiB update"), (write_delta_story, "a 1.4 MiB update by a delta")]
)
def test_an_update_runs_in_64_kib_beyond_the_program(
    write: Callable[[Path], Path], what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story = write(tmp_path)

    limited = update(story, MEMORY_BYTES_MAX)

    assert limited.returncode == 0, limited.stdout + limited.stderr
    assert "staged 0.2.1" in limited.stdout
    rooms = range(STEP_BYTES, MEMORY_BYTES_MAX, STEP_BYTES)
    least = next((room for room in rooms if update(story, room).returncode == 0), MEMORY_BYTES_MAX)
    assert least > STEP_BYTES, "the limit was not felt: the heap was not as full as it was meant to be"
    figures = limited.stdout.splitlines()[-1]
    with capsys.disabled():
        sys.stdout.write(f"\n{what} on MicroPython needs {least // 1024} KiB beyond the program ({figures})\n")
