import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import code_of
from surefoot.sim.flash import SECTOR_BYTES, Cut, Flash, PowerCut, PowerSupply

BLANK = b"\xff" * SECTOR_BYTES


def cut_run(action: Callable[[Flash], None], cut_at: int, cut: Cut, before: bytes = b"") -> bytes:
    """Run an action on a small flash that may hold something, cut its power, and return what the flash holds then."""
    flash = Flash(2 * SECTOR_BYTES)
    flash.write(0, before)
    flash.power.restore(cut_at=cut_at, cut=cut)
    with pytest.raises(PowerCut):
        action(flash)
    flash.power.restore()
    return flash.read(0, flash.size_bytes)


def operations_of(action: Callable[[Flash], None]) -> int:
    flash = Flash(4 * SECTOR_BYTES)
    action(flash)
    return flash.power.operations


def test_a_new_flash_is_erased() -> None:
    assert Flash(2 * SECTOR_BYTES).read(0, 2 * SECTOR_BYTES) == 2 * BLANK


def test_what_is_programmed_is_read_back_until_it_is_erased() -> None:
    flash = Flash(4 * SECTOR_BYTES)
    flash.write(SECTOR_BYTES - 3, b"robots")
    assert flash.read(SECTOR_BYTES - 4, 8) == b"\xffrobots\xff"
    flash.erase(0, SECTOR_BYTES)
    assert flash.read(SECTOR_BYTES - 4, 8) == b"\xff" * 4 + b"ots\xff"


def test_bits_can_be_cleared_in_steps_but_never_set() -> None:
    flash = Flash(SECTOR_BYTES)
    flash.write(0, b"\xf0\xff")
    flash.write(0, b"\x30\xff")
    assert code_of(flash.write, 0, b"\x31\xff") == "misuse-flash"
    assert flash.read(0, 2) == b"\x30\xff"


def test_only_whole_sectors_can_be_erased_and_nothing_outside_the_flash() -> None:
    flash = Flash(2 * SECTOR_BYTES)
    assert code_of(flash.erase, 1, SECTOR_BYTES) == "misuse-flash"
    assert code_of(flash.erase, 0, 100) == "misuse-flash"
    assert code_of(flash.erase, SECTOR_BYTES, 2 * SECTOR_BYTES) == "misuse-flash"
    assert code_of(flash.write, 2 * SECTOR_BYTES - 1, b"ab") == "misuse-flash"
    assert code_of(flash.read, -1, 1) == "misuse-flash"
    assert code_of(Flash, 1000) == "misuse-flash"


@pytest.mark.parametrize(
    ("offset_bytes", "length_bytes", "pieces"),
    [(0, 0, 0), (0, 1, 1), (0, 64, 1), (0, 65, 2), (0, 256, 4), (250, 6, 1), (250, 7, 2), (10, 256, 5), (0, 4096, 64)],
)
def test_a_program_takes_one_operation_per_piece_within_a_page(
    offset_bytes: int, length_bytes: int, pieces: int
) -> None:
    assert operations_of(lambda flash: flash.write(offset_bytes, bytes(length_bytes))) == pieces


def test_an_erase_takes_one_operation_per_sector() -> None:
    assert operations_of(lambda flash: flash.erase(0, 3 * SECTOR_BYTES)) == 3


@pytest.mark.parametrize(
    ("cut", "left"),
    [(Cut.NOTHING, 64), (Cut.HALF, 64 + 32), (Cut.DONE, 128)],
)
def test_a_cut_program_leaves_the_pieces_before_it_and_part_of_its_own(cut: Cut, left: int) -> None:
    content = cut_run(lambda flash: flash.write(0, bytes(200)), 2, cut)
    assert content == bytes(left) + b"\xff" * (2 * SECTOR_BYTES - left)


