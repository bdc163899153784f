"""`surefoot image delta`, from two signed images to a file that a robot can apply."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import reader_of
from surefoot.shell.inflate import inflate
from surefoot.shell.patching import open_patched
from surefoot.signing.image import sign_image
from surefoot.signing.signers import new_key, open_signer
from surefoot.sim.images import app_image
from surefoot.wire.offer import Delta
from surefoot.wire.version import Version

Run = Callable[..., Any]
OLD, NEW = app_image("0.2.0"), app_image("0.2.1")


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, Path]:
    new_key(tmp_path / "key.pem")
    signer = open_signer(f"file:{tmp_path / 'key.pem'}")
    paths = tmp_path / "old.img", tmp_path / "new.img"
    for path, firmware, version in zip(paths, (OLD, NEW), ("0.2.0", "0.2.1"), strict=True):
        path.write_bytes(sign_image(firmware, Version.parse(version), signer))
    return paths


def test_the_delta_it_writes_leads_to_the_new_image(surefoot: Run, images: tuple[Path, Path], tmp_path: Path) -> None:
    result = tmp_path / "old-to-new.delta"
    value = surefoot("image", "delta", "--from", images[0], "--to", images[1], "--output", result, "--json").json
    file = result.read_bytes()
    assert value["size_bytes"] == len(file) and value["share_percent"] < 25
    assert value["source_digest"] == hashlib.sha256(OLD).hexdigest()
    assert value["target_digest"] == hashlib.sha256(NEW).hexdigest()
    said = Delta(url="u", sha256="ab" * 32, size_bytes=len(file), source_digest=value["source_digest"])
    made = open_patched(io.BytesIO(file), said, reader_of(OLD), inflate, 0).read(1 << 20)
    assert made == images[1].read_bytes()


def test_a_person_is_told_how_much_shorter_it_is(surefoot: Run, images: tuple[Path, Path], tmp_path: Path) -> None:
    outcome = surefoot("image", "delta", "--from", images[0], "--to", images[1], "--output", tmp_path / "d")
    assert outcome.code == 0 and "% of the image" in outcome.stdout


def test_what_cannot_be_made_is_refused_and_nothing_is_written(
    surefoot: Run, images: tuple[Path, Path], tmp_path: Path
) -> None:
    result = tmp_path / "d"
    bare = tmp_path / "bare.bin"
    bare.write_bytes(NEW)
    for source, target, code in (
        (images[0], images[0], "refused-delta"),
        (images[0], bare, "refused-image-format"),
        (tmp_path / "missing", images[1], "refused-file-unreadable"),
    ):
        outcome = surefoot("image", "delta", "--from", source, "--to", target, "--output", result)
        assert outcome.error_code == code
        assert not result.exists()
    nowhere = tmp_path / "nowhere" / "d"
    outcome = surefoot("image", "delta", "--from", images[0], "--to", images[1], "--output", nowhere)
    assert outcome.error_code == "refused-file-unwritable"
