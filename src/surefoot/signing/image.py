"""Signs firmware in the formats whose signature Surefoot makes: ROBO, ESP-IDF with Secure Boot v2, and MCUboot."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from surefoot.signing.files import read_file, replace_file
from surefoot.signing.signers import Signer
from surefoot.trust.image import check_signed_image
from surefoot.trust.keys import KeyRing
from surefoot.trust.payload import Payload, check_payload
from surefoot.wire import esp_image, esp_signature, formats, mcuboot_image
from surefoot.wire.errors import Refused
from surefoot.wire.image_header import ImageHeader, has_magic
from surefoot.wire.pieces import ERASED
from surefoot.wire.version import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningPlan:
    """How to sign: the format, and for MCUboot the zero bytes that the build left for the header (0: none were)."""

    format: str = formats.ROBO
    header_bytes: int = 0


def sign_image(firmware: bytes, version: Version, signer: Signer) -> bytes:
    """Return the firmware as a signed ROBO image: header, then the firmware unchanged.

    Raises:
        Refused: `refused-image-format` when there is nothing to sign or it is signed already,
            `refused-version-mismatch` when the build names another version inside, `refused-signature` when the
            signer's own public key does not verify what it signed; and what reading an ESP-IDF image refuses.
    """
    _check_unsigned(firmware)
    _check_version_inside(firmware, version)
    header = ImageHeader(
        version=version,
        size_bytes=len(firmware),
        digest=hashlib.sha256(firmware).hexdigest(),
        signature=signer.sign(firmware),
    )
    # A key store may name a public key that does not belong to the private key it used, and robots would find out last.
    check_signed_image(header, header.digest, KeyRing(keys=(signer.public_key,)))
    return header.encode() + firmware


def sign_esp_idf(firmware: bytes, version: Version, signer: Signer) -> bytes:
    """Return an ESP-IDF image with a Secure Boot v2 signature sector, as the chip's own bootloader verifies it.

    Raises:
        Refused: as `sign_image`; also `refused-image-format` for firmware that is no ESP-IDF image.
    """
    _check_unsigned(firmware)
    if not esp_image.has_magic(firmware):
        raise Refused("refused-image-format", "This is no ESP-IDF application image: sign what `idf.py build` made.")
    _check_version_inside(firmware, version)
    found = formats.recognise(_reader_of(firmware), len(firmware))
    if found.signatures:
        raise Refused("refused-image-format", "This image is signed already: sign the image that the build made.")
    # Padding of its own would move the sector away from where the bootloader looks for it.
    bare = firmware[: esp_image.measure(_reader_of(firmware), len(firmware)).size_bytes]
    padded = bare + ERASED * esp_signature.padding_of(len(bare))
    block = esp_signature.SignatureBlock(
        digest=hashlib.sha256(padded).digest(), xy=signer.public_key.xy, signature=signer.sign(padded)
    )
    return padded + esp_signature.encode_sector(block)


def sign_mcuboot(firmware: bytes, version: Version, signer: Signer, header_bytes: int = 0) -> bytes:
    """Return an MCUboot image: header, firmware, and the records with digest, key and signature.

    Args:
        firmware: what the build made.
        version: what goes into the header.
        signer: what signs.
        header_bytes: how many zero bytes the build left in front for the header; 0 to put one of 32 bytes there.

    Raises:
        Refused: as `sign_image`; also `refused-version-format` for a major number above 255, which MCUboot's header
            has no room for.
    """
    _check_unsigned(firmware)
    if mcuboot_image.has_magic(firmware):
        raise Refused("refused-image-format", "This image has an MCUboot header already: sign what the build made.")
    if version.major > 0xFF:
        raise Refused(
            "refused-version-format", f"{version} does not fit MCUboot's header: its major number ends at 255."
        )
    if header_bytes == 0:
        header_bytes, body = mcuboot_image.HEADER_BYTES, firmware
    else:
        _check_header_room(firmware, header_bytes)
        body = firmware[header_bytes:]
    numbers = (version.major, version.minor, version.patch)
    signed = mcuboot_image.encode_header(numbers, header_bytes, len(body)) + body
    records = mcuboot_image.encode_records(
        hashlib.sha256(signed).digest(), signer.public_key.key_id, signer.sign(signed)
    )
    return signed + records


def sign_file(source: Path, target: Path, version: Version, signer: Signer, plan: SigningPlan | None = None) -> Payload:
    """Sign the firmware in `source` into the file `target`, which appears whole or not at all; return what it is.

    Raises:
        Refused: as `sign_image`; `refused-file-unreadable`, `refused-file-unwritable`.
    """
    plan = plan or SigningPlan()
    sign: dict[str, Callable[[bytes], bytes]] = {
        formats.ROBO: lambda firmware: sign_image(firmware, version, signer),
        formats.ESP_IDF: lambda firmware: sign_esp_idf(firmware, version, signer),
        formats.MCUBOOT: lambda firmware: sign_mcuboot(firmware, version, signer, plan.header_bytes),
    }
    image = sign[plan.format](read_file(source))
    # What leaves here was read back as the server will read it, with the key that robots will verify it with.
    payload = check_payload(image, KeyRing(keys=(signer.public_key,)))
    replace_file(target, image)
    return payload


def _check_unsigned(firmware: bytes) -> None:
    if not firmware:
        raise Refused("refused-image-format", "The firmware is empty: sign the image that the build made.")
    if has_magic(firmware):
        raise Refused("refused-image-format", "This image is signed already: sign the image that the build made.")


def _check_version_inside(firmware: bytes, version: Version) -> None:
    """Refuse a version other than the one inside the bytes that get signed: the header's own is not signed."""
    if not esp_image.has_magic(firmware):
        return
    image = esp_image.measure(_reader_of(firmware), len(firmware))
    inside = Version.parse_descriptor(image.version)
    if inside is not None and inside != version:
        raise Refused(
            "refused-version-mismatch",
            f"The build names itself {inside} inside and cannot be signed as {version}: sign it as {inside}.",
        )


def _reader_of(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset_bytes, length_bytes: data[offset_bytes : offset_bytes + length_bytes]


def _check_header_room(firmware: bytes, header_bytes: int) -> None:
    if not mcuboot_image.HEADER_BYTES <= header_bytes <= mcuboot_image.HEADER_BYTES_MAX:
        detail = f"A header of {header_bytes} bytes is impossible: name 32 to {mcuboot_image.HEADER_BYTES_MAX}."
        raise Refused("refused-image-format", detail)
    if len(firmware) <= header_bytes or firmware[:header_bytes] != bytes(header_bytes):
        detail = (
            f"The first {header_bytes} bytes are not zeros left for a header: name how many the build left, or none."
        )
        raise Refused("refused-image-format", detail)
