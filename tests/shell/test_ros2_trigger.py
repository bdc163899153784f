from pathlib import Path

import pytest

from surefoot.agent.preflight import NO_SENSORS
from surefoot.shell.agent_process import only_agent
from surefoot.shell.ros2_trigger import answer_trigger

SERVER = "https://fleet.test:8443"


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.test:8443",
        "https://fleet.test",
        "https://fleet.test.evil.test:8443",
        "https://fleet.test:8443@evil.test/",
        "http://fleet.test:8443",
        "fleet.test:8443",
        "https://fleet.test:99999",
        "https://[fleet",
        " ",
    ],
)
def test_another_servers_url_is_refused_before_anyone_is_asked(tmp_path: Path, url: str) -> None:
    with only_agent(tmp_path, listens=False):
        accepted, message = answer_trigger(url, SERVER, tmp_path, NO_SENSORS)
    assert not accepted
    assert SERVER in message


@pytest.mark.parametrize("url", ["", SERVER, f"{SERVER}/v1/images/1", "https://FLEET.test:8443/"])
def test_the_servers_own_url_and_none_are_accepted(tmp_path: Path, url: str) -> None:
    with only_agent(tmp_path, listens=False):
        assert answer_trigger(url, SERVER, tmp_path, NO_SENSORS) == (True, "The agent asks its server now.")


def test_a_robot_that_would_have_to_wait_is_told_for_what(tmp_path: Path) -> None:
    with only_agent(tmp_path, listens=False):
        accepted, message = answer_trigger("", SERVER, tmp_path, NO_SENSORS.replace(battery_percent=20.0))
    assert accepted
    assert "held-battery" in message


def test_without_an_agent_nothing_is_accepted(tmp_path: Path) -> None:
    accepted, message = answer_trigger("", SERVER, tmp_path, NO_SENSORS)
    assert not accepted
    assert "surefoot-agent" in message
