"""Releases: what may be stored, and what may be published. Nothing unsigned gets past here."""

import hashlib

from surefoot.fleet.keys import active_ring
from surefoot.fleet.model import Release
from surefoot.fleet.ports import Blobs, Rows
from surefoot.trust.image import check_signed_image
from surefoot.trust.rules import believe_manifest, check_manifest_of
from surefoot.wire.errors import Refused
from surefoot.wire.fields import encode_object
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.limits import OFFER_BYTES_MAX, URL_CHARS_MAX
from surefoot.wire.manifest import SignedManifest, signed_manifest_to_object

# The rest of an offer, its address apart, is ids and digests: some 450 bytes.
ENVELOPE_BYTES_MAX = OFFER_BYTES_MAX - URL_CHARS_MAX - 500


def check_image(rows: Rows, data: bytes) -> ImageHeader:
    """Return the header of a whole signed image that an active key of the fleet signed.

    Raises:
        Refused: `refused-image-format`, `refused-digest`, `refused-signature`.
    """
    header = ImageHeader.parse(data[:HEADER_BYTES])
    held_bytes = len(data) - HEADER_BYTES
    if held_bytes != header.size_bytes:
        detail = f"The image holds {held_bytes} bytes and its header says {header.size_bytes}: send the whole file."
        raise Refused("refused-image-format", detail)
    check_signed_image(header, hashlib.sha256(data[HEADER_BYTES:]).hexdigest(), active_ring(rows))
    return header


def publish(
    rows: Rows, blobs: Blobs, release_id: str, sku: str, sha256: str, manifest: SignedManifest, now_s: float
) -> Release:
    """Make a stored image a release of a sku; publishing the same again changes nothing.

    Raises:
        Refused: `not-found-image`, `refused-manifest-…`, `refused-version-mismatch`, `refused-signature`,
            `refused-release-exists`.
    """
    size_bytes = blobs.size_bytes(sha256)
    if size_bytes is None:
        raise Refused("not-found-image", f"There is no image {sha256[:16]}…: send its bytes first.")
    # A key may have been revoked since the bytes came; an image is believed anew when it is published.
    header = ImageHeader.parse(blobs.read(sha256, 0, HEADER_BYTES))
    key_id = check_signed_image(header, header.digest, active_ring(rows))
    believed = believe_manifest(manifest, active_ring(rows))
    check_manifest_of(believed, sku, header.version, header.digest)
    for known in rows.find(Release, newest_first=True):
        if known.sku == sku and known.version == header.version:
            if known.sha256 == sha256:
                return known
            detail = f"Release {known.release_id} is {sku} {header.version} already: raise the version."
            raise Refused("refused-release-exists", detail)
    _check_fits(manifest)
    release = Release(
        release_id=release_id,
        sku=sku,
        version=header.version,
        sha256=sha256,
        size_bytes=size_bytes,
        digest=header.digest,
        key_id=key_id,
        manifest=manifest,
        published_at_s=now_s,
    )
    rows.put(release)
    return release


def _check_fits(manifest: SignedManifest) -> None:
    """Refuse what no robot could remember: the offer travels and is kept together with its manifest."""
    size_bytes = len(encode_object(signed_manifest_to_object(manifest)))
    if size_bytes > ENVELOPE_BYTES_MAX:
        detail = f"The signed manifest takes {size_bytes} bytes, robots keep {ENVELOPE_BYTES_MAX}: shorten its notes."
        raise Refused("refused-manifest-format", detail)
