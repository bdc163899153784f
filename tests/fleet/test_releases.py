"""Releases: nothing that a robot would refuse gets published."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from fleet.fleet_case import EVERYONE, SKU, FleetCase
from support import code_of
from surefoot.fleet.doors import Doors
from surefoot.fleet.keys import trust_key
from surefoot.fleet.model import KeyState, Release
from surefoot.fleet.releases import ENVELOPE_BYTES_MAX, check_image, publish
from surefoot.fleet.rollouts import start_rollout
from surefoot.signing.image import sign_image
from surefoot.signing.manifest import manifest_for, sign_manifest
from surefoot.signing.signers import FileSigner, Signer
from surefoot.sim.images import app_image
from surefoot.store.blobs import DirectoryBlobs
from surefoot.trust.payload import Payload
from surefoot.wire import limits
from surefoot.wire.fields import encode_object
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.manifest import SignedManifest, signed_manifest_to_object
from surefoot.wire.offer import Offer, offer_to_object
from surefoot.wire.version import Version

FIRMWARE = app_image("", size_bytes=512)
V = Version.parse


def header_of(image: bytes) -> ImageHeader:
    return ImageHeader.parse(image[:HEADER_BYTES])


def flipped(data: bytes, index: int) -> bytes:
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


def relabelled(image: bytes, version: str) -> bytes:
    """Write another version into the header, which the signature does not cover."""
    return header_of(image).replace(version=V(version)).encode() + image[HEADER_BYTES:]


class Shop:
    """A fleet that trusts one key, and what it takes to publish."""

    def __init__(self, fleet: FleetCase, blobs: DirectoryBlobs, signer: FileSigner) -> None:
        self.fleet, self.blobs, self.signer = fleet, blobs, signer
        self.key = fleet.run(lambda rows: trust_key(rows, "ci", signer.public_key.der, fleet.now_s))
        self.stranger = FileSigner(ec.generate_private_key(ec.SECP256R1()))

    def signed(self, version: str = "0.2.1", firmware: bytes = FIRMWARE, signer: Signer | None = None) -> bytes:
        return sign_image(firmware, V(version), signer or self.signer)

    def manifest(self, image: bytes, signer: Signer | None = None, **changes: Any) -> SignedManifest:
        header = header_of(image)
        return sign_manifest(manifest_for(header, SKU).replace(**changes), signer or self.signer)

    def check(self, image: bytes) -> Payload:
        return self.fleet.run(lambda rows: check_image(rows, image))

    def publish(self, image: bytes, manifest: SignedManifest | None = None, release_id: str = "release-1") -> Release:
        sha256 = hashlib.sha256(image).hexdigest()
        self.blobs.put(sha256, image)
        envelope = manifest or self.manifest(image)
        return self.fleet.run(
            lambda rows: publish(rows, self.blobs, release_id, SKU, sha256, envelope, self.fleet.now_s)
        )

    def revoke(self) -> None:
        self.fleet.run(lambda rows: rows.put(replace(self.key, state=KeyState.REVOKED)))

    def releases(self) -> list[Release]:
        return self.fleet.run(lambda rows: rows.find(Release, newest_first=True))


@pytest.fixture
def shop(fleet: FleetCase, tmp_path: Path, signer: FileSigner) -> Shop:
    return Shop(fleet, DirectoryBlobs(tmp_path / "images"), signer)


def test_a_signed_image_is_taken(shop: Shop) -> None:
    image, header = shop.signed(), header_of(shop.signed())
    said = shop.check(image)
    assert (said.format, said.version, said.digest) == ("robo", header.version, header.digest)
    assert (said.size_bytes, said.key_id) == (len(FIRMWARE), shop.key.key_id)


def test_an_image_cut_short_or_too_long_is_refused(shop: Shop) -> None:
    image = shop.signed()
    for length in (0, 3, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 1, len(image) - 1):
        assert code_of(shop.check, image[:length]) == "refused-image-format"
    assert code_of(shop.check, image + b"\0") == "refused-image-format"


def test_a_flipped_bit_is_refused_wherever_it_is(shop: Shop) -> None:
    image = shop.signed()
    expected = {
        0: "refused-image-format",  # magic
        8: "refused-image-format",  # size
        12: "refused-digest",
        44: "refused-signature",
        107: "refused-signature",
        108: "refused-image-format",  # reserved
        HEADER_BYTES: "refused-digest",
        len(image) - 1: "refused-digest",
    }
    assert {index: code_of(shop.check, flipped(image, index)) for index in expected} == expected


def test_an_image_signed_by_a_stranger_is_refused(shop: Shop) -> None:
    image = shop.signed(signer=shop.stranger)
    assert code_of(shop.check, image) == "refused-signature"
    assert code_of(shop.publish, image, shop.manifest(image)) == "refused-signature"


def test_nothing_is_believed_of_a_fleet_without_keys(shop: Shop) -> None:
    image = shop.signed()
    shop.revoke()
    assert code_of(shop.check, image) == "refused-signature"


def test_a_release_says_what_was_signed(shop: Shop) -> None:
    image = shop.signed()
    release = shop.publish(image)
    assert (release.sku, str(release.version), release.stable) == (SKU, "0.2.1", False)
    assert (release.sha256, release.size_bytes) == (hashlib.sha256(image).hexdigest(), len(image))
    assert release.digest == hashlib.sha256(FIRMWARE).hexdigest()
    assert (release.key_id, release.manifest.key_id) == (shop.key.key_id, shop.key.key_id)
    assert shop.releases() == [release]


def test_publishing_the_same_again_changes_nothing(shop: Shop) -> None:
    image = shop.signed()
    first = shop.publish(image)
    shop.fleet.now_s += 60
    assert shop.publish(image, release_id="release-2") == first
    assert shop.releases() == [first]


def test_other_bytes_of_a_published_version_are_refused(shop: Shop) -> None:
    first = shop.publish(shop.signed())
    other = shop.signed(firmware=app_image("", size_bytes=528))
    assert code_of(shop.publish, other, None, "release-2") == "refused-release-exists"
    assert shop.releases() == [first]


def test_an_image_that_was_never_stored_is_not_published(shop: Shop) -> None:
    image = shop.signed()

    def go() -> None:
        manifest = shop.manifest(image)
        shop.fleet.run(lambda rows: publish(rows, shop.blobs, "release-1", SKU, "00" * 32, manifest, 0))

    assert code_of(go) == "not-found-image"


def test_a_key_revoked_between_storing_and_publishing_publishes_nothing(shop: Shop) -> None:
    image = shop.signed()
    shop.check(image)
    shop.revoke()
    assert code_of(shop.publish, image) == "refused-signature"
    assert shop.releases() == []


def test_a_version_raised_in_the_header_alone_is_refused(shop: Shop) -> None:
    image = shop.signed("0.2.1")
    raised = relabelled(image, "9.0.0")
    shop.check(raised)  # the signature holds: that is why the manifest must say the version too
    assert code_of(shop.publish, raised, shop.manifest(image)) == "refused-manifest-mismatch"
    assert shop.releases() == []


@pytest.mark.parametrize(
    "changes", [{"sku": "heavy"}, {"version": Version(major=9, minor=0, patch=0)}, {"digest": "00" * 32}]
)
def test_a_manifest_of_something_else_is_refused(shop: Shop, changes: dict[str, Any]) -> None:
    image = shop.signed()
    assert code_of(shop.publish, image, shop.manifest(image, **changes)) == "refused-manifest-mismatch"


def test_a_manifest_that_no_trusted_key_signed_is_refused(shop: Shop) -> None:
    image = shop.signed()
    manifest = shop.manifest(image)
    assert code_of(shop.publish, image, shop.manifest(image, shop.stranger)) == "refused-manifest-signature"
    borrowed = shop.manifest(image, shop.stranger).replace(key_id=shop.key.key_id)
    assert code_of(shop.publish, image, borrowed) == "refused-manifest-signature"
    for altered in (
        manifest.replace(payload=manifest.payload + b" "),
        manifest.replace(signature=flipped(manifest.signature, 63)),
    ):
        assert code_of(shop.publish, image, altered) == "refused-manifest-signature"
    assert shop.releases() == []


def bare(shop: Shop, version: str | None) -> SignedManifest:
    """Return the signed manifest of the firmware as it is, without a header."""
    payload = shop.check(FIRMWARE)
    return sign_manifest(manifest_for(payload, SKU, None if version is None else V(version)), shop.signer)


def test_a_file_without_a_signature_is_bound_by_the_manifest_that_an_active_key_signed(shop: Shop) -> None:
    release = shop.publish(FIRMWARE, bare(shop, "0.2.1"))
    assert (release.format, str(release.version), release.key_id) == ("esp-idf", "0.2.1", shop.key.key_id)
    assert release.digest == release.sha256 == hashlib.sha256(FIRMWARE).hexdigest()
    assert shop.publish(FIRMWARE, bare(shop, "0.2.1"), "release-2") == release
    stranger = sign_manifest(manifest_for(shop.check(FIRMWARE), SKU, V("0.2.2")), shop.stranger)
    assert code_of(shop.publish, FIRMWARE, stranger) == "refused-manifest-signature"
    shop.revoke()
    assert code_of(shop.publish, FIRMWARE, bare(shop, "0.2.1")) == "refused-manifest-signature"


def test_a_version_is_named_once_by_the_file_or_by_its_publisher(shop: Shop) -> None:
    assert code_of(bare, shop, None) == "refused-version-unbound"
    header = header_of(shop.signed("0.2.1"))
    assert code_of(manifest_for, header, SKU, V("0.2.2")) == "refused-version-mismatch"
    assert manifest_for(header, SKU, V("0.2.1")) == manifest_for(header, SKU)


def test_what_is_not_recognised_is_neither_taken_nor_published(shop: Shop) -> None:
    for data in (b"", b"MZ not an image", b"\x7fELF" + bytes(200)):
        assert code_of(shop.check, data) == "refused-image-format"
        assert code_of(shop.publish, data, bare(shop, "0.2.1")) == "refused-image-format"
    assert shop.releases() == []


def test_a_release_of_another_format_is_not_for_robots_with_surefoots_own_agent(shop: Shop) -> None:
    release = shop.publish(FIRMWARE, bare(shop, "0.2.1"))
    robot = shop.fleet.enrol("robot-1").robot
    shop.fleet.run(lambda rows: start_rollout(rows, release.release_id, EVERYONE, "rollout-1", b"salt", 0.0))

    def refusal(formats: tuple[str, ...]) -> str | None:
        return shop.fleet.run(lambda rows: Doors(rows, shop.fleet.now_s, formats).find(robot, None, None).refusal)

    assert refusal(("robo",)) == "wrong-format"
    assert refusal(("robo", "esp-idf")) is None


def with_notes(shop: Shop, image: bytes, chars: int) -> SignedManifest:
    return shop.manifest(image, notes="n" * chars)


def test_a_manifest_is_published_as_long_as_robots_can_keep_it_and_no_longer(shop: Shop) -> None:
    image = shop.signed()
    bare_bytes = len(encode_object(signed_manifest_to_object(with_notes(shop, image, 1))))
    room = 1 + ENVELOPE_BYTES_MAX - bare_bytes
    assert code_of(shop.publish, image, with_notes(shop, image, room + 1)) == "refused-manifest-format"
    assert shop.releases() == []
    release = shop.publish(image, with_notes(shop, image, room))
    longest = Offer(
        id="i" * limits.ASSIGNMENT_ID_CHARS_MAX,
        url="u" * limits.URL_CHARS_MAX,
        sha256=release.sha256,
        size_bytes=limits.IMAGE_BYTES_MAX,
        digest=release.digest,
        version=release.version,
        sku="s" * limits.NAME_CHARS_MAX,
        release=release.release_id,
        manifest=release.manifest,
        force=True,
        rollback=True,
        attempt=99,
        delta=None,
    )
    assert len(encode_object(offer_to_object(longest))) <= limits.OFFER_BYTES_MAX
