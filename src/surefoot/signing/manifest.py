"""Signs manifests: over their exact bytes, which robots then verify without making them anew."""

import hashlib

from surefoot.signing.signers import Signer
from surefoot.wire.manifest import Manifest, SignedManifest, encode_manifest, parse_manifest


def sign_manifest(manifest: Manifest, signer: Signer) -> SignedManifest:
    """Return the manifest's bytes with the signer's signature.

    Raises:
        Refused: `refused-manifest-format` when robots could not read it, and what the signer refuses.
    """
    payload = encode_manifest(manifest)
    parse_manifest(payload)
    signature = signer.sign_digest(hashlib.sha256(payload).digest())
    return SignedManifest(payload=payload, key_id=signer.public_key.key_id, signature=signature)
