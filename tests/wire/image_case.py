"""Files of every format, built by hand from the formats' descriptions."""

import binascii
import hashlib
import struct

from surefoot.wire.esp_signature import SignatureBlock, encode_sector, padding_of
from surefoot.wire.image_header import ImageHeader
from surefoot.wire.mcuboot_image import encode_header, encode_records
from surefoot.wire.version import Version

XY = bytes(range(1, 65))
SIGNATURE = bytes(range(100, 164))
KEY_ID = "5c" * 32


def esp_image(version: bytes = b"1.2.3", code: bytes = b"code" * 200) -> bytes:
    """Return an ESP32 image with a descriptor, checksum and appended SHA-256."""
    descriptor = struct.pack("<II8s32s32s", 0xABCD5432, 0, b"", version, b"robot") + bytes(256 - 80)
    image = bytes((0xE9, 2, 2, 0x3F)) + bytes(19) + b"\1"
    mixed = 0xEF
    for data in (descriptor, code):
        image += struct.pack("<II", 0x3F400020, len(data)) + data
        for byte in data:
            mixed ^= byte
    image += bytes(15 - len(image) % 16) + bytes((mixed,))
    return image + hashlib.sha256(image).digest()


def signed_esp_image(image: bytes, signature: bytes = SIGNATURE, xy: bytes = XY) -> bytes:
    """Return the image with a signature sector."""
    padded = image + b"\xff" * padding_of(len(image))
    return padded + encode_sector(SignatureBlock(digest=hashlib.sha256(padded).digest(), xy=xy, signature=signature))


def mcuboot_image(firmware: bytes = b"firmware" * 50, signature: bytes = SIGNATURE, key_id: str = KEY_ID) -> bytes:
    """Return a signed MCUboot image of version 1.2.3."""
    signed = encode_header((1, 2, 3), 32, len(firmware)) + firmware
    return signed + encode_records(hashlib.sha256(signed).digest(), key_id, signature)


def robo_image(firmware: bytes, version: str = "1.2.3", signature: bytes = SIGNATURE) -> bytes:
    """Return the firmware behind a signed header."""
    digest = binascii.hexlify(hashlib.sha256(firmware).digest()).decode()
    header = ImageHeader(version=Version.parse(version), size_bytes=len(firmware), digest=digest, signature=signature)
    return header.encode() + firmware


def cpio(files: "list[tuple[bytes, bytes]]", magic: bytes = b"070702") -> bytes:
    """Return an archive as `cpio -H crc` writes it, padded to 512 bytes."""
    data = b""
    for name, content in files + [(b"TRAILER!!!", b"")]:
        fields = [0] * 13
        fields[6], fields[11] = len(content), len(name) + 1
        data += magic + "".join(f"{field:08X}" for field in fields).encode() + name + b"\0"
        data += bytes(-len(data) % 4)
        data += content + bytes(-len(content) % 4)
    return data + bytes(-len(data) % 512)


SWU = cpio([(b"sw-description", b"software = {};"), (b"sw-description.sig", b"sig"), (b"root.ext4", b"x" * 999)])


def rauc_bundle(squashfs_bytes: int = 5000, tree_bytes: int = 0, oid: int = 2) -> bytes:
    """Return a file laid out like a RAUC bundle; its signature is only the frame of one."""
    head = b"hsqs" + bytes(36) + struct.pack("<Q", squashfs_bytes)
    payload = head + bytes(squashfs_bytes - len(head) + -squashfs_bytes % 4096) + b"t" * tree_bytes
    content = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07" + bytes((oid,)) + bytes(400)
    cms = b"\x30\x82" + struct.pack(">H", len(content)) + content
    return payload + cms + struct.pack(">Q", len(cms))
