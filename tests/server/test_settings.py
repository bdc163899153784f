from pathlib import Path

import pytest

from surefoot.server.settings import load_settings, unknown_variables
from surefoot.wire.errors import Refused

SECRET = "postgresql://surefoot:hunter2@db/fleet"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUREFOOT_CONFIG", "SUREFOOT_PORT", "SUREFOOT_DATA_DIR", "SUREFOOT_BROKER"):
        monkeypatch.delenv(name, raising=False)


def config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "server.toml"
    path.write_text(text)
    return path


def refusal(path: Path) -> Refused:
    with pytest.raises(Refused) as caught:
        load_settings(path)
    return caught.value


def test_arguments_go_before_the_environment_and_the_environment_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config(tmp_path, "port = 1\nbusy_check_s = 2\ntick_s = 3\n")
    monkeypatch.setenv("surefoot_BUSY_CHECK_S", "20")
    settings = load_settings(path, tick_s=30, host=None)
    assert (settings.port, settings.busy_check_s, settings.tick_s) == (1, 20, 30)


def test_the_environment_may_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUREFOOT_CONFIG", str(config(tmp_path, "port = 7\n")))
    assert load_settings().port == 7


def test_a_wrong_value_is_named_with_file_and_line(tmp_path: Path) -> None:
    path = config(tmp_path, "# the fleet\nhost = '127.0.0.1'\nport = 70000\n")
    refused = refusal(path)
    assert refused.code == "refused-settings"
    assert f"{path}, line 3: port" in refused.message


def test_a_setting_that_does_not_exist_is_named_with_its_line(tmp_path: Path) -> None:
    assert "line 2: databse_url" in refusal(config(tmp_path, f"port = 1\ndatabse_url = '{SECRET}'\n")).message


def test_no_refusal_repeats_a_value(tmp_path: Path) -> None:
    assert "hunter2" not in refusal(config(tmp_path, f"port = '{SECRET}'\n")).message


def test_how_devices_get_images_is_checked_where_it_stands(tmp_path: Path) -> None:
    path = config(tmp_path, "port = 1\naws_delivery = 'arm=HTTP,camera=FTP'\n")
    message = refusal(path).message
    assert f"{path}, line 2: aws_delivery" in message and "part 2 must end in MQTT, HTTP or MQTT+HTTP" in message
    assert "FTP" not in message


def test_a_wrong_variable_is_named_although_the_file_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUREFOOT_PORT", "seventy")
    message = refusal(config(tmp_path, "port = 1\n")).message
    assert "port" in message
    assert "server.toml" not in message


def test_what_a_setting_takes_is_said_in_words(tmp_path: Path) -> None:
    for text, words in (
        ("hst = 1", "there is no such setting"),
        ("broker = 'mqtt://x'", "none goes without, and mqtts://HOST:PORT is one that runs elsewhere"),
        ("public_url = 'http://x'", "https://HOST:PORT under which robots reach the server"),
        ("proxy_addresses = '10.0.0.1,hunter2'", "one of them is no address and no network"),
    ):
        message = refusal(config(tmp_path, text)).message
        assert words in message and "line 1" in message
        assert "pattern" not in message and "hunter2" not in message and "Value error" not in message


def test_a_mistyped_variable_is_found_and_those_of_commands_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    before = unknown_variables()
    for name in ("SUREFOOT_PRT", "surefoot_host", "SUREFOOT_TOKEN_FILE", "SUREFOOT_SERVER", "SUREFOOTED"):
        monkeypatch.setenv(name, "1")
    assert set(unknown_variables()) - set(before) == {"SUREFOOT_PRT"}
