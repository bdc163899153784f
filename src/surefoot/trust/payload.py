"""What may be stored for a fleet to run: a file of a known format, whole, and signed by a trusted key where it says so.

A ROBO image is always held to its signature. An ESP-IDF or MCUboot image is held to its P-256 signatures if it has
any. What carries none, or one that Surefoot cannot check (RSA, CMS), has no `key_id`: only the signed manifest, which
names its digest, binds it.
"""

from surefoot.trust import p256
from surefoot.trust.keys import KeyRing
from surefoot.wire.embedded_signature import EmbeddedSignature
from surefoot.wire.errors import Refused
from surefoot.wire.formats import Format, recognise
from surefoot.wire.record import Record
from surefoot.wire.version import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.trust.keys import Verify


class Payload(Record):
    """A file that was checked: `digest` is the SHA-256 of the bytes a slot holds, and `size_bytes` their number.

    `version` is None where the file names none, and then the manifest's counts alone. `key_id` is the trusted key that
    signed the file itself, None where only a signed manifest can vouch for it.
    """

    __slots__ = ("format", "version", "digest", "size_bytes", "key_id")
    format: str
    version: "Version | None"
    digest: str
    size_bytes: int
    key_id: "str | None"


def check_payload(data: bytes, ring: KeyRing, verify: "Verify" = p256.verify) -> Payload:
    """Return what a whole file is, once everything about it is true.

    Args:
        data: the file's bytes.
        ring: the keys that are trusted now.
        verify: what checks one signature, as in `KeyRing.verify`.

    Raises:
        Refused: `refused-image-format`, `refused-digest`, `refused-version-format` for a version no robot could hold,
            `refused-version-mismatch` when header and firmware name different ones, `refused-signature` when it is
            signed and no trusted key did.
    """
    found = recognise(lambda offset_bytes, length_bytes: data[offset_bytes : offset_bytes + length_bytes], len(data))
    version = _version_of(found)
    if found.inside is not None:
        inside = _version_of(found.inside)
        if inside is not None and inside != version:
            raise Refused(
                "refused-version-mismatch",
                f"The header says {version} and the firmware inside says {inside}: sign it as {inside}.",
            )
    return Payload(
        format=found.name,
        version=version,
        digest=found.digest,
        size_bytes=found.slot_bytes,
        key_id=signer_of(found.signatures, ring, verify),
    )


def signer_of(
    signatures: "tuple[EmbeddedSignature, ...]", ring: KeyRing, verify: "Verify" = p256.verify
) -> "str | None":
    """Return the trusted key that made one of these signatures; None where there is none that could be checked.

    Raises:
        Refused: `refused-signature` when there are P-256 signatures and no trusted key made any of them.
    """
    checkable = False
    for signature in signatures:
        if signature.digest is None or signature.signature is None:
            continue
        checkable = True
        key_id = ring.verify(signature.digest, signature.signature, verify)
        if key_id is not None:
            return key_id
    if checkable:
        trusted = ", ".join(key.short_id for key in ring.keys) or "none"
        raise Refused(
            "refused-signature",
            f"No trusted key signed this image (trusted: {trusted}): sign it with one of those keys.",
        )
    return None


def _version_of(found: Format) -> "Version | None":
    return None if found.version is None else Version.parse_descriptor(found.version)
