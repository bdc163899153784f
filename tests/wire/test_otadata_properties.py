from hypothesis import given
from hypothesis import strategies as st

from surefoot.wire import otadata
from surefoot.wire.errors import Refused

U32 = st.integers(0, 0xFFFFFFFF)


@given(st.binary(min_size=32, max_size=32))
def test_any_32_bytes_are_a_record_that_keeps_them(data: bytes) -> None:
    assert otadata.parse_record(data).encode() == data


@given(st.binary(max_size=80))
def test_anything_else_is_refused(data: bytes) -> None:
    try:
        record = otadata.parse_record(data)
    except Refused:
        assert len(data) != 32
    else:
        assert record.encode() == data


@given(seq=U32, state=U32, other_seq=U32, other_state=U32)
def test_the_active_record_is_valid_and_none_is_greater(seq: int, state: int, other_seq: int, other_state: int) -> None:
    records = [
        otadata.parse_record(otadata.encode_record(seq, state)),
        otadata.parse_record(otadata.encode_record(other_seq, other_state)),
    ]
    active = otadata.active_record(*records)
    valid = [record for record in records if record.is_valid()]
    if active is None:
        assert not valid
    else:
        assert records[active].is_valid()
        assert records[active].seq == max(record.seq for record in valid)


@given(active_seq=st.integers(1, 0xFFFF0000), slot_count=st.integers(1, 16), data=st.data())
def test_the_next_seq_means_the_slot_and_is_less_than_a_round_away(
    active_seq: int, slot_count: int, data: st.DataObject
) -> None:
    slot = data.draw(st.integers(0, slot_count - 1))
    seq = otadata.next_seq(active_seq, slot, slot_count)
    assert otadata.slot_of(seq, slot_count) == slot
    assert active_seq <= seq < active_seq + slot_count
