import binascii
import hashlib
import struct

from support import code_of, reader_of
from surefoot.wire import mcuboot_image
from surefoot.wire.mcuboot_image import McubootImage, encode_header, parse
from wire.image_case import KEY_ID, SIGNATURE
from wire.image_case import mcuboot_image as built

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

IMAGE = built()
FIRMWARE_BYTES = 400


def parsed(data: bytes) -> McubootImage:
    return parse(reader_of(data), len(data))


def code(data: bytes) -> str:
    return code_of(parse, reader_of(data), len(data))


def records(magic: int, *pairs: "tuple[int, bytes]") -> bytes:
    area = b"".join([struct.pack("<HH", kind, len(value)) + value for kind, value in pairs])
    return struct.pack("<HH", magic, 4 + len(area)) + area


def image_with(protected: bytes = b"", flags: int = 0, **named: "Any") -> bytes:
    """Return an image with these protected records, flags, and `pairs` behind its true digest."""
    header = struct.pack("<IIHHIIBBHII", 0x96F3B83D, 0, 32, len(protected), 8, flags, 1, 2, 300, 7, 0)
    signed = header + b"firmware" + protected
    digest = named.get("digest", (0x10, hashlib.sha256(signed).digest()))
    return signed + records(0x6907, digest, *named.get("pairs", ()))


def test_an_image_says_what_it_is_and_who_signed_it() -> None:
    image = parsed(IMAGE)
    assert (image.version, image.build, image.firmware_bytes) == ("1.2.3", 0, FIRMWARE_BYTES)
    assert image.image_bytes == len(IMAGE)
    assert image.digest == hashlib.sha256(IMAGE[: 32 + FIRMWARE_BYTES]).digest()
    assert (image.encrypted, image.security_counter) == (False, None)
    (signature,) = image.signatures
    assert (signature.kind, signature.key_id, signature.signature) == ("ecdsa-p256", KEY_ID, SIGNATURE)
    assert signature.digest == image.digest


def test_a_header_may_be_padded() -> None:
    assert len(encode_header((1, 2, 3), 512, 9)) == 512


def test_protected_records_are_signed_with_the_firmware() -> None:
    image = parsed(image_with(records(0x6908, (0x50, struct.pack("<I", 41)))))
    assert (image.version, image.build, image.security_counter) == ("1.2.300", 7, 41)
    changed = image_with(records(0x6908, (0x50, struct.pack("<I", 41))))
    assert code(changed.replace(struct.pack("<I", 41), struct.pack("<I", 42))) == "refused-digest"


def test_a_whole_public_key_names_the_key_as_its_id_does() -> None:
    der = bytes(range(91))
    image = image_with(pairs=((0x02, der), (0x22, binascii.unhexlify("3006020101020102"))))
    assert parsed(image).signatures[0].key_id == binascii.hexlify(hashlib.sha256(der).digest()).decode()


def test_other_kinds_of_signature_are_named_and_not_checked() -> None:
    for type_, kind in ((0x20, "rsa-2048"), (0x23, "rsa-3072"), (0x24, "ed25519")):
        (signature,) = parsed(image_with(pairs=((type_, bytes(64)),))).signatures
        assert (signature.kind, signature.digest, signature.signature) == (kind, None, None)


def test_an_encrypted_image_is_not_held_to_a_digest_of_what_nobody_can_read() -> None:
    image = parsed(image_with(flags=4, digest=(0x10, bytes(32))))
    assert image.encrypted and image.digest == bytes(32)


def test_a_flipped_bit_in_what_is_signed_is_refused() -> None:
    for offset in range(0, 32 + FIRMWARE_BYTES, 3):
        changed = bytearray(IMAGE)
        changed[offset] ^= 1
        assert code(bytes(changed)) in ("refused-image-format", "refused-digest"), offset


def test_an_image_cut_off_anywhere_is_refused() -> None:
    for length in range(len(IMAGE)):
        assert code(IMAGE[:length]) == "refused-image-format", length


def test_a_slot_may_be_filled_up_and_end_with_a_boot_trailer() -> None:
    assert parsed(IMAGE + b"\xff" * 100).image_bytes == len(IMAGE)
    for trailer in ("77c295f360d2ef7f3552500f2cb67980", "10002de15d29410b8d77679c110f1f8a"):
        filled = IMAGE + b"\xff" * 100 + b"\1" + b"\xff" * 7 + binascii.unhexlify(trailer)
        assert parsed(filled).image_bytes == len(IMAGE)
    assert code(IMAGE + b"more") == "refused-image-format"


def test_records_that_contradict_themselves_are_refused() -> None:
    good = (0x10, hashlib.sha256(b"").digest())
    for bad in (
        image_with()[:-36] + records(0x6907),  # no digest
        image_with(pairs=(good,)),  # two
        image_with(records(0x6907, (0x50, b"1234"))),  # protected by the wrong magic
        image_with(pairs=((0x22, b"no DER"),)),
        image_with()[:40] + struct.pack("<HH", 0x6907, 3) + bytes(40),  # shorter than its own head
        image_with()[:40] + struct.pack("<HH", 0x6907, 6) + bytes(40),  # half a record
        image_with()[:40] + struct.pack("<HHHH", 0x6907, 8, 0x10, 32) + bytes(32),  # a record beyond its area
    ):
        assert code(bad) == "refused-image-format"


def test_a_header_that_is_too_small_or_another_magic_is_refused() -> None:
    assert code(IMAGE[:8] + b"\x1f\0" + IMAGE[10:]) == "refused-image-format"
    assert code(b"\0" + IMAGE[1:]) == "refused-image-format"
    assert not mcuboot_image.has_magic(b"\x3d\xb8")
