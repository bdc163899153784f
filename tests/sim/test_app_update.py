import pytest

from support import code_of
from surefoot.sim.app_update import AppUpdate
from surefoot.sim.bootloader import boot
from surefoot.sim.flash import SECTOR_BYTES, Cut, Flash, PowerCut
from surefoot.sim.images import app_image
from surefoot.sim.partitions import NO_FACTORY, SMALL, THREE_SLOTS, Geometry, flash_table, read_partitions
from surefoot.wire import otadata as ota

OLD = app_image("0.2.0", size_bytes=4096)
NEW = app_image("0.2.1", size_bytes=8192)
BLANK = b"\xff" * 32


def robot(geometry: Geometry = SMALL) -> Flash:
    """Return a flash whose first OTA slot runs, confirmed."""
    flash = Flash(geometry.flash_size_bytes)
    flash_table(flash, geometry)
    partitions = read_partitions(flash)
    for partition in (partitions.factory, partitions["ota_0"]):
        if partition:
            partition.write(0, OLD)
    partitions["otadata"].write(0, ota.encode_record(1, ota.VALID))
    return flash


def booted(flash: Flash) -> AppUpdate:
    return AppUpdate(flash, boot(flash))


def install(app: AppUpdate, label: str = "ota_1") -> None:
    app.begin(label).write(0, NEW)
    app.set_boot_slot(label)


def bytes_of(app: AppUpdate) -> list[bytes]:
    return [record.encode() for record in app.records()]


def test_an_update_is_tried_confirmed_and_stays() -> None:
    flash = robot()
    app = booted(flash)
    assert app.running.label == "ota_0"
    assert app.next_update_slot().label == "ota_1"
    install(app)
    assert bytes_of(app) == [ota.encode_record(1, ota.VALID), ota.encode_record(2, ota.NEW)]
    assert app.boot_slot() == "ota_1"
    app = booted(flash)
    assert app.running.label == "ota_1"
    assert app.slot_state("ota_1") == ota.PENDING_VERIFY
    app.mark_valid()
    assert booted(flash).running.label == "ota_1"
    assert bytes_of(app) == [ota.encode_record(1, ota.VALID), ota.encode_record(2, ota.VALID)]


def test_a_trial_that_is_not_confirmed_ends_at_the_next_boot() -> None:
    flash = robot()
    install(booted(flash))
    assert booted(flash).running.label == "ota_1"
    app = booted(flash)
    assert app.running.label == "ota_0"
    assert app.slot_state("ota_1") == ota.ABORTED


def test_a_seq_is_used_again_after_a_rollback() -> None:
    flash = robot()
    install(booted(flash))
    booted(flash).mark_invalid()
    app = booted(flash)
    assert app.running.label == "ota_0"
    assert app.slot_state("ota_1") == ota.INVALID
    install(app)
    assert bytes_of(app)[1] == ota.encode_record(2, ota.NEW)


def test_the_running_slot_and_what_is_no_slot_are_never_begun() -> None:
    app = booted(robot())
    assert code_of(app.begin, "ota_0") == "misuse-running-slot"
    assert code_of(app.resume, "ota_0") == "misuse-running-slot"
    assert code_of(app.begin, "factory") == "misuse-partition"
    assert code_of(app.begin, "nvs") == "misuse-partition"


def test_no_update_begins_while_the_running_image_is_on_trial() -> None:
    flash = robot()
    install(booted(flash))
    app = booted(flash)
    assert code_of(app.begin, "ota_0") == "misuse-on-trial"
    app.mark_valid()
    assert app.begin("ota_0").label == "ota_0"


def test_begin_erases_what_it_was_asked_to_in_whole_sectors() -> None:
    app = booted(robot())
    slot = app.partitions["ota_1"]
    slot.write(0, bytes(3 * SECTOR_BYTES))
    app.begin("ota_1", 0)
    assert slot.read(0, SECTOR_BYTES) == bytes(SECTOR_BYTES)
    app.begin("ota_1", SECTOR_BYTES + 1)
    assert slot.read(0, 3 * SECTOR_BYTES) == b"\xff" * 2 * SECTOR_BYTES + bytes(SECTOR_BYTES)
    app.begin("ota_1")
    assert slot.read(0, slot.size_bytes) == b"\xff" * slot.size_bytes


def test_begin_erases_the_record_of_the_image_it_overwrites_as_newer_esp_idf_does() -> None:
    flash = robot()
    install(booted(flash))
    booted(flash).mark_valid()
    confirmed = [ota.encode_record(1, ota.VALID), ota.encode_record(2, ota.VALID)]
    older = AppUpdate(flash, boot(flash), erases_stale_record=False)
    older.begin("ota_0")
    assert bytes_of(older) == confirmed
    newer = booted(flash)
    newer.begin("ota_0")
    assert bytes_of(newer) == [BLANK, confirmed[1]]


