"""What a robot believes of an offer before it downloads, and of an image before it boots it.

The version in the image header is not signed, so it decides nothing by itself: the version comes from the descriptor
inside the signed bytes, or from a manifest that a trusted key signed for exactly this digest.
"""

import hashlib

from surefoot.trust import p256
from surefoot.trust.image import check_signed_image
from surefoot.trust.keys import KeyRing, PublicKey
from surefoot.wire.errors import Refused
from surefoot.wire.image_header import ImageHeader
from surefoot.wire.manifest import Manifest, SignedManifest, parse_manifest
from surefoot.wire.offer import Offer
from surefoot.wire.record import Record
from surefoot.wire.version import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.trust.keys import Verify


class Ground(Record):
    """What the robot stands on when it judges: its sku, what runs, its version floor, and the keys it trusts.

    `running_version` is None when nothing signed names the running image's version, `companion_version` when there is
    no companion. `verify` checks one signature. `needs_manifest` tells that nothing is taken on unsigned words alone.
    `now_s` is the time (Unix seconds), None when the robot does not know.
    """

    __slots__ = (
        "sku",
        "running_version",
        "version_floor",
        "companion_version",
        "ring",
        "verify",
        "needs_manifest",
        "now_s",
    )
    sku: str
    running_version: "Version | None"
    version_floor: Version
    companion_version: "str | None"
    ring: KeyRing
    verify: "Verify"
    needs_manifest: bool
    now_s: "int | None"


def believe_manifest(signed: SignedManifest, ring: KeyRing, verify: "Verify" = p256.verify) -> Manifest:
    """Return the manifest that a trusted key signed.

    Raises:
        Refused: `refused-manifest-signature`, `refused-manifest-format`, `refused-version-format`.
    """
    key = ring.find(signed.key_id)
    if key is None or not verify(key.xy, hashlib.sha256(signed.payload).digest(), signed.signature):
        raise Refused(
            "refused-manifest-signature",
            f"No trusted key signed the manifest (it names key {signed.key_id[:16]}): sign it with a trusted one.",
        )
    return parse_manifest(signed.payload)


def check_manifest_of(manifest: Manifest, sku: "str | None", version: Version, digest: "str | None") -> None:
    """Raise `Refused` (`refused-manifest-mismatch`) unless the manifest speaks of this sku, version and digest."""
    for name, signed, said in (
        ("sku", manifest.sku, sku),
        ("version", manifest.version, version),
        ("digest", manifest.digest, digest),
    ):
        if said is not None and signed != said:
            raise Refused(
                "refused-manifest-mismatch",
                f"The manifest is signed for {name} {signed} and comes with {said}: publish the release again.",
            )


def check_offer(offer: Offer, ground: Ground) -> "Manifest | None":
    """Judge an offer before anything is downloaded; return its manifest if it has one.

    Raises:
        Refused: `refused-manifest-…`, `refused-sku`, `refused-version-floor`, `refused-version-order`,
            `refused-version-too-old`, `refused-companion`, `refused-key-format`.
    """
    manifest = None
    if offer.manifest is None and ground.needs_manifest:
        # The image's own signature does not cover its sku: who left the manifest out could send another sku's image.
        raise Refused("refused-manifest-missing", f"The offer of {offer.version} has no manifest: publish it with one.")
    if offer.manifest is not None:
        manifest = believe_manifest(offer.manifest, ground.ring, ground.verify)
        check_manifest_of(manifest, offer.sku, offer.version, offer.digest)
    for sku in (offer.sku, None if manifest is None else manifest.sku):
        if sku is not None and sku != ground.sku:
            raise Refused("refused-sku", f"Refusing an image for {sku}: this robot is a {ground.sku}.")
    check_version(offer.version, offer, ground)
    if manifest is not None:
        _check_conditions(manifest, ground)
        for xy in manifest.trusted_keys:
            # A robot that took a key which is none would believe nothing ever after.
            PublicKey.from_xy(xy)
    return manifest


def _check_conditions(manifest: Manifest, ground: Ground) -> None:
    """Refuse what the manifest excludes; where the robot cannot tell, nothing is excluded."""
    if manifest.expires_at_s is not None and ground.now_s is not None and ground.now_s >= manifest.expires_at_s:
        raise Refused("refused-manifest-expired", f"The manifest of {manifest.version} has expired: publish it anew.")
    lowest, running = manifest.from_version_min, ground.running_version
    if lowest is not None and running is not None and running < lowest:
        raise Refused(
            "refused-version-too-old",
            f"{manifest.version} is installed over {lowest} or later, and {running} runs: bring {lowest} first.",
        )
    companion, lines = ground.companion_version, manifest.companion_versions
    # With the dots at their ends, line 0.1 does not take in version 0.10.
    if companion is not None and lines and not any((companion + ".").startswith(line + ".") for line in lines):
        raise Refused(
            "refused-companion",
            f"{manifest.version} works with companions {', '.join(lines)}, and this one is {companion}: update it.",
        )


def check_version(version: Version, offer: Offer, ground: Ground) -> None:
    """Raise `Refused` (`refused-version-floor`, `refused-version-order`) when this version may not be installed."""
    if version < ground.version_floor:
        raise Refused(
            "refused-version-floor",
            f"Refusing to install {version}: the version floor is {ground.version_floor}. Offer a newer one.",
        )
    if offer.rollback or ground.running_version is None or version > ground.running_version:
        return
    if offer.force and version == ground.running_version:
        return
    raise Refused(
        "refused-version-order",
        f"Refusing to install {version}: the running version is {ground.running_version}. "
        "Send it as a rollback if that is meant.",
    )


def check_image(
    header: ImageHeader, digest: str, descriptor_version: str, manifest: "Manifest | None", offer: Offer, ground: Ground
) -> Version:
    """Judge a downloaded image before its slot may boot; return the version that something signed gives it.

    Args:
        header: the header as received.
        digest: SHA-256 of the firmware data as it stands in the slot.
        descriptor_version: the version text inside the image, "" when there is none.
        manifest: what `check_offer` returned.
        offer: the offer it was downloaded for.
        ground: what the robot stands on.

    Raises:
        Refused: `refused-digest`, `refused-signature`, `refused-version-unbound`, `refused-version-mismatch`, and the
            codes of `check_version`.
    """
    check_signed_image(header, digest, ground.ring, ground.verify)
    if offer.digest not in (None, digest) or (manifest is not None and manifest.digest != digest):
        raise Refused("refused-digest", f"The image has digest {digest[:16]}…, not the offered one: publish it again.")
    version = Version.parse_descriptor(descriptor_version)
    if version is None and manifest is not None:
        version = manifest.version
    if version is None:
        raise Refused(
            "refused-version-unbound",
            f"Nothing signed says that this image is {header.version}: publish the release with a manifest.",
        )
    for said in (header.version, offer.version):
        if said != version:
            raise Refused(
                "refused-version-mismatch",
                f"The signed version of this image is {version}, and it came as {said}: sign and publish it again.",
            )
    check_version(version, offer, ground)
    return version
