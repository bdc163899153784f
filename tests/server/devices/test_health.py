import pytest

from server_bench import Bench
from surefoot.fleet.health import RobotHealth
from surefoot.wire import limits
from surefoot.wire.health import HealthWindow, encode_health
from wire.wire_case import WINDOW

pytestmark = pytest.mark.every_database

OF_ROBOT = WINDOW.replace(robot_id="robot-1")


def known_of(bench: Bench, robot_id: str) -> RobotHealth | None:
    return bench.services.store.read(lambda rows: rows.get(RobotHealth, robot_id))


def send(bench: Bench, window: HealthWindow, token: str | None) -> tuple[int, str]:
    answer = bench.call("POST", "/v1/health", token=token, body=encode_health(window))
    return answer.status, "" if answer.status == 204 else answer.code


def test_a_window_is_taken_and_counted_once(bench: Bench) -> None:
    token = bench.enrol("robot-1")
    assert send(bench, OF_ROBOT, token) == (204, "")
    known = known_of(bench, "robot-1")
    assert known is not None
    assert send(bench, OF_ROBOT, token) == (204, "")
    assert known_of(bench, "robot-1") == known
    assert send(bench, OF_ROBOT.replace(number=OF_ROBOT.number + 1), token) == (204, "")
    assert known_of(bench, "robot-1") != known


def test_a_robot_speaks_of_its_own_health_only(bench: Bench) -> None:
    bench.enrol("robot-1")
    other = bench.enrol("robot-2")
    assert send(bench, OF_ROBOT, other) == (403, "refused-robot-mismatch")
    assert send(bench, OF_ROBOT, None) == (401, "refused-token")
    assert known_of(bench, "robot-1") is None and known_of(bench, "robot-2") is None


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "refused-health-format"),
        (b'{"robot_id": "robot-1"}', 400, "refused-health-format"),
        (b" " * (limits.HEALTH_BYTES_MAX + 1), 413, "refused-body-too-large"),
    ],
)
def test_what_is_no_window_is_refused_and_changes_nothing(bench: Bench, body: bytes, status: int, code: str) -> None:
    token = bench.enrol("robot-1")
    answer = bench.call("POST", "/v1/health", token=token, body=body)
    assert (answer.status, answer.code) == (status, code)
    assert known_of(bench, "robot-1") is None


def test_a_stranger_hears_nothing_of_what_is_wrong_with_its_window(bench: Bench) -> None:
    answer = bench.call("POST", "/v1/health", token="unknown", body=b"nonsense")
    assert (answer.status, answer.code) == (401, "refused-token")
