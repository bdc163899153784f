"""Small synthetic application images that the bootloader boots and third-party tools read."""

import hashlib
import random
import struct

from surefoot.wire import esp_image
from surefoot.wire.errors import Misuse

# Memory-mapped constants, data RAM, mapped code: where an ESP32 application has its segments.
_LOAD_ADDRESSES = (0x3F400000, 0x3FFB0000, 0x400D0000)
_ENTRY_ADDRESS = 0x40080000
_MAPPED_PAGE_BYTES = 0x10000
_CHECKSUM_PADDING = bytes(3)
_FIXED_BYTES = (
    esp_image.HEADER_BYTES
    + len(_LOAD_ADDRESSES) * esp_image.SEGMENT_HEADER_BYTES
    + len(_CHECKSUM_PADDING)
    + 1
    + esp_image.SHA256_BYTES
)
SIZE_BYTES_MIN = 512


def app_image(
    version: str = "0.2.0",
    *,
    size_bytes: int = 12_000,
    seed: int = 0,
    project_name: str = "robot",
    secure_version: int = 0,
    chip_id: int = esp_image.CHIP_ESP32,
    half_of: int | None = None,
) -> bytes:
    """Return a valid image of exactly `size_bytes`; equal arguments give equal bytes.

    Half of its content is that of the image with the seed `half_of`, as between two builds of one program.

    Raises:
        Misuse: `misuse-image`, the size is below the smallest or not a multiple of 16.
    """
    if size_bytes < SIZE_BYTES_MIN or size_bytes % esp_image.CHECKSUM_BLOCK_BYTES:
        raise Misuse("misuse-image", f"{size_bytes} bytes: images have at least {SIZE_BYTES_MIN}, a multiple of 16.")
    filling = _filling(seed, size_bytes)
    if half_of is not None:
        middle = len(filling) // 2
        filling = _filling(half_of, size_bytes)[:middle] + filling[middle:]
    descriptor = struct.pack(
        "<II8s32s32s16s16s32s32s80s",
        esp_image.DESCRIPTOR_MAGIC,
        secure_version,
        b"",
        version.encode(),
        project_name.encode(),
        b"00:00:00",
        b"Jan  1 2025",
        b"v5.4.1",
        hashlib.sha256(filling).digest(),
        b"",
    )
    third = len(filling) // 12 * 4
    parts = (descriptor + filling[:third], filling[third : 2 * third], filling[2 * third :])
    image = struct.pack(
        "<BBBBIBBBBHBHHxxxxB",
        esp_image.MAGIC,
        len(parts),
        0x02,  # flash mode DIO
        0x3F,  # 8 MB at 80 MHz
        _ENTRY_ADDRESS,
        0xEE,  # write-protect pin not used
        *(0, 0, 0),
        chip_id,
        *(0, 0, 0xFFFF),
        1,
    )
    checksum = esp_image.CHECKSUM_SEED
    for load_address, data in zip(_LOAD_ADDRESSES, parts, strict=True):
        # Mapped segments must have the same place within a page in flash and in memory.
        place = (len(image) + esp_image.SEGMENT_HEADER_BYTES) % _MAPPED_PAGE_BYTES
        image += struct.pack("<II", load_address + place, len(data)) + data
        for byte in data:
            checksum ^= byte
    image += _CHECKSUM_PADDING + bytes([checksum])
    return image + hashlib.sha256(image).digest()


def _filling(seed: int, size_bytes: int) -> bytes:
    return random.Random(f"{seed}/{size_bytes}").randbytes(size_bytes - _FIXED_BYTES - esp_image.DESCRIPTOR_BYTES)
