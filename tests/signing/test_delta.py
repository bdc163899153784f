"""Deltas as the build side makes them, taken apart as a robot does and as detools itself does."""

import hashlib
import io
import zlib
from pathlib import Path

import detools  # type: ignore[import-untyped]
import pytest

from support import code_of, reader_of
from surefoot.shell.inflate import inflate
from surefoot.shell.patching import open_patched
from surefoot.signing.delta import make_delta
from surefoot.signing.image import sign_image
from surefoot.signing.signers import Signer, new_key, open_signer
from surefoot.sim.firmware import real_images
from surefoot.sim.images import app_image
from surefoot.wire.delta import HEAD_BYTES, DeltaHead
from surefoot.wire.image_header import HEADER_BYTES
from surefoot.wire.offer import Delta
from surefoot.wire.version import Version


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    new_key(tmp_path / "key.pem")
    return open_signer(f"file:{tmp_path / 'key.pem'}")


def signed(firmware: bytes, version: str, signer: Signer) -> bytes:
    return sign_image(firmware, Version.parse(version), signer)


def applied(delta: bytes, source: bytes) -> bytes:
    """Return the full file that a robot makes."""
    said = Delta(url="u", sha256="ab" * 32, size_bytes=len(delta), source_digest=hashlib.sha256(source).hexdigest())
    return open_patched(io.BytesIO(delta), said, reader_of(source), inflate, 0).read(1 << 24)


def test_the_delta_between_the_real_builds_is_under_a_quarter_of_the_image_and_leads_to_it(signer: Signer) -> None:
    old, new = real_images()
    target_file = signed(new, "0.2.1", signer)

    delta = make_delta(signed(old, "0.2.0", signer), target_file)

    assert len(delta) < 0.25 * len(target_file)
    assert applied(delta, old) == target_file


def test_detools_itself_takes_the_patch_inside(signer: Signer) -> None:
    old, new = app_image("0.2.0"), app_image("0.2.1")
    delta = make_delta(signed(old, "0.2.0", signer), signed(new, "0.2.1", signer))
    made = io.BytesIO()
    detools.apply_patch(io.BytesIO(old), io.BytesIO(zlib.decompress(delta[HEAD_BYTES:], 10)), made)
    assert made.getvalue() == new


def test_a_delta_names_what_it_leads_from_and_carries_the_signed_header_of_what_it_leads_to(signer: Signer) -> None:
    old, target_file = app_image("0.2.0"), signed(app_image("0.2.1"), "0.2.1", signer)
    delta = make_delta(signed(old, "0.2.0", signer), target_file)
    head = DeltaHead.parse(delta[:HEAD_BYTES])
    assert head.source_digest == hashlib.sha256(old).hexdigest()
    assert head.header == target_file[:HEADER_BYTES]


def test_a_small_edit_is_a_small_delta(signer: Signer) -> None:
    old, new = app_image("0.2.0", size_bytes=400_000), app_image("0.2.1", size_bytes=400_000)
    delta = make_delta(signed(old, "0.2.0", signer), signed(new, "0.2.1", signer))
    assert len(delta) < 4000


def test_the_same_images_give_the_same_delta(signer: Signer) -> None:
    files = signed(app_image("0.2.0"), "0.2.0", signer), signed(app_image("0.2.1"), "0.2.1", signer)
    assert make_delta(*files) == make_delta(*files)


def test_what_is_no_whole_signed_image_is_refused(signer: Signer) -> None:
    good, other = signed(app_image("0.2.0"), "0.2.0", signer), signed(app_image("0.2.1"), "0.2.1", signer)
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    for bad, code in (
        (b"", "refused-image-format"),
        (app_image("0.2.0"), "refused-image-format"),
        (good[:-1], "refused-image-format"),
        (good + b"\0", "refused-image-format"),
        (flipped, "refused-digest"),
    ):
        assert code_of(make_delta, bad, other) == code
        assert code_of(make_delta, other, bad) == code


def test_there_is_no_delta_from_firmware_to_itself(signer: Signer) -> None:
    first = signed(app_image("0.2.0"), "0.2.0", signer)
    assert code_of(make_delta, first, signed(app_image("0.2.0"), "0.2.0", signer)) == "refused-delta"
