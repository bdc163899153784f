import struct

from hypothesis import example, given
from hypothesis import strategies as st

from support import reader_of
from surefoot.sim.images import app_image
from surefoot.wire import esp_image
from surefoot.wire.errors import Refused

IMAGE = app_image(size_bytes=4800)
HEADER = struct.Struct("<BB10sH9sB")


@st.composite
def near_images(draw: st.DrawFn) -> bytes:
    """Bytes that look enough like an image to get past its header."""
    count = draw(st.integers(0, 17))
    data = HEADER.pack(0xE9, count, b"", draw(st.sampled_from([0, 9])), b"", draw(st.integers(0, 2)))
    for _ in range(count):
        data += struct.pack("<II", 0, draw(st.integers(0, 64) | st.integers(0, 0xFFFFFFFF)))
        data += draw(st.binary(max_size=64))
    return data


@given(data=st.binary(max_size=400) | near_images(), limit_bytes=st.integers(-1, 1000))
@example(data=b"\xe9", limit_bytes=1000)
def test_whatever_is_read_nothing_but_a_refusal_is_raised(data: bytes, limit_bytes: int) -> None:
    for check in (esp_image.measure, esp_image.verify):
        try:
            assert check(reader_of(data), limit_bytes).size_bytes <= limit_bytes
        except Refused as refused:
            assert refused.code == "refused-image-format"


@given(offset=st.integers(0, len(IMAGE) - 1), flipped=st.integers(1, 255))
def test_a_changed_byte_never_verifies(offset: int, flipped: int) -> None:
    changed = bytearray(IMAGE)
    changed[offset] ^= flipped
    # Only the appended SHA-256 makes every byte count; without its flag the image is held to the checksum.
    if offset == 23 and changed[offset]:
        return
    try:
        image = esp_image.verify(reader_of(bytes(changed)), len(changed))
    except Refused:
        return
    assert offset == 23 and not image.sha256_appended
