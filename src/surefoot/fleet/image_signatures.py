"""Signatures over the bytes of a slot alone: what devices check that know nothing of our headers and manifests.

Firmware made for AWS IoT verifies ECDSA over the SHA-256 of exactly what it writes into its slot, in DER.
"""

from dataclasses import dataclass

from surefoot.fleet.keys import active_ring
from surefoot.fleet.model import Release
from surefoot.fleet.ports import Rows
from surefoot.wire.errors import Refused

HALF_BYTES = 32
_INTEGER, _SEQUENCE = 0x02, 0x30


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSignature:
    """A release's signature over the SHA-256 of its slot's bytes, in DER, and whose it is."""

    release_id: str
    key_id: str
    der: bytes


def keep_signature(rows: Rows, release: Release, signature: bytes) -> ImageSignature:
    """Keep 64 bytes `r || s` over the release's digest, by an active key; the same again changes nothing.

    Raises:
        Refused: `refused-image-signature`.
    """
    key_id = active_ring(rows).verify(bytes.fromhex(release.digest), signature)
    if key_id is None:
        detail = "No active key made this signature over the image: sign it again with the release's key."
        raise Refused("refused-image-signature", detail)
    kept = ImageSignature(release_id=release.release_id, key_id=key_id, der=to_der(signature))
    if rows.get(ImageSignature, release.release_id) is None:
        rows.put(kept)
    return kept


def to_der(signature: bytes) -> bytes:
    """Return 64 bytes `r || s` as the DER of `ECDSA-Sig-Value` (RFC 3279 section 2.2.3)."""
    body = _integer(signature[:HALF_BYTES]) + _integer(signature[HALF_BYTES:])
    return bytes((_SEQUENCE, len(body))) + body


def _integer(half: bytes) -> bytes:
    number = half.lstrip(b"\0") or b"\0"
    # A first bit that is set would make it negative.
    padded = b"\0" + number if number[0] & 0x80 else number
    return bytes((_INTEGER, len(padded))) + padded
