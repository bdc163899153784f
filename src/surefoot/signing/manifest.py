"""Makes and signs manifests: over their exact bytes, which robots then verify without making them anew."""

from surefoot.signing.signers import Signer
from surefoot.trust.payload import Payload
from surefoot.wire.errors import Refused
from surefoot.wire.image_header import ImageHeader
from surefoot.wire.manifest import Manifest, SignedManifest, encode_manifest, parse_manifest
from surefoot.wire.version import Version


def manifest_for(image: ImageHeader | Payload, sku: str, version: Version | None = None) -> Manifest:
    """Return the manifest that says of an image what it is, and nothing more: `replace` what else there is to say.

    Args:
        image: what was read from the file.
        sku: the hardware type it is made for.
        version: for a file that names none itself.

    Raises:
        Refused: `refused-version-unbound` when neither file nor caller name a version, `refused-version-mismatch`
            when they name different ones.
    """
    named = image.version or version
    if named is None:
        raise Refused("refused-version-unbound", "This file names no version of its own: say which it is.")
    if version not in (None, named):
        raise Refused("refused-version-mismatch", f"The file says {named} and cannot be published as {version}.")
    return Manifest(
        name=f"{sku}-{named}",
        sku=sku,
        version=named,
        digest=image.digest,
        size_bytes=image.size_bytes,
        protocol=None,
        companion_versions=(),
        from_version_min=None,
        version_floor=None,
        delta_sources=(),
        trusted_keys=(),
        expires_at_s=None,
        notes=None,
    )


def sign_manifest(manifest: Manifest, signer: Signer) -> SignedManifest:
    """Return the manifest's bytes with the signer's signature.

    Raises:
        Refused: `refused-manifest-format` when robots could not read it, and what the signer refuses.
    """
    payload = encode_manifest(manifest)
    parse_manifest(payload)
    return SignedManifest(payload=payload, key_id=signer.public_key.key_id, signature=signer.sign(payload))
