"""What an image says about itself, layer by layer, and where its parts disagree."""

import binascii
import hashlib
from collections.abc import Callable
from typing import Any

from surefoot.trust.keys import KeyRing
from surefoot.wire import formats, image_header
from surefoot.wire.embedded_signature import ECDSA_P256, EmbeddedSignature
from surefoot.wire.errors import Refused
from surefoot.wire.formats import Format
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.version import Version


def look_into(data: bytes, ring: KeyRing | None = None) -> dict[str, Any]:
    """Return all that is known of a file, as a JSON object; `problems` has one sentence for each thing that is not so.

    A signed header is described even where it is not true, so that one sees what is wrong; the other formats are whole
    or refused. What could not be told is None: `versions_agree` where the firmware names no version, a signature's
    `valid` without a key to check with.

    Raises:
        Refused: `refused-image-format`, `refused-digest` for what is no whole image of a known format.
    """
    problems: list[str] = []
    if image_header.has_magic(data):
        found = _look_into_robo(data, ring, problems)
    else:
        found = _layer(formats.recognise(_reader_of(data), len(data)), ring, problems)
    validities = [signature["valid"] for signature in found["signatures"]]
    return {
        **found,
        "file_bytes": len(data),
        "file_sha256": hashlib.sha256(data).hexdigest(),
        "signature_valid": None if ring is None or not validities else True in validities,
        "problems": problems,
    }


def _look_into_robo(data: bytes, ring: KeyRing | None, problems: list[str]) -> dict[str, Any]:
    header = ImageHeader.parse(data[:HEADER_BYTES])
    firmware = data[HEADER_BYTES:]
    digest = hashlib.sha256(firmware).hexdigest()
    if len(firmware) != header.size_bytes:
        problems.append(f"The header speaks of {header.size_bytes} bytes of firmware and there are {len(firmware)}.")
    if digest != header.digest:
        problems.append("The firmware is not what was signed: its SHA-256 is another than the header's.")
    inside = _firmware_inside(firmware, problems)
    signed = EmbeddedSignature(
        kind=ECDSA_P256, key_id=None, digest=binascii.unhexlify(header.digest), signature=header.signature
    )
    return {
        "format": formats.ROBO,
        "version": str(header.version),
        "size_bytes": header.size_bytes,
        "digest": header.digest,
        "digest_matches": digest == header.digest,
        "signatures": _signatures((signed,), ring, problems),
        "versions_agree": _versions_agree(header, inside, problems),
        "inside": None if inside is None else _layer(inside, ring, None),
    }


def _layer(found: Format, ring: KeyRing | None, problems: list[str] | None) -> dict[str, Any]:
    """Describe one layer; the signatures of an inner one are no problem where the robot holds to the outer one."""
    return {
        "format": found.name,
        "version": found.version,
        "project": found.project_name,
        "chip": None if found.chip_id is None else formats.chip_name(found.chip_id),
        "size_bytes": found.slot_bytes,
        "digest": found.digest,
        "signatures": _signatures(found.signatures, ring, problems),
        "details": {name.replace(" ", "_"): value for name, value in found.facts},
    }


def _signatures(
    signatures: tuple[EmbeddedSignature, ...], ring: KeyRing | None, problems: list[str] | None
) -> list[dict[str, Any]]:
    described = []
    for signature in signatures:
        checkable = signature.digest is not None and signature.signature is not None
        key_id = None
        if ring is not None and signature.digest is not None and signature.signature is not None:
            key_id = ring.verify(signature.digest, signature.signature)
        valid = None if ring is None or not checkable else key_id is not None
        described.append({"kind": signature.kind, "key_id": key_id or signature.key_id, "valid": valid})
    validities = [signature["valid"] for signature in described]
    if problems is not None and False in validities and True not in validities:
        given = ", ".join(key.short_id for key in ring.keys) if ring else ""
        problems.append(f"None of the given keys ({given}) signed this image.")
    return described


def _firmware_inside(firmware: bytes, problems: list[str]) -> Format | None:
    try:
        return formats.recognise_inside(_reader_of(firmware), len(firmware))
    except Refused as error:
        problems.append(error.message)
        return None


def _versions_agree(header: ImageHeader, inside: Format | None, problems: list[str]) -> bool | None:
    if inside is None or inside.version is None:
        return None
    try:
        version = Version.parse_descriptor(inside.version)
    except Refused as error:
        problems.append(error.message)
        return False
    if version is None:
        return None
    if version != header.version:
        problems.append(f"The header says {header.version} and the signed firmware inside says {version}.")
    return version == header.version


def _reader_of(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset_bytes, length_bytes: data[offset_bytes : offset_bytes + length_bytes]
