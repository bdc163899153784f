"""A signature found in an image, as far as Surefoot can check it: ECDSA P-256 over a SHA-256."""

from surefoot.wire.errors import Refused
from surefoot.wire.record import Record

ECDSA_P256 = "ecdsa-p256"
HALF_BYTES = 32

_SEQUENCE = 0x30
_INTEGER = 0x02


class EmbeddedSignature(Record):
    """One signature of an image.

    `kind` is `ecdsa-p256` or the name of what Surefoot cannot check, such as `rsa-3072`, which then has no `digest`
    and no `signature`. `digest` is the 32 bytes that are signed, `signature` raw `r || s` big-endian. `key_id` is the
    key that the image names, None where it names none; only verifying shows whether it is true.
    """

    __slots__ = ("kind", "key_id", "digest", "signature")
    kind: str
    key_id: "str | None"
    digest: "bytes | None"
    signature: "bytes | None"


def unchecked(kind: str) -> EmbeddedSignature:
    """Return a signature of a kind that Surefoot cannot check."""
    return EmbeddedSignature(kind=kind, key_id=None, digest=None, signature=None)


def encode_der(signature: bytes) -> bytes:
    """Return raw `r || s` as the DER of an ECDSA-Sig-Value (RFC 3279 section 2.2.3)."""
    body = _encode_integer(signature[:HALF_BYTES]) + _encode_integer(signature[HALF_BYTES:])
    return bytes((_SEQUENCE, len(body))) + body


def decode_der(data: bytes) -> bytes:
    """Return the DER of a P-256 signature as raw `r || s`; zeros behind it, as old tools pad it, do not matter.

    Raises:
        Refused: `refused-image-format`.
    """
    if len(data) < 2 or data[0] != _SEQUENCE or data[1] > 0x7F or len(data) < 2 + data[1]:
        raise _refusal()
    end = 2 + data[1]
    r, middle = _decode_integer(data, 2, end)
    s, after = _decode_integer(data, middle, end)
    if after != end or data[end:] != bytes(len(data) - end):
        raise _refusal()
    return r + s


def _encode_integer(number: bytes) -> bytes:
    start = 0
    while start < len(number) - 1 and number[start] == 0:
        start += 1
    body = number[start:]
    if body[0] & 0x80:
        body = b"\0" + body
    return bytes((_INTEGER, len(body))) + body


def _decode_integer(data: bytes, offset: int, end: int) -> "tuple[bytes, int]":
    if offset + 2 > end or data[offset] != _INTEGER:
        raise _refusal()
    after = offset + 2 + data[offset + 1]
    number = data[offset + 2 : after]
    if after > end or not number or number[0] & 0x80:
        raise _refusal()
    if len(number) == HALF_BYTES + 1 and number[0] == 0:
        number = number[1:]
    if len(number) > HALF_BYTES:
        raise _refusal()
    return bytes(HALF_BYTES - len(number)) + number, after


def _refusal() -> Refused:
    return Refused("refused-image-format", "A signature in the image is no P-256 signature in DER: sign it again.")
