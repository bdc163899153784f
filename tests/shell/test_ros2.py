"""The companion's node beside a real agent, heard and called by a ROS 2 process that is not ours."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest

from https_receiver import HttpsReceiver
from surefoot.shell.agent_config import AgentConfig
from surefoot.shell.posix import make_companion
from surefoot.shell.ros2_conditions import await_check, read_conditions
from surefoot.wire.errors import Interrupted
from surefoot.wire.health import HealthWindow, parse_health
from surefoot.wire.version import Version
from waiting import wait_until

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parent.parent.parent
ROS_PYTHON = ROOT / ".venv-ros" / "bin" / "python"
SAFETY = "robot/safety"
FINE: dict[str, Any] = {"battery": 0.8, "estop": False, "statuses": [[SAFETY, 0, {}]]}


@contextmanager
def started(*command: str | Path, environment: dict[str, str], **pipes: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([*map(str, command)], env=environment, text=True, **pipes)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


class Robot:
    """One companion with its node, the rest of the robot, and a server that takes what it is sent."""

    def __init__(self, folder: Path) -> None:
        self.directory = folder / "agent"
        self.receiver = HttpsReceiver(folder / "tls")
        self._stack = ExitStack()
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "ROS_DOMAIN_ID": str(os.getpid() % 100),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "ROS_LOG_DIR": str(folder / "log"),
        }
        token = folder / "token"
        token.write_text("token-of-robot-1\n")
        config = AgentConfig(
            robot_id="robot-1",
            sku="standard",
            server=self.receiver.url,
            trusted_keys=(),
            token_file=token,
            ca_file=self.receiver.ca_path,
        )
        make_companion(self.directory, config, b"firmware", Version.parse("0.2.0"))

    def __enter__(self) -> Self:
        enter = self._stack.enter_context
        enter(self.receiver)
        options = ("--estop-topic", "/estop", "--watch", "/scan", "--window-s", "1")
        node = (ROS_PYTHON, "-m", "surefoot.shell.ros2_node", "--directory", self.directory, *options)
        enter(started(*node, environment=self.environment))
        peer = (ROS_PYTHON, Path(__file__).with_name("ros2_peer.py"))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._peer = enter(started(*peer, environment=self.environment, **pipes))
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def agent(self) -> AbstractContextManager[object]:
        """Run its agent meanwhile."""
        surefoot = Path(sys.executable).with_name("surefoot")
        return started(surefoot, "agent", "run", self.directory, environment={**os.environ})

    def publish(self, said: dict[str, Any]) -> None:
        self._tell({"publish": said})

    def call(self, url: str = "") -> dict[str, Any]:
        self._tell({"call": url})
        assert self._peer.stdout is not None
        answer: dict[str, Any] = json.loads(self._peer.stdout.readline())
        return answer

    def conditions(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = read_conditions(self.directory / "conditions.json")["conditions"]
        except Interrupted:
            return {}
        return found

    def windows(self) -> list[HealthWindow]:
        posts = [request for request in self.receiver.received if request.path == "/v1/health"]
        assert all(request.headers["authorization"] == "Bearer token-of-robot-1" for request in posts)
        return [parse_health(request.body) for request in posts]

    def checks(self) -> int:
        return sum(request.path == "/v1/check" for request in self.receiver.received)

    def has_checked(self, times: int) -> bool:
        return self.checks() >= times

    def _tell(self, command: dict[str, Any]) -> None:
        assert self._peer.stdin is not None
        self._peer.stdin.write(json.dumps(command) + "\n")
        self._peer.stdin.flush()


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    with Robot(tmp_path_factory.mktemp("ros")) as robot:
        yield robot


def test_a_service_call_without_an_agent_is_not_accepted_and_says_why(robot: Robot) -> None:
    answer = robot.call()
    assert not answer["accepted"]
    assert "start surefoot-agent" in answer["message"]


def test_what_the_topics_say_becomes_conditions_and_checks(robot: Robot) -> None:
    robot.publish(FINE)
    fine = {"battery_percent": 80.0, "rssi_dbm": None, "is_idle": None, "is_cool": None, "safety_state": "NORMAL"}
    wait_until(lambda: {**robot.conditions(), "battery_percent": 80.0} == fine)
    assert robot.conditions()["battery_percent"] == pytest.approx(80.0, abs=0.01)
    for check in ("safety", "relay", "sensors"):
        await_check(robot.directory / "conditions.json", check)
    robot.publish({**FINE, "estop": True, "battery": 0.2})
    wait_until(lambda: robot.conditions().get("safety_state") == "EMERGENCY_STOP")
    assert robot.conditions()["battery_percent"] == pytest.approx(20.0, abs=0.01)


def test_a_service_call_lets_the_agent_ask_its_server_now(robot: Robot) -> None:
    robot.publish(FINE)
    wait_until(lambda: robot.conditions().get("safety_state") == "NORMAL")
    before = robot.checks()
    with robot.agent():
        wait_until(lambda: robot.checks() == before + 1)
        for number, url in enumerate(("", robot.receiver.url + "/v1/images/1"), before + 2):
            answer = robot.call(url)
            assert answer == {"accepted": True, "message": "The agent asks its server now."}
            wait_until(partial(robot.has_checked, number))


def test_a_service_call_cannot_send_the_agent_to_another_server(robot: Robot) -> None:
    before = robot.checks()
    with robot.agent():
        wait_until(partial(robot.has_checked, before + 1))
        for url in ("https://elsewhere.test/firmware.bin", "http://localhost", "nonsense"):
            answer = robot.call(url)
            assert not answer["accepted"]
            assert robot.receiver.url in answer["message"]
        assert robot.call()["accepted"]
        wait_until(partial(robot.has_checked, before + 2))
    assert robot.checks() == before + 2, "it asked only when it was asked to"


def test_windows_tell_of_time_rates_battery_and_stops(robot: Robot) -> None:
    robot.publish({**FINE, "statuses": [[SAFETY, 1, {"estop_source": "bumper"}]]})

    def told(name: str) -> float:
        return float(sum(getattr(window.sums, name) for window in robot.windows()))

    wait_until(lambda: told("warn_s") > 0)
    before = told("stops_other")
    robot.publish({**FINE, "estop": True, "statuses": [[SAFETY, 0, {"estop_source": "bumper"}]]})
    wait_until(lambda: told("stops_other") == before + 1)
    robot.publish(FINE)
    robot.publish({**FINE, "statuses": [[SAFETY, 0, {"estop_source": "button"}]]})
    wait_until(lambda: robot.conditions().get("safety_state") == "NORMAL")
    by_operator = told("stops_operator")
    robot.publish({**FINE, "estop": True, "statuses": [[SAFETY, 0, {"estop_source": "button"}]]})
    wait_until(lambda: told("stops_operator") == by_operator + 1)
    windows = robot.windows()
    numbers = [window.number for window in windows]
    assert numbers == sorted(set(numbers))
    assert {window.robot_id for window in windows} == {"robot-1"}
    assert any(0 < dict(window.sums.topics)["/scan"] < 30 for window in windows)
    assert any(window.sums.battery_end_percent == pytest.approx(80.0, abs=0.01) for window in windows)


def test_the_how_to_and_the_service_name_the_options_that_there_are() -> None:
    command = (ROS_PYTHON, "-m", "surefoot.shell.ros2_node", "--help")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"--[a-z-]+", shown)) - {"--help"}
    page = (ROOT / "docs" / "how-to" / "ros-2.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(--[a-z-]+)` \|", page, re.MULTILINE)) == known
    for text in (page, (ROOT / "contrib" / "surefoot-ros2.service").read_text(encoding="utf-8")):
        called = re.search(r"ros2_node((?: *\\\n)? .*\n? .*)", text)
        assert called is not None
        assert {word for word in called[1].split() if word.startswith("--")} <= known


def test_the_how_tos_call_works_as_it_stands_there(robot: Robot) -> None:
    page = (ROOT / "docs" / "how-to" / "ros-2.md").read_text(encoding="utf-8")
    [call] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    before = robot.checks()
    with robot.agent():
        wait_until(partial(robot.has_checked, before + 1))
        done = subprocess.run(
            (ROS_PYTHON, "-c", call), env=robot.environment, capture_output=True, text=True, check=False, timeout=60
        )
    assert done.stdout.startswith("True The agent asks its server now"), done.stderr
