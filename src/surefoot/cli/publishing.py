"""What a release is published with, made and signed on the publisher's machine: its manifest and its metadata."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.cli.files import write_file
from surefoot.cli.inspection import look_into
from surefoot.shell.files import read_file
from surefoot.signing import manifest as signing
from surefoot.trust.payload import Payload
from surefoot.wire.errors import Refused
from surefoot.wire.formats import ROBO
from surefoot.wire.image_header import HEADER_BYTES
from surefoot.wire.manifest import Manifest, SignedManifest, signed_manifest_to_object
from surefoot.wire.metadata import target_entry, target_path
from surefoot.wire.version import Version

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient
    from surefoot.signing.signers import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A file with its signed manifest; `sha256` and `size_bytes` are of the file.

    `image_signature` is over the slot's bytes alone: all that devices made for AWS IoT can check.
    """

    sha256: str
    size_bytes: int
    format: str
    manifest: Manifest
    signed: SignedManifest
    image_signature: bytes

    @property
    def target(self) -> tuple[str, dict[str, Any]]:
        """The name and the entry under which metadata lists it."""
        said = self.manifest
        path = target_path(said.sku, said.version, self.format)
        return path, target_entry(said.sku, said.version, said.digest, self.sha256, self.size_bytes, self.signed)

    def body(self, targets: str | None) -> dict[str, Any]:
        """Return what publishes it, once its bytes are on the server."""
        body = {
            "sku": self.manifest.sku,
            "sha256": self.sha256,
            "manifest": signed_manifest_to_object(self.signed),
            "image_signature": self.image_signature.hex(),
        }
        return body if targets is None else {**body, "targets": targets}


def sign_release(image: bytes, signer: "Signer", sku: str, version: str | None = None, **says: object) -> Publication:
    """Return the file as it is published, its manifest signed over its exact bytes.

    Args:
        image: the file.
        signer: the key that vouches for it.
        sku: the hardware type it is made for.
        version: for a file that names none itself.
        says: what else the manifest says, by the names of its fields.

    Raises:
        Refused: `refused-image-format` when the image is not what it says, `refused-manifest-format`,
            `refused-version-…`, and what the signer refuses.
    """
    found = look_into(image)
    if found["problems"]:
        detail = f"{found['problems'][0]} Sign the build again with `surefoot image sign`."
        raise Refused("refused-image-format", detail)
    payload = Payload(
        format=found["format"],
        version=Version.parse_descriptor(found["version"] or ""),
        digest=found["digest"],
        size_bytes=found["size_bytes"],
        key_id=None,
    )
    manifest = signing.manifest_for(payload, sku, None if version is None else Version.parse(version)).replace(**says)
    return Publication(
        sha256=hashlib.sha256(image).hexdigest(),
        size_bytes=len(image),
        format=payload.format,
        manifest=manifest,
        signed=signing.sign_manifest(manifest, signer),
        image_signature=signer.sign(image[HEADER_BYTES:] if payload.format == ROBO else image),
    )


def sign_targets(
    operator: "OperatorClient", publication: Publication, signers: "Sequence[Signer]", draft: Path | None
) -> str | None:
    """Return the next list of targets, with this release in it; None where the server needs none.

    A list that other keys must sign too is left in the file `draft`, and taken from there once they have.

    Raises:
        Refused: `refused-metadata-threshold` while signatures are missing, `refused-metadata-signature` when the
            server shows a list that none of these keys ever signed, `refused-metadata-mismatch`,
            `refused-release-exists`.
    """
    status = operator.get("/api/v1/metadata")
    if not status["set_up"]:
        return None
    from tuf.api.metadata import Targets

    from surefoot.signing import metadata

    role = next(document for document in status["documents"] if document["role"] == "targets")
    path, entry = publication.target
    if draft is not None and draft.exists():
        document = metadata.read_metadata(Targets, read_file(draft))
        if not metadata.lists(document, path, entry):
            raise Refused("refused-metadata-mismatch", f"{draft} does not list this release: remove it and try again.")
    else:
        shown = operator.get(f"/v1/metadata/{role['name']}")
        newest = metadata.read_metadata(Targets, json.dumps(shown).encode())
        if metadata.lists(newest, path, entry):
            return None
        # Whoever has the server could show a list of his own and have it signed here.
        if not any(metadata.is_endorsed_by(newest, signer.public_key) for signer in signers):
            detail = "None of these keys signed the server's list of targets: name the one that did by --targets-key."
            raise Refused("refused-metadata-signature", detail)
        document = metadata.with_target(newest, path, entry, datetime.now(UTC))
        for signer in signers:
            if signer.public_key.key_id in role["key_ids"]:
                metadata.endorse(document, signer)
    count = len(document.signatures.keys() & set(role["key_ids"]))
    if count >= role["threshold"]:
        return document.to_bytes().decode()
    if draft is not None:
        write_file(draft, document.to_bytes())
    remedy = (
        "name a file for it with --metadata" if draft is None else f"have {draft} signed with `surefoot trust sign`"
    )
    detail = f"The targets have {count} of {role['threshold']} signatures: {remedy}, and publish again."
    raise Refused("refused-metadata-threshold", detail)
