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
COMPANION_CHARS = "0123456789."


class Manifest(Record):
    """What is said of one image for one sku.

    `size_bytes` and `digest` are of the image in the slot, header excluded; `protocol` is the protocol the firmware
    speaks with its companion, and `companion_versions` are the companions it works with: a line (`0.1`) or one version
    (`0.1.4`) each, any where there are none. `from_version_min` is the lowest running version it can be installed over,
    `version_floor` the floor a robot sets once it has confirmed the image. `delta_sources` are the digests of images
    that deltas to this one are made from. `trusted_keys` (64 bytes X || Y each) are the keys a robot trusts once it has
    confirmed the image, in place of those before, and none where they stay. After `expires_at_s` (Unix seconds) nobody
    begins to install it.
    """

    __slots__ = (
        "name",
        "sku",
        "version",
        "digest",
        "size_bytes",
        "protocol",
        "companion_versions",
        "from_version_min",
        "version_floor",
        "delta_sources",
        "trusted_keys",
        "expires_at_s",
        "notes",
    )
    name: str
    sku: str
    version: Version
    digest: str
    size_bytes: int
    protocol: "int | None"
    companion_versions: "tuple[str, ...]"
    from_version_min: "Version | None"
    version_floor: "Version | None"
    delta_sources: "tuple[str, ...]"
    trusted_keys: "tuple[bytes, ...]"
    expires_at_s: "int | None"
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
    return Manifest(
        name=fields.text("name", limits.NAME_CHARS_MAX, NAME_CHARS),
        sku=fields.text("sku", limits.NAME_CHARS_MAX, NAME_CHARS),
        version=Version.parse(fields.text("version", limits.NAME_CHARS_MAX)),
        digest=fields.digest("digest"),
        size_bytes=fields.integer("size_bytes", limits.IMAGE_BYTES_MAX),
        protocol=fields.optional_integer("protocol", 65535),
        companion_versions=_texts(fields, "companion_versions", limits.COMPANION_VERSIONS_MAX, COMPANION_CHARS),
        from_version_min=_optional_version(fields, "from_version_min"),
        version_floor=_optional_version(fields, "version_floor"),
        delta_sources=_texts(fields, "delta_sources", limits.DELTA_SOURCES_MAX, HEX_DIGITS, 64),
        trusted_keys=public_keys(fields, "trusted_keys"),
        expires_at_s=fields.optional_integer("expires_at_s"),
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
    for name in ("protocol", "expires_at_s", "notes"):
        if getattr(manifest, name) is not None:
            value[name] = getattr(manifest, name)
    for name in ("from_version_min", "version_floor"):
        if getattr(manifest, name) is not None:
            value[name] = str(getattr(manifest, name))
    for name in ("companion_versions", "delta_sources"):
        if getattr(manifest, name):
            value[name] = list(getattr(manifest, name))
    if manifest.trusted_keys:
        value["trusted_keys"] = [key.hex() for key in manifest.trusted_keys]
    return encode_object(value)


def public_keys(fields: Fields, key: str) -> "tuple[bytes, ...]":
    """Read an array of public keys, 128 hex digits each; that they lie on the curve is not looked at."""
    texts = _texts(fields, key, limits.MANIFEST_KEYS_MAX, HEX_DIGITS, 128)
    return tuple([bytes.fromhex(text) for text in texts])


def _optional_version(fields: Fields, key: str) -> "Version | None":
    text = fields.optional_text(key, limits.NAME_CHARS_MAX)
    return None if text is None else Version.parse(text)


def _texts(fields: Fields, key: str, items_max: int, alphabet: str, chars: int = 0) -> "tuple[str, ...]":
    """Read an array of strings of this alphabet, each of exactly `chars` characters if that is given."""
    found = []
    for item in fields.array(key, items_max):
        text = Fields({key: item}, fields.code, fields.where).text(key, chars or limits.NAME_CHARS_MAX, alphabet)
        if chars and len(text) != chars:
            raise fields.refuse(key, f"an array of {chars} characters each")
        found.append(text)
    return tuple(found)


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
