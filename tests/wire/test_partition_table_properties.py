from esp_idf_defs.partitions import PartitionTable  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from support import code_of
from surefoot.sim.partitions import ROBOT
from surefoot.wire import partition_table as table
from surefoot.wire.errors import Refused
from surefoot.wire.partition_table import PartitionEntry

FLASH_BYTES = 0x800000
LABELS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=16)
ENTRIES = st.builds(
    PartitionEntry,
    kind=st.integers(0, 255),
    subtype=st.integers(0, 255),
    offset_bytes=st.integers(0, FLASH_BYTES // 2),
    size_bytes=st.integers(0, FLASH_BYTES // 2),
    label=LABELS,
    flags=st.integers(0, 0xFFFFFFFF),
)
# Bytes that get past the magic numbers now and then.
NEAR_ENTRIES = st.builds(
    lambda magic, rest: magic + rest,
    st.sampled_from([b"\xaa\x50", b"\xeb\xeb", b"\xff\xff"]),
    st.binary(min_size=30, max_size=30) | st.just(b"\xff" * 30),
)


@given(st.lists(ENTRIES, max_size=table.ENTRIES_MAX).filter(lambda entries: all(entry.kind < 255 for entry in entries)))
def test_what_is_encoded_is_parsed_back(entries: list[PartitionEntry]) -> None:
    assert table.parse_table(table.encode_table(tuple(entries)), FLASH_BYTES) == tuple(entries)


@given(st.binary(max_size=200) | st.lists(NEAR_ENTRIES, max_size=100).map(b"".join))
def test_whatever_is_read_nothing_but_a_refusal_is_raised(data: bytes) -> None:
    try:
        table.parse_table(data, FLASH_BYTES)
    except Refused as refused:
        assert refused.code == "refused-partition-table"


@given(offset=st.integers(0, len(ROBOT.entries) * 32 + 31), flipped=st.integers(1, 255))
def test_a_changed_byte_in_the_table_is_refused(offset: int, flipped: int) -> None:
    changed = bytearray(table.encode_table(ROBOT.entries))
    changed[offset] ^= flipped
    # The filling between the MD5 entry's magic and its digest means nothing.
    if 2 <= offset - len(ROBOT.entries) * 32 < 16:
        assert table.parse_table(bytes(changed), FLASH_BYTES) == ROBOT.entries
    else:
        assert code_of(table.parse_table, bytes(changed), FLASH_BYTES) == "refused-partition-table"


def test_the_vendor_s_definitions_read_the_robots_table_alike() -> None:
    raw = table.encode_table(ROBOT.entries)
    theirs = PartitionTable.from_binary(raw)
    assert [(entry.name, entry.type, entry.subtype, entry.offset, entry.size) for entry in theirs] == [
        (entry.label, entry.kind, entry.subtype, entry.offset_bytes, entry.size_bytes) for entry in ROBOT.entries
    ]
    assert theirs.to_binary() == raw
