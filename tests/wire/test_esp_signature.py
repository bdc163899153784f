import binascii
import hashlib
import struct

from support import code_of, reader_of
from surefoot.wire.esp_signature import BLOCK_BYTES, SECTOR_BYTES, padding_of, read_signatures
from surefoot.wire.key_id import key_id_of_xy
from wire.image_case import SIGNATURE, XY, esp_image, signed_esp_image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.wire.embedded_signature import EmbeddedSignature

IMAGE = esp_image()
SIGNED = signed_esp_image(IMAGE)
SECTOR_AT = len(SIGNED) - SECTOR_BYTES


def signatures_of(data: bytes) -> "tuple[EmbeddedSignature, ...]":
    return read_signatures(reader_of(data), len(IMAGE), len(data))


def code(data: bytes) -> str:
    return code_of(read_signatures, reader_of(data), len(IMAGE), len(data))


def block(**changes: bytes) -> bytes:
    """Return the first block with some of its bytes changed, named by offset (`at_36`), and its CRC made anew."""
    data = bytearray(SIGNED[SECTOR_AT : SECTOR_AT + BLOCK_BYTES])
    for name, value in changes.items():
        offset = int(name[3:])
        data[offset : offset + len(value)] = value
    data[1196:1200] = struct.pack("<I", binascii.crc32(bytes(data[:1196])) & 0xFFFFFFFF)
    return bytes(data)


def with_sector(*blocks: bytes) -> bytes:
    sector = b"".join(blocks)
    return SIGNED[:SECTOR_AT] + sector + b"\xff" * (SECTOR_BYTES - len(sector))


def test_a_block_names_its_key_and_holds_its_signature_the_usual_way_round() -> None:
    (found,) = signatures_of(SIGNED)
    assert (found.kind, found.key_id, found.signature) == ("ecdsa-p256", key_id_of_xy(XY), SIGNATURE)
    assert found.digest == hashlib.sha256(SIGNED[:SECTOR_AT]).digest()


def test_numbers_lie_in_the_block_little_endian() -> None:
    assert SIGNED[SECTOR_AT : SECTOR_AT + 4] == b"\xe7\x03\x00\x00"
    assert SIGNED[SECTOR_AT + 37] == XY[31]
    assert SIGNED[SECTOR_AT + 69] == XY[63]
    assert SIGNED[SECTOR_AT + 101] == SIGNATURE[31]


def test_padding_ends_at_a_sector() -> None:
    assert (padding_of(0), padding_of(1), padding_of(4096), padding_of(4097)) == (0, 4095, 0, 4095)


def test_an_image_without_a_sector_has_no_signatures_padded_or_not() -> None:
    assert signatures_of(IMAGE) == ()
    assert signatures_of(IMAGE + b"\xff" * 5000) == ()


def test_up_to_three_keys_may_have_signed() -> None:
    other = block(at_37=b"\7")
    found = signatures_of(with_sector(block(), other, block()))
    assert len(found) == 3
    assert found[0].key_id == found[2].key_id != found[1].key_id


def test_other_kinds_are_named_and_not_checked() -> None:
    for kind, changes in (
        ("rsa-3072", {"at_1": b"\2"}),
        ("ecdsa-p192", {"at_36": b"\1"}),
        ("ecdsa-p384", {"at_2": b"\1", "at_52": b"\3"}),
    ):
        (found,) = signatures_of(with_sector(block(**changes)))
        assert (found.kind, found.key_id, found.digest, found.signature) == (kind, None, None, None)


def test_a_block_about_other_bytes_is_refused() -> None:
    changed = SIGNED[: SECTOR_AT - 1] + b"\xfe" + SIGNED[SECTOR_AT:]
    assert code(changed) == "refused-image-format"
    assert code(with_sector(block(at_4=b"\0\0\0"))) == "refused-digest"


def test_a_damaged_block_is_refused() -> None:
    for offset in range(0, 1200, 7):
        changed = bytearray(SIGNED)
        changed[SECTOR_AT + offset] ^= 1
        assert code(bytes(changed)) == "refused-image-format", offset


def test_a_scheme_or_curve_that_nobody_knows_is_refused() -> None:
    for changes in ({"at_1": b"\4"}, {"at_2": b"\2"}, {"at_36": b"\4"}, {"at_0": b"\xe6"}):
        assert code(with_sector(block(), block(**changes))) == "refused-image-format", changes


def test_what_is_neither_padding_nor_a_signature_is_refused() -> None:
    assert code(IMAGE + b"more") == "refused-image-format"
    assert code(SIGNED + b"\xff") == "refused-image-format"
    assert code(SIGNED[:-1]) == "refused-image-format"
    assert code(SIGNED[:-1] + b"\0") == "refused-image-format"
    assert code(with_sector(block(), b"more")) == "refused-image-format"
