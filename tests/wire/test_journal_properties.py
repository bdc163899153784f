import binascii
import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from surefoot.wire.fields import encode_object, parse_object
from surefoot.wire.journal import Journal, encode_journal, load_journal
from wire.strategies import journals, spoilt
from wire.wire_case import JOURNAL

COUNTERS = st.integers(0, 2**32 - 5)  # as many writes as flash stands, and a few more
COPY = encode_journal(JOURNAL, 1)
SOURCE = parse_object(COPY[16:], "damaged-journal", 4096)


@given(journals(), COUNTERS)
def test_any_journal_comes_back_as_it_was(journal: Journal, counter: int) -> None:
    loaded = load_journal((b"", encode_journal(journal, counter)))
    assert (loaded.journal, loaded.counter, loaded.damaged) == (journal, counter, False)


@given(journals(), journals(), COUNTERS)
def test_a_chain_of_writes_always_ends_in_the_last_one(first: Journal, second: Journal, counter: int) -> None:
    copies = [b"", b""]
    for step, journal in enumerate((first, second, first)):
        loaded = load_journal((copies[0], copies[1]))
        copies[loaded.next_copy] = encode_journal(journal, (loaded.counter if step else counter) + 1)
        assert load_journal((copies[0], copies[1])).journal == journal


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_loaded_without_an_error(first: bytes, second: bytes) -> None:
    loaded = load_journal((first, second))
    assert loaded.journal is None
    assert loaded.damaged == any(set(copy) - {0xFF} for copy in (first, second))


@given(st.data())
def test_damage_to_one_copy_never_costs_the_other(data: st.DataObject) -> None:
    broken = bytearray(encode_journal(JOURNAL.replace(boot=99), 2))
    start = data.draw(st.integers(0, len(broken) - 1))
    damage = data.draw(st.binary(min_size=1, max_size=40))
    whole = bytes(broken)
    broken[start : start + len(damage)] = damage
    if bytes(broken[: len(whole)]) != whole:
        assert load_journal((bytes(broken), COPY)).journal == JOURNAL


@given(spoilt(SOURCE))
def test_whole_bytes_of_any_meaning_are_loaded_without_an_error(source: Any) -> None:
    payload = encode_object(source)
    crc = binascii.crc32(struct.pack("<II", 9, len(payload)) + payload)
    loaded = load_journal((struct.pack("<4sIII", b"SFJ1", 9, len(payload), crc) + payload, COPY))
    assert loaded.journal is not None and not loaded.damaged
    if loaded.counter == 9:
        assert load_journal((encode_journal(loaded.journal, 1), b"")).journal == loaded.journal
