import hashlib

from support import code_of, reader_of
from surefoot.wire.pieces import digest_of, is_filled, shifted, take

DATA = bytes(range(256)) * 40


def test_a_part_is_taken_whole_or_refused() -> None:
    assert take(reader_of(DATA), 5, 3) == bytes((5, 6, 7))
    assert take(reader_of(DATA), len(DATA), 0) == b""
    assert code_of(take, reader_of(DATA), len(DATA) - 1, 2) == "refused-image-format"


def test_the_digest_of_a_part_is_that_of_its_bytes_read_in_pieces() -> None:
    longest = [0]

    def read(offset_bytes: int, length_bytes: int) -> bytes:
        longest[0] = max(longest[0], length_bytes)
        return DATA[offset_bytes : offset_bytes + length_bytes]

    assert digest_of(read, 7, 9001) == hashlib.sha256(DATA[7:9008]).digest()
    assert longest[0] == 4096
    assert code_of(digest_of, read, 0, len(DATA) + 1) == "refused-image-format"


def test_one_other_byte_is_found_in_a_filling() -> None:
    filled = b"\xff" * 9000
    assert is_filled(reader_of(filled), 0, 9000)
    assert is_filled(reader_of(DATA), 100, 0)
    assert not is_filled(reader_of(filled[:-1] + b"\0"), 0, 9000)
    assert is_filled(reader_of(bytes(9)), 0, 9, b"\0")


def test_a_shifted_reader_begins_later() -> None:
    assert shifted(reader_of(DATA), 10)(1, 2) == bytes((11, 12))