def test_an_image_that_does_not_verify_is_not_selected() -> None:
    app = booted(robot())
    app.begin("ota_1").write(0, NEW[:-1])
    before = bytes_of(app)
    assert code_of(app.set_boot_slot, "ota_1") == "refused-image-format"
    assert bytes_of(app) == before


def test_selecting_the_active_slot_again_rewrites_its_own_record() -> None:
    app = booted(robot())
    app.set_boot_slot("ota_0")
    assert bytes_of(app) == [ota.encode_record(1, ota.NEW), BLANK]


def test_selecting_a_slot_without_active_record_writes_the_first_record() -> None:
    flash = robot()
    app = booted(flash)
    app.set_boot_slot("factory")
    assert bytes_of(app) == [BLANK, BLANK]
    assert app.boot_slot() is None
    app = booted(flash)
    assert app.running.label == "factory"
    assert app.next_update_slot().label == "ota_0"
    install(app)
    assert bytes_of(app) == [ota.encode_record(2, ota.NEW), BLANK]


def test_built_without_rollback_a_selected_image_is_never_on_trial() -> None:
    flash = robot()
    app = AppUpdate(flash, boot(flash, rollback_enabled=False), rollback_enabled=False)
    install(app)
    assert bytes_of(app)[1] == ota.encode_record(2, ota.UNDEFINED)
    assert boot(flash, rollback_enabled=False) == "ota_1"


def test_the_label_bytes_of_a_record_are_kept() -> None:
    flash = robot()
    records = read_partitions(flash)["otadata"]
    records.write(SECTOR_BYTES, b"\xff" * 4 + b"0123456789abcdefghij")
    app = booted(flash)
    app.begin("ota_1").write(0, NEW)
    app.set_boot_slot("ota_1")
    assert app.records()[1] == ota.parse_record(ota.encode_record(2, ota.NEW, b"0123456789abcdefghij"))


def test_slots_are_updated_in_turn() -> None:
    flash = robot(THREE_SLOTS)
    order = []
    for _ in range(4):
        app = booted(flash)
        label = app.next_update_slot().label
        install(app, label)
        booted(flash).mark_valid()
        order.append(label)
    assert order == ["ota_1", "ota_2", "ota_0", "ota_1"]
    assert max(record.seq for record in booted(flash).records() if record.is_valid()) == 5


def test_the_factory_image_cannot_be_marked() -> None:
    flash = robot()
    booted(flash).set_boot_slot("factory")
    app = booted(flash)
    assert code_of(app.mark_valid) == "misuse-no-boot-record"
    assert code_of(app.mark_invalid) == "misuse-no-boot-record"


def test_a_confirmed_record_is_not_written_again() -> None:
    flash = robot()
    app = booted(flash)
    flash.power.restore()
    app.mark_valid()
    assert flash.power.operations == 0


def test_the_only_bootable_image_is_not_given_up() -> None:
    app = booted(robot(NO_FACTORY))
    assert code_of(app.mark_invalid) == "damaged-no-rollback-image"
    assert app.slot_state("ota_0") == ota.VALID


def test_factory_is_an_image_to_go_back_to() -> None:
    flash = robot(SMALL)
    booted(flash).mark_invalid()
    assert boot(flash) == "factory"


def test_confirming_cut_between_erase_and_write_boots_the_old_image() -> None:
    flash = robot()
    install(booted(flash))
    app = booted(flash)
    flash.power.restore(cut_at=1, cut=Cut.DONE)
    with pytest.raises(PowerCut):
        app.mark_valid()
    flash.power.restore()
    assert booted(flash).running.label == "ota_0"
    assert bytes_of(app)[1] == BLANK


@pytest.mark.parametrize("geometry", [SMALL, NO_FACTORY], ids=lambda geometry: geometry.name)
@pytest.mark.parametrize("cut", Cut)
def test_an_update_cut_at_any_operation_always_boots_an_image_that_verifies(geometry: Geometry, cut: Cut) -> None:
    def update(flash: Flash) -> None:
        app = booted(flash)
        if app.running.label != "ota_1":
            install(app)
            app = booted(flash)
        app.mark_valid()

    start = robot(geometry)
    update(whole := start.copy())
    for cut_at in range(1, whole.power.operations + 1):
        flash = start.copy()
        flash.power.restore(cut_at=cut_at, cut=cut)
        with pytest.raises(PowerCut):
            update(flash)
        flash.power.restore()
        assert boot(flash) in ("ota_0", "ota_1")
        update(flash)
        assert boot(flash) == "ota_1"
