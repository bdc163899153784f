"""Makes digests, checksums and signatures true again after an input was changed, so that it gets past them."""

import binascii
import hashlib
import json
import struct
from functools import partial

from cryptography.hazmat.primitives.asymmetric import utils
from securesystemslib.formats import encode_canonical

from metadata_case import ROOT, TARGETS
from support import reader_of
from surefoot.wire import esp_image, esp_signature, image_header, mcuboot_image
from surefoot.wire.errors import Refused

_JOURNAL_HEAD_BYTES = 16
_SECTOR_DIGEST = slice(4, 36)


def seal_image(data: bytes) -> bytes:
    """Make a ROBO, ESP-IDF or MCUboot image's digests true."""
    if image_header.has_magic(data) and len(data) > image_header.HEADER_BYTES:
        firmware = seal_image(data[image_header.HEADER_BYTES :])
        digest = hashlib.sha256(firmware).digest()
        return data[:8] + struct.pack("<I", len(firmware)) + digest + data[44 : image_header.HEADER_BYTES] + firmware
    if data[:1] == bytes((esp_image.MAGIC,)):
        return _seal_esp(data)
    return _seal_mcuboot(data) if mcuboot_image.has_magic(data) else data


def _seal_esp(data: bytes) -> bytes:
    try:
        size_bytes = esp_image.measure(reader_of(data), len(data)).size_bytes
    except Refused:
        return data
    image = bytearray(data[:size_bytes])
    tail_bytes = esp_image.SHA256_BYTES if image[23] else 0
    offset, mixed = esp_image.HEADER_BYTES, esp_image.CHECKSUM_SEED
    for _ in range(image[1]):
        (length,) = struct.unpack("<I", image[offset + 4 : offset + 8])
        offset += 8 + length
        for byte in image[offset - length : offset]:
            mixed ^= byte
    image[size_bytes - tail_bytes - 1] = mixed
    if tail_bytes:
        image[-tail_bytes:] = hashlib.sha256(image[:-tail_bytes]).digest()
    return _seal_sector(bytes(image) + data[size_bytes:], size_bytes)


def _seal_sector(data: bytes, image_bytes: int) -> bytes:
    sector_at = image_bytes + esp_signature.padding_of(image_bytes)
    if len(data) != sector_at + esp_signature.SECTOR_BYTES:
        return data
    digest = hashlib.sha256(data[:sector_at]).digest()
    sector = bytearray(data[sector_at:])
    for index in range(esp_signature.BLOCKS_MAX):
        block = sector[index * esp_signature.BLOCK_BYTES : (index + 1) * esp_signature.BLOCK_BYTES]
        if block[0] == 0xE7:
            block[_SECTOR_DIGEST] = digest
            block[1196:1200] = struct.pack("<I", binascii.crc32(block[:1196]))
            sector[index * esp_signature.BLOCK_BYTES : (index + 1) * esp_signature.BLOCK_BYTES] = block
    return data[:sector_at] + sector


def _seal_mcuboot(data: bytes) -> bytes:
    if len(data) < mcuboot_image.HEADER_BYTES:
        return data
    header_bytes, protected_bytes, firmware_bytes = struct.unpack("<HHI", data[8:16])
    end = header_bytes + protected_bytes + firmware_bytes
    record = struct.pack("<HH", 0x10, 32)
    at = data.find(record, end)
    if at < 0:
        return data
    return data[: at + 4] + hashlib.sha256(data[:end]).digest() + data[at + 36 :]


def seal_journal(data: bytes) -> bytes:
    """Make the first copy's length and CRC true."""
    if len(data) < _JOURNAL_HEAD_BYTES:
        return data
    payload = data[_JOURNAL_HEAD_BYTES:]
    counted = data[4:8] + struct.pack("<I", len(payload))
    return data[:4] + counted + struct.pack("<I", binascii.crc32(payload, binascii.crc32(counted))) + payload


def seal_table(data: bytes) -> bytes:
    """Make a partition table's MD5 true."""
    at = data.find(b"\xeb\xeb" + b"\xff" * 14)
    return data if at < 0 else data[: at + 16] + hashlib.md5(data[:at]).digest() + data[at + 32 :]


def seal_metadata(data: bytes) -> bytes:
    """Sign a document again with the offline keys of `metadata_case`."""
    try:
        document = json.loads(data)
        signed = str(encode_canonical(document["signed"])).encode()
        signatures = []
        for signer in (TARGETS, ROOT):
            raw = signer.sign(signed)
            halves = map(partial(int.from_bytes, byteorder="big"), (raw[:32], raw[32:]))
            der = utils.encode_dss_signature(*halves)
            signatures.append({"keyid": signer.public_key.key_id, "sig": der.hex()})
        document["signatures"] = signatures
        return json.dumps(document).encode()
    except Exception:  # noqa: BLE001 - what cannot be signed stays as it is
        return data
