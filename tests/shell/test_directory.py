"""Two slots in a directory behave as ESP-IDF's do: one trial boot, then confirmed or lost."""

from pathlib import Path

import pytest

from surefoot.shell.directory import DirectorySlots, make_directory
from surefoot.shell.slot_file import BLOCK_BYTES
from surefoot.sim.images import app_image
from surefoot.wire.errors import SurefootError
from surefoot.wire.report import CONFIRMED, EMPTY, ROLLED_BACK, TRIAL, UNKNOWN


def code_raised(error: pytest.ExceptionInfo[SurefootError]) -> str:
    return error.value.code


@pytest.fixture
def slots(tmp_path: Path) -> DirectorySlots:
    make_directory(tmp_path, b"old firmware")
    slots = DirectorySlots(tmp_path)
    slots.boot()
    return slots


def install(slots: DirectorySlots, image: bytes) -> None:
    slots.prepare_spare()
    slots.erase_block(0)
    slots.write(0, image)
    slots.set_boot_slot()


def test_a_robot_leaves_the_factory_confirmed_with_an_empty_spare(slots: DirectorySlots) -> None:
    seen = slots.look()
    assert (seen.running.slot, seen.running.state) == ("a", CONFIRMED)
    assert (seen.spare.slot, seen.spare.state, seen.spare.digest) == ("b", EMPTY, None)


def test_a_staged_image_boots_on_trial_and_stays_once_confirmed(slots: DirectorySlots) -> None:
    install(slots, b"new firmware")
    assert slots.boot() == "b"
    assert slots.look().running.state == TRIAL
    slots.confirm()
    assert slots.boot() == "b"
    assert slots.look().running.state == CONFIRMED
    assert slots.look().spare.state == CONFIRMED


def test_an_image_not_confirmed_by_the_next_boot_has_lost(slots: DirectorySlots) -> None:
    install(slots, b"new firmware")
    slots.boot()
    assert slots.boot() == "a"
    assert slots.look().spare.state == ROLLED_BACK
    assert slots.boot() == "a"


def test_an_image_that_gives_itself_up_is_left_at_the_next_boot(slots: DirectorySlots) -> None:
    install(slots, b"new firmware")
    slots.boot()
    slots.go_back()
    assert slots.boot() == "a"
    assert slots.look().spare.state == ROLLED_BACK


def test_preparing_forgets_that_the_spare_once_rolled_back(slots: DirectorySlots) -> None:
    install(slots, b"new firmware")
    slots.boot()
    slots.boot()
    slots.prepare_spare()
    assert slots.look().spare.state == EMPTY


def test_nothing_is_begun_while_the_running_image_is_on_trial(slots: DirectorySlots) -> None:
    install(slots, b"new firmware")
    slots.boot()
    with pytest.raises(SurefootError) as error:
        slots.prepare_spare()
    assert code_raised(error) == "misuse-on-trial"


def test_a_block_that_is_erased_again_drops_what_came_behind_it(slots: DirectorySlots) -> None:
    slots.prepare_spare()
    slots.erase_block(0)
    slots.write(0, b"12345678")
    slots.erase_block(4)
    slots.write(4, b"ab")
    assert slots.read(0, 100) == b"1234ab"


def test_a_cut_short_esp_image_is_refused_and_another_file_is_taken_as_it_is(slots: DirectorySlots) -> None:
    image = app_image("0.2.1")
    slots.prepare_spare()
    slots.erase_block(0)
    slots.write(0, image[:-32])
    with pytest.raises(SurefootError) as error:
        slots.inspect(len(image) - 32)
    assert code_raised(error) == "refused-image-format"
    slots.erase_block(0)
    slots.write(0, image)
    assert slots.inspect(len(image)) == ("0.2.1", 0)
    slots.erase_block(0)
    slots.write(0, b"#!/bin/sh\n")
    assert slots.inspect(10) == ("", None)


def test_a_slot_that_holds_the_beginning_of_an_image_does_not_keep_the_agent_from_starting(
    slots: DirectorySlots, tmp_path: Path
) -> None:
    image = app_image("0.2.1", size_bytes=3 * BLOCK_BYTES)
    slots.prepare_spare()
    slots.erase_block(0)
    slots.write(0, image[:BLOCK_BYTES])
    restarted = DirectorySlots(tmp_path)
    restarted.boot()
    spare = restarted.look().spare
    assert (spare.version, spare.state) == ("", UNKNOWN)
    restarted.erase_block(BLOCK_BYTES)
    restarted.write(BLOCK_BYTES, image[BLOCK_BYTES:])
    assert restarted.look().spare.version == "0.2.1"


def test_a_directory_that_holds_a_robot_is_not_made_anew(slots: DirectorySlots, tmp_path: Path) -> None:
    with pytest.raises(SurefootError) as error:
        make_directory(tmp_path, b"other")
    assert code_raised(error) == "refused-file-exists"
    assert (tmp_path / "slot.a").read_bytes() == b"old firmware"


def test_a_boot_record_that_cannot_be_read_is_said_not_guessed(tmp_path: Path) -> None:
    make_directory(tmp_path, b"old firmware")
    (tmp_path / "boot.json").write_bytes(b"{")
    with pytest.raises(SurefootError) as error:
        DirectorySlots(tmp_path).boot()
    assert code_raised(error) == "damaged-boot-record"
