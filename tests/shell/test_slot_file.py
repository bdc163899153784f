"""A slot's file on a disk that is full, or from which somebody removed it: said, and put right by the next download."""

from pathlib import Path

from shell.full_disk import disk_of
from support import code_of
from surefoot.shell.slot_file import SlotFile


def test_a_disk_that_is_full_is_an_interruption_and_keeps_what_it_has(tmp_path: Path) -> None:
    file = SlotFile(tmp_path / "slot.b")
    file.erase_block(0)
    with disk_of(8192):
        file.write(0, b"a" * 4096)
        assert code_of(file.write, 4096, b"b" * 8192) == "interrupted-storage"
    assert file.read(0, 4096) == b"a" * 4096
    file.erase_block(4096)
    file.write(4096, b"c")
    assert file.read(0, 9999) == b"a" * 4096 + b"c"


def test_a_file_that_somebody_removed_holds_nothing_and_is_filled_anew(tmp_path: Path) -> None:
    file = SlotFile(tmp_path / "slot.b")
    assert (file.read(0, 10), file.size_bytes(), file.digest()) == (b"", 0, None)
    file.erase_block(4)
    file.write(4, b"1234")
    assert file.read(0, 100) == bytes(4) + b"1234"
