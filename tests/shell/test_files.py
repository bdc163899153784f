"""Files are replaced whole or not at all, with their rights from the first byte on."""

from pathlib import Path

from shell.full_disk import disk_of
from support import code_of
from surefoot.shell.files import read_token, replace_file


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.0"
    replace_file(path, b"what was recorded")
    with disk_of(1024):
        assert code_of(replace_file, path, bytes(4096)) == "interrupted-storage"
    assert path.read_bytes() == b"what was recorded"
    assert [left.name for left in tmp_path.iterdir()] == ["journal.0"], "what did not fit takes no room"


def test_private_files_are_private_from_their_first_byte(tmp_path: Path) -> None:
    path = tmp_path / "robot.pem"
    path.with_name("robot.pem.new").write_bytes(b"left behind by a power cut, for all to read")
    replace_file(path, b"key", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_token_is_the_line_in_its_file_and_one_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "robot.token"
    assert read_token(None) is None
    assert code_of(read_token, path) == "refused-file-unreadable"
    path.write_bytes(b"secret\n")
    assert read_token(path) == "secret"
