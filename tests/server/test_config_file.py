from pathlib import Path

import pytest

from surefoot.server.config_file import read_config
from surefoot.wire.errors import Refused


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "server.toml"
    path.write_text(text)
    return path


def refusal_of(path: Path) -> Refused:
    with pytest.raises(Refused) as caught:
        read_config(path)
    return caught.value


def test_a_file_gives_its_values_and_their_lines(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, '# a comment\n\nport = 9000\n"host" = "0.0.0.0"\n'))
    assert config.values == {"port": 9000, "host": "0.0.0.0"}
    assert config.lines == {"port": 3, "host": 4}


def test_what_is_not_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    refused = refusal_of(written(tmp_path, "port = 9000\nhost = 0.0.0.0\n"))
    assert refused.code == "refused-settings"
    assert "line 2" in refused.message


def test_a_table_is_refused_because_settings_are_flat(tmp_path: Path) -> None:
    assert refusal_of(written(tmp_path, "[server]\nport = 1\n")).code == "refused-settings"


def test_the_first_line_that_looks_like_a_setting_is_its_line(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, "port = 9000\nhost = '''\nport = 5\n'''\n"))
    assert config.lines["port"] == 1


@pytest.mark.parametrize("data", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "server.toml"
    if data is not None:
        path.write_bytes(data)
    assert refusal_of(path).code == "refused-file-unreadable"


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 2000], ids=["digits", "nesting"])
def test_a_number_or_a_nesting_beyond_measure_is_refused(tmp_path: Path, value: str) -> None:
    assert refusal_of(written(tmp_path, f"port = {value}\n")).code == "refused-settings"


def test_a_refusal_does_not_repeat_a_name_without_end(tmp_path: Path) -> None:
    assert len(refusal_of(written(tmp_path, f"[{'x' * 5000}]\n")).message) < 500
