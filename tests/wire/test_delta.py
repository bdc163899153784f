from support import code_of, reader_of
from surefoot.wire.delta import HEAD_BYTES, PIECE_BYTES, DeltaHead, patched
from surefoot.wire.image_header import HEADER_BYTES
from wire.delta_case import difference, number, patch_of
from wire.wire_case import DIGEST, HEADER

OLD = bytes(range(256)) * 20
NEW = bytes(reversed(OLD))


class Stream:
    """A patch that comes in whatever pieces it likes."""

    def __init__(self, data: bytes, piece_bytes: int = 1 << 20) -> None:
        self.data = data
        self.piece_bytes = piece_bytes
        self.asked: list[int] = []

    def read(self, length_bytes: int) -> bytes:
        self.asked.append(length_bytes)
        length_bytes = min(length_bytes, self.piece_bytes)
        piece, self.data = self.data[:length_bytes], self.data[length_bytes:]
        return piece


def applied(patch: bytes, size_bytes: int, source: bytes = OLD) -> bytes:
    return b"".join(patched(Stream(patch).read, reader_of(source), size_bytes))


def refused(patch: bytes, size_bytes: int, source: bytes = OLD) -> bool:
    return code_of(applied, patch, size_bytes, source) == "refused-delta"


def test_a_delta_names_its_source_and_carries_its_targets_header() -> None:
    head = DeltaHead(source_digest=DIGEST, header=HEADER)
    data = head.encode()
    assert len(data) == HEAD_BYTES == 36 + HEADER_BYTES
    assert data[:4] == b"SFD1" and data[36:] == HEADER
    assert DeltaHead.parse(data) == head
    for broken in (b"", data[:-1], data + b"\0", b"SFD2" + data[4:]):
        assert code_of(DeltaHead.parse, broken) == "refused-delta"


def test_bytes_are_added_to_the_sources_and_wrap_around() -> None:
    assert applied(patch_of(3, (b"\1\2\377", b"", 0)), 3, b"\0\376\2") == b"\1\0\1"


def test_where_nothing_is_added_the_source_is_copied() -> None:
    assert applied(patch_of(len(OLD), (bytes(len(OLD)), b"", 0)), len(OLD)) == OLD


def test_bytes_that_the_source_lacks_stand_in_the_patch() -> None:
    assert applied(patch_of(len(NEW), (b"", NEW, 0)), len(NEW), b"") == NEW


def test_the_place_in_the_source_moves_forward_and_back() -> None:
    source = b"0123456789"
    patch = patch_of(8, (bytes(2), b"-", 3), (bytes(2), b"", -7), (bytes(3), b"", 0))
    assert applied(patch, 8, source) == b"01-56012"


def test_a_patch_may_come_in_pieces_of_any_size() -> None:
    patch = patch_of(len(OLD) + 3, (difference(OLD, NEW), b"end", 0))
    for piece_bytes in (1, 7, PIECE_BYTES, 5000):
        stream = Stream(patch, piece_bytes)
        assert b"".join(patched(stream.read, reader_of(OLD), len(OLD) + 3)) == NEW + b"end"


def test_no_more_than_a_piece_is_held_whatever_the_lengths_say() -> None:
    stream = Stream(patch_of(len(OLD) + len(NEW), (bytes(len(OLD)), NEW, 0)))
    pieces = [len(piece) for piece in patched(stream.read, reader_of(OLD), len(OLD) + len(NEW))]
    assert max(pieces) <= PIECE_BYTES and max(stream.asked) <= PIECE_BYTES


def test_rounds_without_content_are_passed_over_as_detools_makes_them() -> None:
    patch = patch_of(4, (b"", b"", 1), (b"", b"", 1), (bytes(4), b"", 0))
    assert applied(patch, 4, b"..four") == b"four"


def test_a_patch_that_goes_on_without_making_anything_is_refused() -> None:
    endless = patch_of(4) + number(0) * 30000
    stream = Stream(endless)
    assert code_of(lambda: b"".join(patched(stream.read, reader_of(OLD), 4))) == "refused-delta"
    assert len(stream.asked) < 100


def test_a_patch_of_another_kind_or_size_is_refused() -> None:
    good = patch_of(4, (bytes(4), b"", 0))
    assert refused(good, 5)
    assert refused(good, 3)
    assert refused(b"\x10" + good[1:], 4), "another kind of patch"
    assert refused(b"\x01" + good[1:], 4), "packed inside"
    assert refused(good[:2] + b"\x05" + good[3:], 4), "made for a processor"


def test_a_patch_that_ends_anywhere_too_early_is_refused() -> None:
    patch = patch_of(600, (bytes(400), b"x" * 200, 0))
    for end in range(len(patch) - 1):
        assert refused(patch[:end], 600), end
    assert refused(patch[:-1], 600)
    assert refused(b"", 600)


def test_lengths_that_lie_are_refused() -> None:
    for lie in (number(5), number(-1), number(2**33), number(1 << 20)):
        head = patch_of(4)
        assert refused(head + lie + bytes(2000), 4), lie
        assert refused(head + number(2) + bytes(2) + lie + bytes(2000), 4), lie
    assert refused(patch_of(4) + b"\xff" * 20, 4), "a number without an end"


def test_a_source_is_never_read_outside_of_itself() -> None:
    assert refused(patch_of(4, (b"", b"ab", -1), (bytes(2), b"", 0)), 4)
    assert refused(patch_of(4, (b"", b"ab", len(OLD) - 1), (bytes(2), b"", 0)), 4)
    assert refused(patch_of(4, (bytes(4), b"", 0)), 4, b"abc")
    assert refused(patch_of(4, (b"", b"ab", 2**33), (bytes(2), b"", 0)), 4)
