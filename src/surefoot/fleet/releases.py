"""Releases: what may be stored, and what may be published. Nothing unsigned gets past here."""

from surefoot.fleet.keys import active_ring, storable_ring
from surefoot.fleet.model import Release
from surefoot.fleet.ports import Blobs, Rows
from surefoot.trust.image import check_signed_image
from surefoot.trust.keys import KeyRing, PublicKey
from surefoot.trust.payload import Payload, check_payload
from surefoot.trust.rules import believe_manifest, check_manifest_of
from surefoot.wire.errors import Refused
from surefoot.wire.fields import encode_object
from surefoot.wire.formats import ROBO
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader, has_magic
from surefoot.wire.limits import OFFER_BYTES_MAX, URL_CHARS_MAX
from surefoot.wire.manifest import Manifest, SignedManifest, signed_manifest_to_object

# The rest of an offer, its address apart, is ids and digests: some 450 bytes.
ENVELOPE_BYTES_MAX = OFFER_BYTES_MAX - URL_CHARS_MAX - 500


def check_image(rows: Rows, data: bytes) -> Payload:
    """Return what a whole file is that may be stored: of a known format, and signed by an active key if it is signed.

    Raises:
        Refused: `refused-image-format`, `refused-digest`, `refused-version-format`, `refused-version-mismatch`,
            `refused-signature`.
    """
    return check_payload(data, storable_ring(rows))


def publish(
    rows: Rows,
    blobs: Blobs,
    release_id: str,
    sku: str,
    sha256: str,
    manifest: SignedManifest,
    now_s: float,
    *,
    ring: KeyRing | None = None,
) -> Release:
    """Make a stored image a release of a sku; publishing the same again changes nothing.

    A file that carries no signature of its own is bound by the manifest alone. Both must be signed by a key of `ring`:
    by an active one, where it is not given.

    Raises:
        Refused: `not-found-image`, `refused-manifest-…`, `refused-version-mismatch`, `refused-signature`,
            `refused-trusted-keys`, `refused-release-exists`.
    """
    active = active_ring(rows)
    payload = _stored_payload(blobs, sha256, ring or active)
    believed = believe_manifest(manifest, ring or active)
    version = payload.version or believed.version
    check_manifest_of(believed, sku, version, payload.digest)
    _check_handed_over(believed, active)
    for known in rows.find(Release, sku=sku, version=version):
        if known.sha256 == sha256:
            return known
        detail = f"Release {known.release_id} is {sku} {version} already: raise the version."
        raise Refused("refused-release-exists", detail)
    _check_fits(manifest)
    release = Release(
        release_id=release_id,
        sku=sku,
        version=version,
        sha256=sha256,
        size_bytes=blobs.size_bytes(sha256) or 0,
        digest=payload.digest,
        key_id=payload.key_id or manifest.key_id,
        manifest=manifest,
        published_at_s=now_s,
        format=payload.format,
    )
    rows.put(release)
    return release


def _stored_payload(blobs: Blobs, sha256: str, ring: KeyRing) -> Payload:
    """Believe a stored file anew: a key may have been revoked since its bytes came."""
    size_bytes = blobs.size_bytes(sha256)
    if size_bytes is None:
        raise Refused("not-found-image", f"There is no image {sha256[:16]}…: send its bytes first.")
    head = blobs.read(sha256, 0, min(HEADER_BYTES, size_bytes))
    if not has_magic(head):
        return check_payload(blobs.read(sha256, 0, size_bytes), ring)
    # The file is what it was when it was checked whole, so its header tells everything.
    header = ImageHeader.parse(head)
    return Payload(
        format=ROBO,
        version=header.version,
        digest=header.digest,
        size_bytes=header.size_bytes,
        key_id=check_signed_image(header, header.digest, ring),
    )


def _check_handed_over(manifest: Manifest, active: KeyRing) -> None:
    """Refuse to hand robots over to a key that the fleet does not know, or knows as compromised."""
    for xy in manifest.trusted_keys:
        key = PublicKey.from_xy(xy)
        if active.find(key.key_id) is None:
            detail = f"The manifest hands robots over to key {key.short_id}, which is not active: name active keys."
            raise Refused("refused-trusted-keys", detail)


def _check_fits(manifest: SignedManifest) -> None:
    """Refuse what no robot could remember: the offer travels and is kept together with its manifest."""
    size_bytes = len(encode_object(signed_manifest_to_object(manifest)))
    if size_bytes > ENVELOPE_BYTES_MAX:
        detail = f"The signed manifest takes {size_bytes} bytes, robots keep {ENVELOPE_BYTES_MAX}: shorten its notes."
        raise Refused("refused-manifest-format", detail)