@pytest.mark.parametrize(("cut", "kept"), [(Cut.NOTHING, 0), (Cut.HALF, SECTOR_BYTES // 2), (Cut.DONE, SECTOR_BYTES)])
def test_a_cut_erase_leaves_the_sectors_before_it_and_part_of_its_own(cut: Cut, kept: int) -> None:
    content = cut_run(lambda flash: flash.erase(0, 2 * SECTOR_BYTES), 2, cut, bytes(2 * SECTOR_BYTES))
    erased = SECTOR_BYTES + kept
    assert content == b"\xff" * erased + bytes(2 * SECTOR_BYTES - erased)


def test_a_noisy_cut_leaves_some_bits_of_its_own_piece_undone() -> None:
    content = cut_run(lambda flash: flash.write(0, bytes(200)), 2, Cut.NOISY)
    assert content[:64] == bytes(64)
    assert content[128:] == b"\xff" * (2 * SECTOR_BYTES - 128)
    cleared = sum(8 - byte.bit_count() for byte in content[64:128])
    assert 64 * 8 // 4 < cleared < 64 * 8 * 3 // 4
    assert content == cut_run(lambda flash: flash.write(0, bytes(200)), 2, Cut.NOISY)


def test_pieces_after_a_page_boundary_are_aligned_to_it() -> None:
    content = cut_run(lambda flash: flash.write(250, bytes(100)), 2, Cut.DONE)
    assert content == b"\xff" * 250 + bytes(6 + 64) + b"\xff" * (2 * SECTOR_BYTES - 320)


def test_after_a_cut_nothing_works_until_power_is_restored() -> None:
    flash = Flash(SECTOR_BYTES, power=PowerSupply(cut_at=1))
    for action in (
        lambda: flash.write(0, b"a"),
        lambda: flash.read(0, 1),
        lambda: flash.erase(0, SECTOR_BYTES),
        lambda: flash.write(0, b""),
    ):
        with pytest.raises(PowerCut):
            action()
    flash.power.restore()
    flash.write(0, b"a")
    assert flash.read(0, 1) == b"a"


def test_no_handler_of_exceptions_stops_a_power_cut() -> None:
    assert not issubclass(PowerCut, Exception)


def test_storages_on_one_supply_count_and_fail_together() -> None:
    power = PowerSupply(cut_at=3)
    flash, journal = Flash(SECTOR_BYTES, power=power), Flash(SECTOR_BYTES, power=power)
    flash.write(0, b"a")
    journal.write(0, b"b")
    assert power.operations == 2
    with pytest.raises(PowerCut):
        flash.write(1, b"c")
    with pytest.raises(PowerCut):
        journal.read(0, 1)


def test_a_restored_supply_counts_from_zero_and_can_cut_again() -> None:
    power = PowerSupply(cut_at=1)
    flash = Flash(SECTOR_BYTES, power=power)
    with pytest.raises(PowerCut):
        flash.write(0, b"a")
    power.restore(cut_at=2, cut=Cut.DONE)
    flash.write(0, b"a")
    with pytest.raises(PowerCut):
        flash.write(1, b"b")
    power.restore()
    assert power.operations == 0
    assert flash.read(0, 3) == b"ab\xff"


def test_the_first_operation_is_number_one() -> None:
    assert code_of(PowerSupply, cut_at=0) == "misuse-power"


def test_a_copy_goes_its_own_way() -> None:
    flash = Flash(SECTOR_BYTES)
    flash.write(0, b"a")
    twin = flash.copy()
    twin.write(1, b"b")
    assert (flash.read(0, 2), twin.read(0, 2)) == (b"a\xff", b"ab")


def test_a_file_keeps_what_was_programmed_when_the_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "robot.flash"
    script = (
        "import os, pathlib, sys\n"
        "from surefoot.sim.flash import Flash\n"
        "flash = Flash(1 << 20, path=pathlib.Path(sys.argv[1]))\n"
        "flash.write(8192, b'kept')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert killed.returncode == -9
    flash = Flash(1 << 20, path=path)
    assert flash.read(8191, 6) == b"\xffkept\xff"
    flash.close()


def test_a_file_takes_no_room_for_what_is_erased() -> None:
    # On a disk: a file system in memory may hand out two megabytes at a time.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        path = Path(folder) / "robot.flash"
        flash = Flash(8 << 20, path=path)
        flash.erase(0, 8 << 20)
        flash.write(0, b"a" * 5000)
        flash.close()
        assert path.stat().st_blocks * 512 < 100_000


def test_a_file_of_another_size_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "robot.flash"
    path.write_bytes(bytes(100))
    assert code_of(Flash, SECTOR_BYTES, path=path) == "misuse-flash"


@given(
    offset_bytes=st.integers(0, 600),
    data=st.binary(max_size=700),
    cut_at=st.integers(1, 12),
    cut=st.sampled_from(Cut),
    seed=st.integers(0, 3),
)
def test_a_write_cut_anywhere_can_be_repeated_over_what_it_left(
    offset_bytes: int, data: bytes, cut_at: int, cut: Cut, seed: int
) -> None:
    flash = Flash(SECTOR_BYTES, power=PowerSupply(cut_at=cut_at, cut=cut, seed=seed))
    try:
        flash.write(offset_bytes, data)
    except PowerCut:
        assert flash.power.operations == cut_at
    flash.power.restore()
    flash.write(offset_bytes, data)
    end = offset_bytes + len(data)
    assert flash.read(0, SECTOR_BYTES) == BLANK[:offset_bytes] + data + BLANK[end:]
