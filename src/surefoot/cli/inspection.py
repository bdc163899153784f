"""What a signed image says about itself, and where its parts disagree."""

import hashlib
from typing import Any

from surefoot.trust.image import check_signed_image
from surefoot.trust.keys import KeyRing, PublicKey
from surefoot.wire import esp_image
from surefoot.wire.errors import Refused
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.version import Version


def look_into(data: bytes, key: PublicKey | None) -> dict[str, Any]:
    """Return what the image says, as a JSON object; `problems` has one sentence for each thing that is not so.

    Every fact that could not be told is None: `versions_agree` where the firmware names no version, `signature_valid`
    without a key to check with.

    Raises:
        Refused: `refused-image-format` when there is no signed header to begin with.
    """
    header = ImageHeader.parse(data[:HEADER_BYTES])
    firmware = data[HEADER_BYTES:]
    digest = hashlib.sha256(firmware).hexdigest()
    problems: list[str] = []
    if len(firmware) != header.size_bytes:
        problems.append(f"The header speaks of {header.size_bytes} bytes of firmware and there are {len(firmware)}.")
    if digest != header.digest:
        problems.append("The firmware is not what was signed: its SHA-256 is another than the header's.")
    descriptor = _descriptor(firmware, problems)
    agree = _versions_agree(header, descriptor, problems)
    return {
        "version": str(header.version),
        "size_bytes": header.size_bytes,
        "digest": header.digest,
        "digest_matches": digest == header.digest,
        "file_sha256": hashlib.sha256(data).hexdigest(),
        "descriptor_version": descriptor.version if descriptor else None,
        "descriptor_project": descriptor.project_name if descriptor else None,
        "versions_agree": agree,
        "signature_valid": None if key is None else _signature_valid(header, key, problems),
        "problems": problems,
    }


def _descriptor(firmware: bytes, problems: list[str]) -> "esp_image.EspImage | None":
    if firmware[:1] != bytes([esp_image.MAGIC]):
        return None
    try:
        return esp_image.verify(lambda offset, size: firmware[offset : offset + size], len(firmware))
    except Refused as error:
        problems.append(error.message)
        return None


def _versions_agree(header: ImageHeader, descriptor: "esp_image.EspImage | None", problems: list[str]) -> bool | None:
    if descriptor is None:
        return None
    try:
        inside = Version.parse_descriptor(descriptor.version)
    except Refused as error:
        problems.append(error.message)
        return False
    if inside is None:
        return None
    if inside != header.version:
        problems.append(f"The header says {header.version} and the signed firmware inside says {inside}.")
    return inside == header.version


def _signature_valid(header: ImageHeader, key: PublicKey, problems: list[str]) -> bool:
    try:
        check_signed_image(header, header.digest, KeyRing(keys=(key,)))
    except Refused as error:
        problems.append(error.message)
        return False
    return True
