import json
from pathlib import Path
from typing import Any

import pytest

from support import code_of
from surefoot.sim.bootloader import boot
from surefoot.sim.flash import SECTOR_BYTES, Cut, Flash, PowerCut
from surefoot.sim.images import app_image
from surefoot.sim.partitions import NO_FACTORY, SMALL, THREE_SLOTS, Geometry, flash_table, read_partitions, read_records
from surefoot.wire import otadata
from surefoot.wire.otadata import ABORTED, INVALID, NEW, PENDING_VERIFY, UNDEFINED, VALID, encode_record

VECTORS = Path(__file__).parents[1] / "vectors" / "otadata-boot.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text())["cases"]

BLANK = b"\xff" * 32
IMAGE = app_image(size_bytes=4096)
CORRUPT = IMAGE[:1000] + b"\0\0\0\0" + IMAGE[1004:]


def robot(
    geometry: Geometry,
    *records: bytes,
    images: tuple[str, ...] = ("factory", "ota_0", "ota_1", "ota_2"),
    **damaged: bytes,
) -> Flash:
    """Return a flash with these boot records, valid images in these partitions, and other bytes in the named ones."""
    flash = Flash(geometry.flash_size_bytes)
    flash_table(flash, geometry)
    for partition in read_partitions(flash).all:
        if partition.label in damaged:
            partition.write(0, damaged[partition.label])
        elif partition.label in images:
            partition.write(0, IMAGE)
        elif partition.label == "otadata":
            for index, record in enumerate(records):
                partition.write(index * SECTOR_BYTES, record)
    flash.power.restore()
    return flash


def records_of(flash: Flash) -> list[bytes]:
    records = read_partitions(flash).otadata
    assert records
    return [record.encode() for record in read_records(records)]


def test_there_are_seventeen_cases_of_the_real_bootloader() -> None:
    assert len(CASES) == 17


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_it_boots_and_leaves_what_the_real_bootloader_does(case: dict[str, Any]) -> None:
    flash = robot(
        NO_FACTORY,
        bytes.fromhex(case["record_0"]),
        bytes.fromhex(case["record_1"]),
        ota_0=IMAGE if case["image_0_valid"] else CORRUPT,
        ota_1=IMAGE if case["image_1_valid"] else CORRUPT,
    )
    assert boot(flash) == f"ota_{case['booted_slot']}"
    assert records_of(flash) == [bytes.fromhex(case["record_0_after"]), bytes.fromhex(case["record_1_after"])]


def test_blank_records_boot_factory_and_stay_blank() -> None:
    flash = robot(SMALL)
    assert boot(flash) == "factory"
    assert records_of(flash) == [BLANK, BLANK]
    assert flash.power.operations == 0


def test_records_of_bad_crc_boot_factory() -> None:
    bad = encode_record(1, VALID)[:28] + b"\0\0\0\0"
    assert boot(robot(SMALL, bad, bad)) == "factory"


def test_a_blank_robot_whose_factory_image_is_corrupt_boots_the_first_slot_unrecorded() -> None:
    flash = robot(SMALL, factory=CORRUPT)
    assert boot(flash) == "ota_0"
    assert records_of(flash) == [BLANK, BLANK]


def test_a_blank_and_an_aborted_record_without_factory_are_left_alone() -> None:
    aborted = encode_record(2, ABORTED)
    flash = robot(NO_FACTORY, BLANK, aborted)
    assert boot(flash) == "ota_0"
    assert records_of(flash) == [BLANK, aborted]


def test_an_aborted_record_of_bad_crc_counts_as_blank_when_the_first_boot_is_recorded() -> None:
    aborted = encode_record(2, ABORTED)[:28] + b"\0\0\0\0"
    flash = robot(NO_FACTORY, BLANK, aborted)
    assert boot(flash) == "ota_0"
    assert records_of(flash) == [encode_record(1, VALID), aborted]


def test_the_seq_label_and_a_bad_crc_of_a_rewritten_record_are_kept() -> None:
    pending = otadata.parse_record(b"\x02\0\0\0" + b"0123456789abcdefghij" + b"\1\0\0\0" + b"\xef\xbe\xad\xde")
    flash = robot(SMALL, encode_record(1, VALID), pending.encode())
    assert boot(flash) == "ota_0"
    assert records_of(flash)[1] == pending.replace(state=ABORTED).encode()


def test_a_failing_image_falls_back_downwards_to_factory_then_upwards() -> None:
    second = encode_record(2, VALID)
    assert boot(robot(THREE_SLOTS, second)) == "ota_1"
    assert boot(robot(THREE_SLOTS, second, ota_1=CORRUPT)) == "ota_0"
    assert boot(robot(THREE_SLOTS, second, images=("factory", "ota_2"))) == "factory"
    assert boot(robot(THREE_SLOTS, second, images=("ota_2",))) == "ota_2"


def test_an_image_for_another_chip_is_not_booted() -> None:
    other = app_image(size_bytes=4096, chip_id=9)
    assert boot(robot(SMALL, encode_record(1, VALID), ota_0=other)) == "factory"


def test_without_any_valid_image_nothing_boots() -> None:
    assert code_of(boot, robot(THREE_SLOTS, images=())) == "damaged-not-bootable"
    blank = Flash(NO_FACTORY.flash_size_bytes)
    assert code_of(boot, blank) == "damaged-not-bootable"
    blank.write(0x10000, bytes(100))
    assert code_of(boot, blank) == "damaged-not-bootable"


@pytest.mark.parametrize("state", [NEW, PENDING_VERIFY, UNDEFINED])
def test_built_without_rollback_it_boots_any_image_not_given_up_and_writes_nothing(state: int) -> None:
    flash = robot(SMALL, encode_record(1, VALID), encode_record(2, state))
    before = records_of(flash)
    assert boot(flash, rollback_enabled=False) == "ota_1"
    assert records_of(flash) == before


@pytest.mark.parametrize("state", [INVALID, ABORTED])
def test_built_without_rollback_it_still_passes_over_images_given_up(state: int) -> None:
    assert boot(robot(SMALL, encode_record(1, VALID), encode_record(2, state)), rollback_enabled=False) == "ota_0"


@pytest.mark.parametrize("cut", Cut)
@pytest.mark.parametrize("state", [NEW, PENDING_VERIFY])
def test_a_power_cut_while_it_writes_never_keeps_a_robot_from_booting(state: int, cut: Cut) -> None:
    flash = robot(NO_FACTORY, encode_record(1, VALID), encode_record(2, state))
    boot(whole := flash.copy())
    assert whole.power.operations == 2
    for cut_at in (1, 2):
        torn = flash.copy()
        torn.power.restore(cut_at=cut_at, cut=cut)
        with pytest.raises(PowerCut):
            boot(torn)
        torn.power.restore()
        assert boot(torn) in ("ota_0", "ota_1")
        assert boot(torn) == "ota_0"


def test_a_cut_between_erase_and_write_of_a_trial_s_record_boots_the_old_image() -> None:
    flash = robot(NO_FACTORY, encode_record(1, VALID), encode_record(2, NEW))
    flash.power.restore(cut_at=1, cut=Cut.DONE)
    with pytest.raises(PowerCut):
        boot(flash)
    flash.power.restore()
    assert boot(flash) == "ota_0"
    assert records_of(flash)[1] == BLANK
