"""Which format a file has, told by its bytes and never by its name, and what it says about itself."""

import binascii

from surefoot.wire import esp_image, esp_signature, image_header, linux_bundle, mcuboot_image
from surefoot.wire.embedded_signature import ECDSA_P256, EmbeddedSignature, unchecked
from surefoot.wire.errors import Refused
from surefoot.wire.image_header import ImageHeader
from surefoot.wire.pieces import digest_of, shifted, take
from surefoot.wire.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.wire.pieces import Read

ROBO = "robo"
ESP_IDF = "esp-idf"
MCUBOOT = "mcuboot"
SWUPDATE = "swupdate"
RAUC = "rauc"
NAMES = (ROBO, ESP_IDF, MCUBOOT, SWUPDATE, RAUC)

HEAD_BYTES = 136

# The vendor's ids of the chips an ESP-IDF image can be for.
CHIPS = {
    0: "ESP32",
    2: "ESP32-S2",
    5: "ESP32-C3",
    9: "ESP32-S3",
    12: "ESP32-C2",
    13: "ESP32-C6",
    16: "ESP32-H2",
    18: "ESP32-P4",
    20: "ESP32-C61",
    23: "ESP32-C5",
    25: "ESP32-H21",
    28: "ESP32-H4",
}


class Format(Record):
    """A recognised file that is whole: its own digests are true.

    `digest` is the SHA-256 of the bytes that a slot holds: of the firmware inside a ROBO image, else of the whole file;
    `slot_bytes` is their number. `version` is the text the file has for it, None where it has none. `facts` are further
    pairs of name and value for people. `inside` is what a ROBO image carries, None where that is not recognised.
    """

    __slots__ = (
        "name",
        "digest",
        "slot_bytes",
        "version",
        "project_name",
        "chip_id",
        "signatures",
        "facts",
        "inside",
    )
    name: str
    digest: str
    slot_bytes: int
    version: "str | None"
    project_name: "str | None"
    chip_id: "int | None"
    signatures: "tuple[EmbeddedSignature, ...]"
    facts: "tuple[tuple[str, object], ...]"
    inside: "Format | None"


def recognise(read: "Read", size_bytes: int) -> Format:
    """Recognise a file of this size and check everything in it that needs no key.

    Raises:
        Refused: `refused-image-format` for what is not recognised, cut off or malformed, `refused-digest` when the
            firmware is not what its own header or records name; for a ROBO header also `refused-version-format`.
    """
    head = read(0, min(HEAD_BYTES, size_bytes))
    if image_header.has_magic(head):
        return _robo(read, size_bytes)
    found = recognise_inside(read, size_bytes)
    if found is not None:
        return found
    if linux_bundle.is_swu(head):
        archive = linux_bundle.parse_swu(read, size_bytes)
        signatures = (unchecked("cms-or-rsa"),) if archive.signed else ()
        return _whole(SWUPDATE, read, size_bytes, signatures=signatures, facts=(("files", archive.names),))
    bundle = linux_bundle.parse_rauc(read, size_bytes)
    if bundle is not None:
        return _whole(RAUC, read, size_bytes, signatures=(unchecked("cms"),), facts=(("bundle format", bundle.layout),))
    known = "ROBO, ESP-IDF, MCUboot, SWUpdate or RAUC"
    raise Refused("refused-image-format", f"This is no image that Surefoot knows ({known}): send what the build made.")


def recognise_inside(read: "Read", size_bytes: int) -> "Format | None":
    """Recognise firmware as a chip runs it, bare or inside a ROBO image; None where it is of another make.

    Raises:
        Refused: as `recognise`, for firmware that begins like one of these formats and is none.
    """
    head = read(0, min(HEAD_BYTES, size_bytes))
    if esp_image.has_magic(head):
        return _esp_idf(read, size_bytes)
    if mcuboot_image.has_magic(head):
        return _mcuboot(read, size_bytes)
    return None


def chip_name(chip_id: int) -> str:
    """Return a chip's name, or its id where this list does not have it."""
    return CHIPS.get(chip_id, f"chip {chip_id}")


def _robo(read: "Read", size_bytes: int) -> Format:
    header = ImageHeader.parse(take(read, 0, min(image_header.HEADER_BYTES, size_bytes)))
    held_bytes = size_bytes - image_header.HEADER_BYTES
    if held_bytes != header.size_bytes:
        raise Refused(
            "refused-image-format",
            f"The image holds {held_bytes} bytes and its header says {header.size_bytes}: send the whole file.",
        )
    digest = digest_of(read, image_header.HEADER_BYTES, held_bytes)
    if digest != binascii.unhexlify(header.digest):
        raise Refused("refused-digest", "The firmware is not what its header names by SHA-256: sign or fetch it again.")
    inside = recognise_inside(shifted(read, image_header.HEADER_BYTES), held_bytes)
    signature = EmbeddedSignature(kind=ECDSA_P256, key_id=None, digest=digest, signature=header.signature)
    return Format(
        name=ROBO,
        digest=header.digest,
        slot_bytes=held_bytes,
        version=str(header.version),
        project_name=inside.project_name if inside else None,
        chip_id=inside.chip_id if inside else None,
        signatures=(signature,),
        facts=(),
        inside=inside,
    )


def _esp_idf(read: "Read", size_bytes: int) -> Format:
    chip_id = esp_image.measure(read, size_bytes).chip_id
    image = esp_image.verify(read, size_bytes, chip_id)
    return _whole(
        ESP_IDF,
        read,
        size_bytes,
        version=image.version or None,
        project_name=image.project_name or None,
        chip_id=chip_id,
        signatures=esp_signature.read_signatures(read, image.size_bytes, size_bytes),
        facts=(("segments", image.segment_count), ("secure version", image.secure_version)),
    )


def _mcuboot(read: "Read", size_bytes: int) -> Format:
    image = mcuboot_image.parse(read, size_bytes)
    facts = [("firmware bytes", image.firmware_bytes), ("build", image.build), ("encrypted", image.encrypted)]
    if image.security_counter is not None:
        facts.append(("security counter", image.security_counter))
    return _whole(MCUBOOT, read, size_bytes, version=image.version, signatures=image.signatures, facts=tuple(facts))


def _whole(
    name: str,
    read: "Read",
    size_bytes: int,
    version: "str | None" = None,
    project_name: "str | None" = None,
    chip_id: "int | None" = None,
    signatures: "tuple[EmbeddedSignature, ...]" = (),
    facts: "tuple[tuple[str, object], ...]" = (),
) -> Format:
    """Return the description of a file that goes into its slot as it is."""
    return Format(
        name=name,
        digest=binascii.hexlify(digest_of(read, 0, size_bytes)).decode(),
        slot_bytes=size_bytes,
        version=version,
        project_name=project_name,
        chip_id=chip_id,
        signatures=signatures,
        facts=facts,
        inside=None,
    )
