"""The manifest of a release, made and signed on the publisher's machine."""

import hashlib
from typing import TYPE_CHECKING

from surefoot.cli.inspection import look_into
from surefoot.signing import manifest as signing
from surefoot.wire.errors import Refused
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.manifest import Manifest, SignedManifest
from surefoot.wire.version import Version

if TYPE_CHECKING:
    from surefoot.signing.signers import Signer


def sign_manifest(
    image: bytes,
    signer: "Signer",
    *,
    sku: str,
    name: str | None = None,
    notes: str | None = None,
    version_floor: str | None = None,
    protocol: int | None = None,
) -> tuple[str, SignedManifest]:
    """Return the SHA-256 of the signed image's file, and its manifest signed over its exact bytes.

    Raises:
        Refused: `refused-image-format` when the image is not what it says, `refused-manifest-format`,
            `refused-version-format`, and what the signer refuses.
    """
    header = ImageHeader.parse(image[:HEADER_BYTES])
    problems = look_into(image, None)["problems"]
    if problems:
        raise Refused("refused-image-format", f"{problems[0]} Sign the build again with `surefoot image sign`.")
    manifest = Manifest(
        name=name or f"{sku}-{header.version}",
        sku=sku,
        version=header.version,
        digest=header.digest,
        size_bytes=header.size_bytes,
        protocol=protocol,
        version_floor=None if version_floor is None else Version.parse(version_floor),
        notes=notes,
    )
    return hashlib.sha256(image).hexdigest(), signing.sign_manifest(manifest, signer)
