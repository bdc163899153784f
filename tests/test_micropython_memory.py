"""What an update costs a microcontroller: the whole of it runs in 64 KiB beyond the program itself."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from surefoot.signing.image import sign_image
from surefoot.signing.manifest import sign_manifest
from surefoot.signing.signers import new_key, open_signer
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.manifest import Manifest
from surefoot.wire.offer import Answer, Offer, encode_answer
from surefoot.wire.version import Version
from test_micropython import micropython_command

IMAGE_BYTES = 4 * 1024 * 1024
MEMORY_BYTES_MAX = 64 * 1024
STEP_BYTES = 4 * 1024


def write_story(directory: Path) -> Path:
    """Sign a 4 MiB image, and write what a robot needs to be offered it."""
    new_key(directory / "key.pem")
    signer = open_signer(f"file:{directory / 'key.pem'}")
    firmware = bytes(range(256)) * (IMAGE_BYTES // 256)
    image = sign_image(firmware, Version.parse("0.2.1"), signer)
    header = ImageHeader.parse(image[:HEADER_BYTES])
    manifest = Manifest(
        name="firmware",
        sku="standard",
        version=header.version,
        digest=header.digest,
        size_bytes=header.size_bytes,
        protocol=1,
        version_floor=None,
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
    )
    answer = Answer(acknowledged=None, offer=offer, cancelled=None, stale=False, next_check_s=60)
    story = {
        "answer": encode_answer(answer).decode(),
        "header": image[:HEADER_BYTES].hex(),
        "key_xy": signer.public_key.xy.hex(),
        "image_bytes": IMAGE_BYTES,
    }
    path = directory / "story.json"
    path.write_text(json.dumps(story))
    return path


def update(story: Path, free_bytes: int) -> "subprocess.CompletedProcess[str]":
    script = Path(__file__).parent / "micropython_update.py"
    command, environment = micropython_command(str(script), str(story), str(free_bytes))
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=110)


@pytest.mark.micropython
def test_a_4_mib_update_runs_in_64_kib_beyond_the_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = write_story(tmp_path)

    limited = update(story, MEMORY_BYTES_MAX)

    assert limited.returncode == 0, limited.stdout + limited.stderr
    assert "staged 0.2.1" in limited.stdout
    rooms = range(STEP_BYTES, MEMORY_BYTES_MAX, STEP_BYTES)
    least = next((room for room in rooms if update(story, room).returncode == 0), MEMORY_BYTES_MAX)
    assert least > STEP_BYTES, "the limit was not felt: the heap was not as full as it was meant to be"
    figures = limited.stdout.splitlines()[-1]
    with capsys.disabled():
        sys.stdout.write(f"\na 4 MiB update on MicroPython needs {least // 1024} KiB beyond the program ({figures})\n")
