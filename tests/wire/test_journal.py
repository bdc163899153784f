import binascii
import struct

from support import code_of
from surefoot.wire import limits
from surefoot.wire.fields import encode_object, parse_object
from surefoot.wire.image_header import ImageHeader
from surefoot.wire.journal import IDLE, STATES, Label, Loaded, blank_journal, encode_journal, load_journal
from surefoot.wire.offer import offer_from_object, offer_to_object
from surefoot.wire.version import Version
from wire.wire_case import HEADER, JOURNAL, OFFER, offer_of_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BLANK = blank_journal("epoch-1")
ERASED = b"\xff" * 64
HEAD_BYTES = 16


def test_the_header_in_these_tests_is_one() -> None:
    assert ImageHeader.parse(HEADER).encode() == HEADER


def written_by_another_program(**changes: "Any") -> bytes:
    """Return a copy whose bytes are whole and whose content is not what this program writes."""
    payload = encode_journal(JOURNAL, 1)[HEAD_BYTES:]
    source = parse_object(payload, "damaged-journal", limits.JOURNAL_BYTES_MAX)
    source.update(changes)
    payload = encode_object(source)
    crc = binascii.crc32(struct.pack("<II", 9, len(payload)) + payload) & 0xFFFFFFFF
    return struct.pack("<4sIII", b"SFJ1", 9, len(payload), crc) + payload


def test_a_journal_comes_back_as_it_was() -> None:
    for journal in (BLANK, JOURNAL, JOURNAL.replace(header=b"", source_digest="", source_slot="", labels=())):
        loaded = load_journal((encode_journal(journal, 5), b""))
        assert loaded == Loaded(journal=journal, counter=5, next_copy=1, damaged=False)


def test_what_follows_a_copy_in_its_sector_does_not_matter() -> None:
    assert load_journal((b"", encode_journal(JOURNAL, 5) + ERASED)).journal == JOURNAL


def test_the_copy_with_the_higher_counter_counts_and_the_other_is_written_next() -> None:
    older, newer = encode_journal(BLANK, 9), encode_journal(JOURNAL, 10)
    assert load_journal((older, newer)) == Loaded(journal=JOURNAL, counter=10, next_copy=0, damaged=False)
    assert load_journal((newer, older)) == Loaded(journal=JOURNAL, counter=10, next_copy=1, damaged=False)


def test_a_robot_that_never_wrote_remembers_nothing_and_nothing_is_damaged() -> None:
    for copies in ((b"", b""), (ERASED, ERASED), (b"", ERASED)):
        assert load_journal(copies) == Loaded(journal=None, counter=0, next_copy=0, damaged=False)


def test_two_unreadable_copies_are_damage() -> None:
    for copies in ((b"\0" * 64, ERASED), (b"", b"x"), (encode_journal(JOURNAL, 1)[:-1], b"garbage" * 9)):
        loaded = load_journal(copies)
        assert loaded.journal is None and loaded.damaged


def test_a_write_torn_anywhere_leaves_the_other_copy() -> None:
    other = encode_journal(BLANK, 41)
    whole = encode_journal(JOURNAL, 42)
    for length in range(len(whole)):
        for torn in (whole[:length], whole[:length] + b"\xff" * (len(whole) - length)):
            assert load_journal((other, torn)) == Loaded(journal=BLANK, counter=41, next_copy=1, damaged=False)


def test_a_torn_write_over_an_older_copy_leaves_the_other_copy() -> None:
    other, whole = encode_journal(BLANK, 41), encode_journal(JOURNAL, 42)
    old = encode_journal(JOURNAL.replace(boot=16), 40)
    assert len(old) == len(whole)
    for length in range(len(whole)):
        mixed = whole[:length] + old[length:]
        found = load_journal((mixed, other))
        assert (found.journal, found.counter) == ((JOURNAL, 42) if mixed == whole else (BLANK, 41)), length


def test_a_flipped_byte_anywhere_leaves_the_other_copy() -> None:
    other = encode_journal(BLANK, 41)
    whole = encode_journal(JOURNAL, 42)
    for index in range(len(whole)):
        broken = whole[:index] + bytes((whole[index] ^ 0x01,)) + whole[index + 1 :]
        assert load_journal((broken, other)).journal == BLANK, index


