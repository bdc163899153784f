"""The manifest: what an offline key says about an image, signed over its exact bytes.

The image header's version is not covered by the image's signature, so a version is believed only where it is signed:
in the image's own descriptor or here.
"""

from surefoot.wire import limits
from surefoot.wire.errors import Refused
from surefoot.wire.fields import HEX_DIGITS, NAME_CHARS, Fields, encode_object, is_surrogate, parse_object
from surefoot.wire.record import Record
from surefoot.wire.version import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CODE = "refused-manifest-format"


class Manifest(Record):
    """What is said of one image for one sku.

    `size_bytes` and `digest` are of the image in the slot, header excluded; `version_floor` is the floor a robot sets
    once it has confirmed the image; `protocol` is the protocol the firmware speaks with its companion.
    """

    __slots__ = ("name", "sku", "version", "digest", "size_bytes", "protocol", "version_floor", "notes")
    name: str
    sku: str
    version: Version
    digest: str
    size_bytes: int
    protocol: "int | None"
    version_floor: "Version | None"
    notes: "str | None"

    def check(self) -> None:
        if self.version_floor is not None and self.version_floor > self.version:
            raise Refused(
                CODE, f"A floor of {self.version_floor} would lock {self.version} itself out: lower the floor."
            )


class SignedManifest(Record):
    """The manifest's exact bytes, the id of the key that signed them, and the raw `r ‖ s` signature."""

    __slots__ = ("payload", "key_id", "signature")
    payload: bytes
    key_id: str
    signature: bytes


def parse_manifest(payload: bytes) -> Manifest:
    """Parse a manifest's bytes; raise `Refused` (`refused-manifest-format`, `refused-version-format`)."""
    fields = Fields(parse_object(payload, CODE, limits.MANIFEST_BYTES_MAX), CODE, "manifest")
    floor = fields.optional_text("version_floor", limits.NAME_CHARS_MAX)
    return Manifest(
        name=fields.text("name", limits.NAME_CHARS_MAX, NAME_CHARS),
        sku=fields.text("sku", limits.NAME_CHARS_MAX, NAME_CHARS),
        version=Version.parse(fields.text("version", limits.NAME_CHARS_MAX)),
        digest=fields.digest("digest"),
        size_bytes=fields.integer("size_bytes", limits.IMAGE_BYTES_MAX),
        protocol=fields.optional_integer("protocol", 65535),
        version_floor=None if floor is None else Version.parse(floor),
        notes=fields.optional_text("notes", limits.MANIFEST_BYTES_MAX),
    )


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the bytes to sign."""
    value: "dict[str, Any]" = {
        "name": manifest.name,
        "sku": manifest.sku,
        "version": str(manifest.version),
        "digest": manifest.digest,
        "size_bytes": manifest.size_bytes,
    }
    if manifest.protocol is not None:
        value["protocol"] = manifest.protocol
    if manifest.version_floor is not None:
        value["version_floor"] = str(manifest.version_floor)
    if manifest.notes is not None:
        value["notes"] = manifest.notes
    return encode_object(value)


def signed_manifest_from_object(source: object) -> SignedManifest:
    """Build a signed manifest from a parsed JSON object; raise `Refused` (`refused-manifest-format`)."""
    fields = Fields(source, CODE, "manifest envelope")
    signature = fields.text("signature", 128, HEX_DIGITS)
    if len(signature) != 128:
        raise fields.refuse("signature", "128 hex digits")
    payload = fields.text("payload", limits.MANIFEST_BYTES_MAX)
    # JSON writes characters beyond U+FFFF as pairs of surrogates, which MicroPython does not put together again: the
    # bytes would not be the signed ones.
    if any(ord(char) > 0xFFFF or is_surrogate(char) for char in payload):
        raise fields.refuse("payload", "without characters beyond U+FFFF, unless they are escaped")
    return SignedManifest(
        payload=payload.encode("utf-8"),
        key_id=fields.digest("key_id"),
        signature=bytes.fromhex(signature),
    )


def signed_manifest_to_object(signed: SignedManifest) -> "dict[str, Any]":
    """Return the signed manifest as a JSON object; the payload travels as text, byte for byte."""
    return {
        "payload": signed.payload.decode("utf-8"),
        "key_id": signed.key_id,
        "signature": signed.signature.hex(),
    }
