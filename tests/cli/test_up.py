"""What the start of a server says, by the file that tells other commands where it is."""

import json
from pathlib import Path

import pytest

from surefoot.cli.up import _say_ready

URL = "https://127.0.0.1:8443"


def said(
    folder: Path, capsys: pytest.CaptureFixture[str], by_certificate: str | None, by_token: str | None = None
) -> list[str]:
    description = {"url": URL, "broker_url": by_certificate, "broker_password_url": by_token}
    (folder / "server.json").write_text(json.dumps(description))
    _say_ready(URL, folder, False)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines() if "MQTT" in line]


def test_a_start_says_who_connects_where_at_the_broker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(tmp_path, capsys, "mqtts://f.example:8883", "mqtts://f.example:8884") == [
        "MQTT by certificate mqtts://f.example:8883 (robots and AWS IoT devices with a certificate of the fleet CA)",
        "MQTT by token mqtts://f.example:8884 (robots with a token: the robot id is the user name)",
    ]
    [elsewhere] = said(tmp_path, capsys, "mqtts://broker.example:8883")
    assert "mqtts://broker.example:8883" in elsewhere


def test_a_start_without_a_broker_says_what_that_means(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(tmp_path, capsys, None) == ["MQTT broker none: robots hear of updates when they ask over HTTPS"]


def test_a_program_gets_the_addresses_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(tmp_path, capsys, "mqtts://f.example:8883", "mqtts://f.example:8884")
    _say_ready(URL, tmp_path, True)
    told = json.loads(capsys.readouterr().out)
    assert (told["broker_url"], told["broker_password_url"]) == (
        "mqtts://f.example:8883",
        "mqtts://f.example:8884",
    )
