from support import code_of
from surefoot.wire import partition_table as table
from surefoot.wire.partition_table import PartitionEntry

REFUSED = "refused-partition-table"
FLASH_BYTES = 0x400000

NVS = PartitionEntry(
    kind=table.DATA, subtype=table.DATA_NVS, offset_bytes=0x9000, size_bytes=0x6000, label="nvs", flags=0
)
OTA_0 = PartitionEntry(
    kind=table.APP, subtype=table.APP_OTA_0, offset_bytes=0x10000, size_bytes=0x100000, label="ota_0", flags=1
)
TABLE = table.encode_table((NVS, OTA_0))


def parse_code(data: bytes, flash_size_bytes: int = FLASH_BYTES) -> str:
    return code_of(table.parse_table, data, flash_size_bytes)


def test_an_entry_has_the_bytes_that_esp_idf_writes() -> None:
    assert TABLE[:32] == b"\xaa\x50\x01\x02\x00\x90\x00\x00\x00\x60\x00\x00nvs" + bytes(13) + bytes(4)


def test_a_table_comes_back_as_it_was_written() -> None:
    assert len(TABLE) == 0xC00
    assert table.parse_table(TABLE, FLASH_BYTES) == (NVS, OTA_0)


def test_the_entries_are_closed_by_their_md5() -> None:
    assert TABLE[64:80] == b"\xeb\xeb" + b"\xff" * 14
    for offset in (2, 12, 70 + 10):
        assert parse_code(TABLE[:offset] + bytes([TABLE[offset] ^ 1]) + TABLE[offset + 1 :]) == REFUSED


def test_a_table_without_md5_is_accepted_as_the_bootloader_does() -> None:
    assert table.parse_table(TABLE[:64] + b"\xff" * 32, FLASH_BYTES) == (NVS, OTA_0)


def test_a_blank_table_has_no_entries() -> None:
    assert table.parse_table(b"\xff" * 0xC00, FLASH_BYTES) == ()


def test_a_table_that_does_not_end_is_refused() -> None:
    assert parse_code(TABLE[:96]) == REFUSED
    assert parse_code(b"") == REFUSED


def test_an_entry_of_neither_magic_is_refused() -> None:
    assert parse_code(bytes(0xC00)) == REFUSED
    assert parse_code(TABLE[:96] + TABLE[:32] + TABLE[128:]) == REFUSED


def test_a_partition_behind_the_end_of_the_flash_is_refused() -> None:
    assert parse_code(TABLE, 0x10FFFF) == REFUSED
    assert len(table.parse_table(TABLE, 0x110000)) == 2


def test_a_label_must_fit_its_field() -> None:
    assert code_of(NVS.replace, label="a" * 17) == REFUSED
    assert code_of(NVS.replace, label="") == REFUSED
    assert code_of(NVS.replace, label="a\0b") == REFUSED
    longest = NVS.replace(label="a" * 16)
    assert table.parse_table(table.encode_table((longest,)), FLASH_BYTES) == (longest,)


def test_a_table_holds_no_more_entries_than_its_sector_allows() -> None:
    full = (NVS,) * table.ENTRIES_MAX
    assert table.parse_table(table.encode_table(full), FLASH_BYTES) == full
    assert code_of(table.encode_table, full + (NVS,)) == REFUSED
