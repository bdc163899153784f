from support import code_of
from surefoot.wire import otadata
from surefoot.wire.otadata import ABORTED, INVALID, NEW, PENDING_VERIFY, UNDEFINED, VALID

BLANK = otadata.parse_record(b"\xff" * 32)


def record(seq: int, state: int) -> otadata.OtaRecord:
    return otadata.parse_record(otadata.encode_record(seq, state))


def test_a_record_has_the_bytes_that_esp_idf_writes() -> None:
    expected = b"\x02\0\0\0" + b"\xff" * 20 + b"\0\0\0\0" + b"\x74\x37\xf6\x55"
    assert otadata.encode_record(2, NEW) == expected


def test_a_record_comes_back_as_it_was_written_even_with_a_wrong_crc() -> None:
    raw = b"\x02\0\0\0" + b"label of a factory.." + b"\x03\0\0\0" + b"\xef\xbe\xad\xde"
    parsed = otadata.parse_record(raw)
    assert parsed.encode() == raw
    assert (parsed.seq, parsed.state, parsed.crc) == (2, INVALID, 0xDEADBEEF)


def test_a_record_of_another_length_is_refused() -> None:
    assert code_of(otadata.parse_record, b"\xff" * 31) == "refused-boot-record"


def test_the_bootloader_may_choose_by_every_state_but_invalid_and_aborted() -> None:
    for state in (NEW, PENDING_VERIFY, VALID, UNDEFINED, 0x12345678):
        assert record(1, state).is_valid()
        assert not record(1, state).is_invalid()
    for state in (INVALID, ABORTED):
        assert not record(1, state).is_valid()
        assert record(1, state).is_invalid()


def test_a_blank_record_is_invalid() -> None:
    assert BLANK.is_invalid()
    assert not BLANK.is_valid()


def test_a_wrong_crc_makes_a_record_neither_valid_nor_invalid() -> None:
    torn = record(1, VALID).replace(crc=0xDEADBEEF)
    assert not torn.is_crc_right()
    assert not torn.is_valid()
    assert not torn.is_invalid()


def test_a_torn_state_is_not_noticed_by_the_crc() -> None:
    assert record(1, VALID).replace(state=0xFFFFFF02).is_valid()


def test_the_valid_record_with_the_greatest_seq_is_active_and_the_first_on_a_tie() -> None:
    assert otadata.active_record(record(1, VALID), record(2, NEW)) == 1
    assert otadata.active_record(record(3, VALID), record(2, VALID)) == 0
    assert otadata.active_record(record(2, VALID), record(2, NEW)) == 0
    assert otadata.active_record(record(1, VALID), record(2, ABORTED)) == 0
    assert otadata.active_record(BLANK, record(2, VALID)) == 1
    assert otadata.active_record(BLANK, record(2, INVALID)) is None


def test_a_seq_means_slots_in_turn_and_zero_wraps_around() -> None:
    assert [otadata.slot_of(seq, 2) for seq in (1, 2, 3, 0)] == [0, 1, 0, 1]
    assert [otadata.slot_of(seq, 3) for seq in (1, 2, 3, 4)] == [0, 1, 2, 0]


def test_the_next_seq_is_the_smallest_that_means_the_slot() -> None:
    assert otadata.next_seq(None, 1, 2) == 2
    assert otadata.next_seq(1, 1, 2) == 2
    assert otadata.next_seq(2, 0, 2) == 3
    assert otadata.next_seq(2, 1, 2) == 2
    assert otadata.next_seq(1, 2, 3) == 3
    assert otadata.next_seq(5, 0, 3) == 7
