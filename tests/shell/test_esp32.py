"""Whole updates through MicroPython's `esp32` module, on the chip of the simulator, in a real fleet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shell.esp32_module import nvs_class, partition_class
from support import code_of
from surefoot.fleet.model import Status
from surefoot.shell.esp32 import Esp32Slots
from surefoot.shell.nvs import NvsJournal
from surefoot.shell.ports import Transport
from surefoot.shell.runner import Runner
from surefoot.signing.signers import new_key, open_signer
from surefoot.sim import bootloader
from surefoot.sim.app_update import AppUpdate
from surefoot.sim.cuts import OLD_VERSION, Bench, settle, sweep
from surefoot.sim.flash import Cut, Flash
from surefoot.sim.ground import SimFleet
from surefoot.sim.images import app_image
from surefoot.sim.partitions import NO_FACTORY, SMALL, THREE_SLOTS, Geometry, flash_table, read_partitions
from surefoot.sim.robot import Behaviour, RobotHost, SimRobot
from surefoot.wire import otadata as ota
from surefoot.wire.journal import blank_journal, encode_journal, load_journal
from surefoot.wire.report import CONFIRMED, EMPTY, ROLLED_BACK, TRIAL, UNKNOWN

OLD = app_image(OLD_VERSION, seed=1)
NEW = app_image("0.2.1", seed=2)


class Esp32Robot(SimRobot):
    """The simulated robot with the drivers of a real chip between agent and flash."""

    worn_blocks: tuple[int, ...] = ()

    def _boot(self) -> int | None:
        self.boots += 1
        self._running = self._runner = None
        app = AppUpdate(self.flash, bootloader.boot(self.flash))
        self._running = app.running
        runner = Runner(
            self.identity,
            Esp32Slots(partition_class(app, worn_blocks=self.worn_blocks), block_bytes=self._block_bytes),
            NvsJournal(nvs_class(app.partitions["nvs"])),
            self._transport,
            RobotHost(self._behaviour(), self._log, self._pause),
        )
        self._runner = runner
        return self._survive(lambda: runner.start(f"epoch-{self.boots}"))


class Esp32Bench(Bench):
    """A sweep over robots with the drivers of a real chip."""

    def robot_on(self, name: str, transport: Transport, behaviour: Behaviour) -> SimRobot:
        return Esp32Robot(
            self.fleet.identity(name),
            made_chip(self.geometry, self.old_image),
            transport,
            behaviours={self.release.digest: behaviour},
            block_bytes=self.block_bytes,
        )


def made_chip(geometry: Geometry, image: bytes) -> Flash:
    """Return a flash as the factory leaves it, its journal in NVS."""
    flash = blank_chip(geometry)
    partitions = read_partitions(flash)
    (partitions.factory or partitions.slots[0]).write(0, image)
    NvsJournal(nvs_class(partitions["nvs"])).write_copy(0, encode_journal(blank_journal("factory"), 1))
    flash.power.restore()
    return flash


def blank_chip(geometry: Geometry) -> Flash:
    flash = Flash(geometry.flash_size_bytes)
    flash_table(flash, geometry)
    return flash


def booted(flash: Flash, *, hides_failures: bool = False) -> Esp32Slots:
    return Esp32Slots(
        partition_class(AppUpdate(flash, bootloader.boot(flash)), hides_failures=hides_failures), block_bytes=4096
    )


def install(slots: Esp32Slots, image: bytes) -> None:
    slots.prepare_spare()
    for offset in range(0, len(image), 4096):
        slots.erase_block(offset)
        slots.write(offset, image[offset : offset + 4096])
    slots.set_boot_slot()


def records(flash: Flash) -> list[ota.OtaRecord]:
    return AppUpdate(flash, read_partitions(flash).slots[0].label).records()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[SimFleet]:
    new_key(tmp_path / "key.pem")
    fleet = SimFleet(tmp_path, open_signer(f"file:{tmp_path / 'key.pem'}"))
    yield fleet
    fleet.close()


def a_bench(fleet: SimFleet, geometry: Geometry) -> Esp32Bench:
    release = fleet.publish(NEW, "0.2.1")
    fleet.start_rollout(release)
    return Esp32Bench(fleet=fleet, geometry=geometry, old_image=OLD, release=release)


@pytest.mark.parametrize("geometry", [SMALL, NO_FACTORY, THREE_SLOTS], ids=lambda geometry: geometry.name)
@pytest.mark.parametrize(
    ("behaviour", "status", "image"),
    [
        (Behaviour.HEALTHY, Status.INSTALLED, NEW),
        (Behaviour.FAILS_SELF_TEST, Status.ROLLED_BACK, OLD),
        (Behaviour.CRASHES, Status.ROLLED_BACK, OLD),
    ],
)
def test_an_update_ends_as_its_self_test_says(
    fleet: SimFleet, geometry: Geometry, behaviour: Behaviour, status: Status, image: bytes
) -> None:
    bench = a_bench(fleet, geometry)
    robot = bench.robot("r", behaviour)

    settle(robot, bench)

    verdict = fleet.status("r").verdict
    assert verdict.status is status
    assert (
        robot.running_digest == bench.release.digest if image is NEW else robot.running_digest != bench.release.digest
    )
    assert verdict.code == {"fails_self_test": "trial-failed-relay", "crashes": "trial-interrupted"}.get(behaviour)


@pytest.mark.parametrize(
    ("geometry", "cut", "behaviour"),
    [
        (SMALL, Cut.NOTHING, Behaviour.HEALTHY),
        (SMALL, Cut.NOISY, Behaviour.HEALTHY),
        (NO_FACTORY, Cut.HALF, Behaviour.HEALTHY),
        (SMALL, Cut.NOISY, Behaviour.FAILS_SELF_TEST),
        (NO_FACTORY, Cut.NOTHING, Behaviour.CRASHES),
    ],
    ids=lambda value: value.name if isinstance(value, Geometry) else str(value),
)
def test_a_cut_at_every_seventh_write_ends_with_the_record_equal_to_the_robot(
    fleet: SimFleet, geometry: Geometry, cut: Cut, behaviour: Behaviour
) -> None:
    endings = list(sweep(a_bench(fleet, geometry), behaviour, (cut,), step=7))

    assert len(endings) > 50
    assert [ending for ending in endings if ending.faults] == []


def test_the_slots_are_seen_as_the_bootloader_has_them() -> None:
    flash = made_chip(SMALL, OLD)
    slots = booted(flash)
    seen = slots.look()
    assert (seen.running.slot, seen.running.version, seen.running.state) == ("factory", OLD_VERSION, CONFIRMED)
    assert (seen.spare.slot, seen.spare.digest, seen.spare.state) == ("ota_0", None, EMPTY)
    install(slots, NEW)
    assert slots.look().spare.state == UNKNOWN, "staged is neither confirmed nor given up"
    slots = booted(flash)
    assert (slots.look().running.slot, slots.look().running.state) == ("ota_0", TRIAL)
    assert slots.look().spare.slot == "ota_1"
    slots.confirm()
    assert slots.look().running.state == CONFIRMED


def test_an_image_that_was_not_confirmed_is_seen_as_rolled_back_until_it_is_forgotten() -> None:
    flash = made_chip(NO_FACTORY, OLD)
    install(booted(flash), NEW)
    booted(flash).go_back()
    slots = booted(flash)
    assert (slots.look().running.slot, slots.look().spare.state) == ("ota_0", ROLLED_BACK)
    slots.prepare_spare()
    assert slots.look().spare.state == UNKNOWN


def test_flash_that_is_worn_out_keeps_the_robot_at_work_on_its_old_image_and_is_reported(fleet: SimFleet) -> None:
    bench = a_bench(fleet, SMALL)
    robot = bench.robot("r", Behaviour.HEALTHY)
    assert isinstance(robot, Esp32Robot)
    robot.worn_blocks = (2,)
    assert robot.switch_on() > 0 and robot.boots == 1
    robot.check()
    verdict = fleet.status("r").verdict
    assert (verdict.status, verdict.code) == (Status.DOWNLOADING, "interrupted-storage")
    robot.worn_blocks = ()
    settle(robot, bench)
    assert fleet.status("r").verdict.status is Status.INSTALLED


def test_going_back_writes_nothing() -> None:
    flash = made_chip(NO_FACTORY, OLD)
    install(booted(flash), NEW)
    slots = booted(flash)
    operations = flash.power.operations
    slots.go_back()
    assert flash.power.operations == operations


def test_nothing_is_written_while_the_running_image_is_on_trial() -> None:
    flash = made_chip(NO_FACTORY, OLD)
    install(booted(flash), NEW)
    slots = booted(flash)
    operations = flash.power.operations
    assert code_of(slots.prepare_spare) == "misuse-on-trial"
    assert code_of(slots.erase_block, 0) == "misuse-on-trial"
    assert code_of(slots.write, 0, b"\0") == "misuse-on-trial"
    assert code_of(slots.set_boot_slot) == "misuse-on-trial"
    assert flash.power.operations == operations
    slots.confirm()
    slots.prepare_spare()


def test_the_active_record_of_the_running_image_is_never_forgotten() -> None:
    flash = made_chip(NO_FACTORY, OLD)
    booted(flash)
    before = records(flash)
    booted(flash).prepare_spare()
    assert records(flash) == before


def test_the_active_record_of_a_spare_that_did_not_boot_is_forgotten() -> None:
    flash = made_chip(NO_FACTORY, OLD)
    install(booted(flash), NEW)
    booted(flash).confirm()
    broken = read_partitions(flash)["ota_1"]
    broken.erase(0, 4096)
    slots = booted(flash)
    assert slots.look().running.slot == "ota_0"

    slots.prepare_spare()
    # The whole image is there again, but nobody has judged it yet.
    broken.erase(0, broken.size_bytes)
    broken.write(0, NEW)

    assert booted(flash).look().running.slot == "ota_0"


@pytest.mark.parametrize("hides_failures", [False, True])
def test_an_image_that_esp_idf_refuses_is_not_taken_for_staged(hides_failures: bool) -> None:
    flash = made_chip(SMALL, OLD)
    slots = booted(flash, hides_failures=hides_failures)
    slots.prepare_spare()
    slots.erase_block(0)
    slots.write(0, NEW[:4096])
    assert code_of(slots.inspect, 4096) == "refused-image-format"
    assert code_of(slots.set_boot_slot) == "stage-failed"
    assert booted(flash).look().running.slot == "factory"


def test_a_confirmation_that_did_not_reach_flash_is_still_a_trial() -> None:
    flash = made_chip(NO_FACTORY, OLD)
    install(booted(flash), NEW)
    slots = booted(flash)
    otadata = read_partitions(flash)["otadata"]
    otadata.erase(4096, 4096)
    before = records(flash)
    slots.confirm()
    assert slots.look().running.state == TRIAL
    assert records(flash) == before, "the other image's record is left alone"


def test_there_is_no_going_back_to_nothing_or_from_an_image_that_something_else_confirmed() -> None:
    flash = made_chip(NO_FACTORY, OLD)
    install(booted(flash), NEW)
    slots = booted(flash)
    old = read_partitions(flash)["ota_0"]
    old.erase(0, 4096)
    assert code_of(slots.go_back) == "damaged-no-rollback-image"
    old.write(0, OLD[:4096])
    slots.go_back()
    slots.confirm()
    assert code_of(slots.go_back) == "damaged-no-rollback-image"


def test_nvs_without_room_is_said_and_the_other_copy_stands() -> None:
    flash = made_chip(SMALL, OLD)
    storage = NvsJournal(nvs_class(read_partitions(flash)["nvs"]))
    first = storage.read_copies()[0]
    assert code_of(storage.write_copy, 1, bytes(3 * 4096)) == "damaged-journal"
    assert storage.read_copies() == (first, b"")


def test_a_journal_that_nvs_cannot_read_is_damaged_and_not_a_new_one() -> None:
    nvs = read_partitions(made_chip(SMALL, OLD))["nvs"]
    assert load_journal(NvsJournal(nvs_class(nvs)).read_copies()).journal is not None
    unreadable = load_journal(NvsJournal(nvs_class(nvs, reads=False)).read_copies())
    assert unreadable.journal is None and unreadable.damaged
    blank = load_journal(NvsJournal(nvs_class(read_partitions(blank_chip(SMALL))["nvs"])).read_copies())
    assert blank.journal is None and not blank.damaged
