import pytest

from support import code_of
from surefoot.sim.flash import SECTOR_BYTES, Flash
from surefoot.sim.partitions import GEOMETRIES, NO_FACTORY, ROBOT, THREE_SLOTS, Geometry, flash_table, read_partitions


def flashed(geometry: Geometry) -> Flash:
    flash = Flash(geometry.flash_size_bytes)
    flash_table(flash, geometry)
    return flash


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda geometry: geometry.name)
def test_partitions_are_found_by_the_table_in_flash(geometry: Geometry) -> None:
    partitions = read_partitions(flashed(geometry))
    assert tuple(partition.entry for partition in partitions.all) == geometry.entries


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda geometry: geometry.name)
def test_partitions_of_a_geometry_are_aligned_and_do_not_overlap(geometry: Geometry) -> None:
    end = 0x11000
    for entry in sorted(geometry.entries, key=lambda entry: entry.offset_bytes):
        assert entry.offset_bytes >= end
        assert entry.offset_bytes % (0x10000 if entry.kind == 0 else SECTOR_BYTES) == 0
        end = entry.offset_bytes + entry.size_bytes
    assert end <= geometry.flash_size_bytes


def test_the_roles_of_the_partitions_come_from_their_types() -> None:
    partitions = read_partitions(flashed(ROBOT))
    assert [slot.label for slot in partitions.slots] == ["ota_0", "ota_1"]
    assert partitions.factory == partitions["factory"]
    assert partitions.otadata == partitions["otadata"]
    assert read_partitions(flashed(NO_FACTORY)).factory is None
    assert len(read_partitions(flashed(THREE_SLOTS)).slots) == 3
    assert code_of(partitions.__getitem__, "ota_9") == "misuse-partition"


def test_a_partition_is_read_and_written_from_its_own_beginning() -> None:
    flash = flashed(ROBOT)
    nvs = read_partitions(flash)["nvs"]
    nvs.write(5, b"abc")
    assert nvs.read(4, 5) == b"\xffabc\xff"
    assert flash.read(0x11005, 3) == b"abc"
    nvs.erase(0, nvs.size_bytes)
    assert nvs.read(5, 3) == b"\xff" * 3


def test_nothing_outside_a_partition_is_touched() -> None:
    nvs = read_partitions(flashed(ROBOT))["nvs"]
    assert code_of(nvs.write, nvs.size_bytes - 1, b"ab") == "misuse-flash"
    assert code_of(nvs.read, -1, 2) == "misuse-flash"
    assert code_of(nvs.erase, 0, nvs.size_bytes + SECTOR_BYTES) == "misuse-flash"
    assert nvs.size_bytes == 0x6000


def test_a_flash_without_table_is_refused() -> None:
    flash = flashed(ROBOT)
    flash.erase(0x10000, SECTOR_BYTES)
    flash.write(0x10000, bytes(64))
    assert code_of(read_partitions, flash) == "refused-partition-table"