def test_a_counter_cannot_be_moved_on_without_the_checksum() -> None:
    copy = encode_journal(JOURNAL, 1)
    moved = copy[:4] + b"\xff\xff\xff\x7f" + copy[8:]
    assert load_journal((moved, encode_journal(BLANK, 2))).journal == BLANK


def test_whole_bytes_with_an_unknown_meaning_are_unreadable() -> None:
    assert load_journal((written_by_another_program(), b"")).journal == JOURNAL
    for name, value in (
        ("state", "retired-state"),
        ("state", IDLE),
        ("state", None),
        ("offer", None),
        ("offer", {"url": 1}),
        ("epoch", ""),
        ("boot", -1),
        ("attempts", "1"),
        ("acknowledged", 1),
        ("received_bytes", None),
        ("header", "zz"),
        ("header", "abc"),
        ("header", "ab"),
        ("header", "00" * 136),
        ("header", 7),
        ("header", None),
        ("source_slot", 7),
        ("source_digest", ["a"]),
        ("version_floor", "1.2"),
        ("version_floor", None),
        ("labels", [["ab" * 32]]),
        ("labels", [7]),
        ("labels", [["ab" * 32, 7]]),
        ("labels", [["ab", "1.0.0"]]),
        ("labels", [["ab" * 32, "1.0.0", "more"]]),
        ("labels", {"a": 1}),
        ("labels", [["ab" * 32, "1.0.0"]] * 5),
        ("code", "a code"),
    ):
        loaded = load_journal((written_by_another_program(**{name: value}), b""))
        assert loaded.journal is None and loaded.damaged, (name, value)
        loaded = load_journal((written_by_another_program(**{name: value}), encode_journal(BLANK, 3)))
        assert loaded == Loaded(journal=BLANK, counter=3, next_copy=0, damaged=False), (name, value)


def test_a_journal_in_no_known_state_cannot_be_made() -> None:
    assert code_of(JOURNAL.replace, state="retired-state") == "damaged-journal"


def test_only_an_idle_journal_has_no_offer() -> None:
    for state in STATES:
        if state == IDLE:
            assert code_of(JOURNAL.replace, state=state) == "damaged-journal"
        else:
            assert JOURNAL.replace(state=state).offer == OFFER
            assert code_of(BLANK.replace, state=state) == "damaged-journal"


def test_labels_are_bounded_and_the_oldest_goes_first() -> None:
    journal = BLANK
    for number in range(6):
        journal = journal.with_label(f"{number:064d}", f"1.0.{number}")
    assert [label.version for label in journal.labels] == ["1.0.2", "1.0.3", "1.0.4", "1.0.5"]
    assert journal.version_of(f"{5:064d}") == "1.0.5" and journal.version_of(f"{0:064d}") is None
    again = journal.with_label(f"{2:064d}", "2.0.0")
    assert [label.version for label in again.labels] == ["1.0.3", "1.0.4", "1.0.5", "2.0.0"]


def test_the_largest_journal_that_can_come_about_fits_its_copy() -> None:
    offer = offer_of_bytes(limits.OFFER_BYTES_MAX)
    assert offer_from_object(offer_to_object(offer)) == offer
    version = "65535.255.255"
    largest = JOURNAL.replace(
        epoch="e" * limits.NAME_CHARS_MAX,
        boot=limits.INTEGER_MAX,
        state="downloading",
        offer=offer,
        attempts=limits.INTEGER_MAX,
        restarts=limits.INTEGER_MAX,
        code="c" * limits.CODE_CHARS_MAX,
        acknowledged=False,
        received_bytes=limits.IMAGE_BYTES_MAX,
        source_slot="s" * limits.NAME_CHARS_MAX,
        source_digest="f" * 64,
        version_floor=Version.parse(version),
        labels=tuple(Label(digest=f"{number:064d}", version=version) for number in range(4)),
        trusted_keys=(b"\xff" * 64,) * limits.MANIFEST_KEYS_MAX,
    )
    copy = encode_journal(largest, 2**32 - 1)
    assert len(copy) <= limits.JOURNAL_BYTES_MAX
    assert load_journal((copy, b"")).journal == largest


def test_a_journal_too_large_for_its_copy_is_not_written() -> None:
    offer = OFFER.replace(url="u" * limits.JOURNAL_BYTES_MAX)
    assert code_of(encode_journal, JOURNAL.replace(offer=offer), 1) == "damaged-journal"
