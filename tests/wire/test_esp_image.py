import hashlib
import struct

from support import code_of, reader_of
from surefoot.wire import esp_image

REFUSED = "refused-image-format"


def image_of(segments: "list[bytes]", chip_id: int = 0, hashed: bool = True) -> bytes:
    """Build an image by hand, from the format's description."""
    image = bytes([0xE9, len(segments), 2, 0x3F]) + bytes(8) + struct.pack("<H", chip_id) + bytes(9)
    image += bytes([1 if hashed else 0])
    checksum = 0xEF
    for data in segments:
        image += struct.pack("<II", 0x3F400020, len(data)) + data
        for byte in data:
            checksum ^= byte
    image += bytes(15 - len(image) % 16) + bytes([checksum])
    return image + hashlib.sha256(image).digest() if hashed else image


def descriptor(version: bytes = b"1.2.3", project_name: bytes = b"robot", secure_version: int = 7) -> bytes:
    packed = struct.pack("<II8s32s32s", 0xABCD5432, secure_version, b"", version, project_name)
    return packed + bytes(256 - len(packed))


IMAGE = image_of([descriptor(), b"code" * 2000, b"data"])


def measured(image: bytes) -> esp_image.EspImage:
    return esp_image.measure(reader_of(image), len(image))


def verify_code(image: bytes, limit_bytes: "int | None" = None) -> str:
    return code_of(esp_image.verify, reader_of(image), len(image) if limit_bytes is None else limit_bytes)


def with_byte(image: bytes, offset: int, value: int) -> bytes:
    return image[:offset] + bytes([value]) + image[offset + 1 :]


def test_an_image_says_its_length_and_names() -> None:
    image = measured(IMAGE)
    assert image.size_bytes == len(IMAGE)
    assert (image.version, image.project_name, image.secure_version) == ("1.2.3", "robot", 7)
    assert (image.chip_id, image.segment_count, image.sha256_appended) == (0, 3, True)


def test_the_length_does_not_depend_on_what_follows_in_the_slot() -> None:
    slot = IMAGE + b"\xff" * 5000
    assert esp_image.measure(reader_of(slot), len(slot)).size_bytes == len(IMAGE)
    assert esp_image.verify(reader_of(slot), len(slot)).size_bytes == len(IMAGE)


def test_a_valid_image_verifies_whatever_its_length_leaves_for_padding() -> None:
    for length in range(0, 36, 4):
        image = image_of([descriptor(), b"\x5a" * length])
        assert esp_image.verify(reader_of(image), len(image)).size_bytes == len(image)


def test_an_image_without_appended_sha256_is_held_to_its_checksum_alone() -> None:
    image = image_of([descriptor()], hashed=False)
    verified = esp_image.verify(reader_of(image), len(image))
    assert not verified.sha256_appended
    assert verified.size_bytes == len(image)
    assert verify_code(with_byte(image, 100, image[100] ^ 1)) == REFUSED


def test_an_image_without_descriptor_has_empty_names() -> None:
    image = measured(image_of([b"x" * 400]))
    assert (image.version, image.project_name, image.secure_version) == ("", "", 0)
    assert measured(image_of([b"tiny"])).version == ""


def test_an_unreadable_version_is_empty() -> None:
    assert measured(image_of([descriptor(version=b"")])).version == ""
    assert measured(image_of([descriptor(version=b"\xff" * 32)])).version == ""
    assert measured(image_of([descriptor(version=b"1.0\n")])).version == ""
    assert measured(image_of([descriptor(version=b"v" * 32)])).version == "v" * 32


def test_the_image_is_read_in_pieces() -> None:
    longest = [0]
    read = reader_of(IMAGE)

    def recording(offset_bytes: int, length_bytes: int) -> bytes:
        longest[0] = max(longest[0], length_bytes)
        return read(offset_bytes, length_bytes)

    esp_image.verify(recording, len(IMAGE))
    assert longest[0] == 4096


def test_a_blank_slot_is_refused() -> None:
    assert verify_code(b"\xff" * 4096) == REFUSED
    assert verify_code(b"") == REFUSED


def test_an_image_for_another_chip_is_measured_but_not_verified() -> None:
    image = image_of([descriptor()], chip_id=9)
    assert measured(image).chip_id == 9
    assert verify_code(image) == REFUSED
    assert esp_image.verify(reader_of(image), len(image), 9).chip_id == 9


def test_a_flipped_bit_anywhere_is_refused() -> None:
    for offset in range(0, len(IMAGE), 97):
        assert verify_code(with_byte(IMAGE, offset, IMAGE[offset] ^ 0x10)) == REFUSED, offset
    assert verify_code(with_byte(IMAGE, len(IMAGE) - 1, IMAGE[-1] ^ 1)) == REFUSED


def test_an_image_cut_off_anywhere_is_refused() -> None:
    for length in range(0, len(IMAGE), 101):
        assert verify_code(IMAGE[:length]) == REFUSED
        assert verify_code(IMAGE[:length], len(IMAGE)) == REFUSED


def test_an_image_longer_than_the_slot_is_refused() -> None:
    assert verify_code(IMAGE, len(IMAGE) - 1) == REFUSED


def test_impossible_segments_are_refused() -> None:
    assert verify_code(with_byte(IMAGE, 1, 0)) == REFUSED
    assert verify_code(with_byte(IMAGE, 1, 17)) == REFUSED
    huge = IMAGE[:28] + struct.pack("<I", 0xFFFFFFFC) + IMAGE[32:]
    assert code_of(esp_image.measure, reader_of(huge), len(huge)) == REFUSED
    odd = IMAGE[:28] + struct.pack("<I", 255) + IMAGE[32:]
    assert code_of(esp_image.measure, reader_of(odd), len(odd)) == REFUSED
