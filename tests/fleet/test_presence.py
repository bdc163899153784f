"""Silence counts of robots that are online and have spoken; being offline is no silence."""

import pytest

from fleet.health_case import HealthCase, in_memory
from surefoot.fleet.robot_health import RobotHealth
from surefoot.rollout.triggers import Trigger


@pytest.fixture
def case() -> HealthCase:
    return in_memory()


def test_an_updated_robot_that_is_online_and_silent_for_more_than_a_minute_fires(case: HealthCase) -> None:
    robot, _ = case.updated()
    case.online(robot)
    since_s = case.fleet.now_s
    case.fleet.now_s += 60
    case.silence(robot, since_s)
    assert case.alarms() == []
    case.fleet.now_s += 1
    case.silence(robot, since_s)
    assert case.alarms() == [Trigger.SILENT]


def test_the_silence_of_a_robot_that_is_offline_fires_nothing(case: HealthCase) -> None:
    robot, _ = case.updated()
    case.online(robot)
    since_s = case.fleet.now_s
    case.online(robot, online=False)
    case.fleet.now_s += 600
    case.silence(robot, since_s)
    assert case.alarms() == []


def test_a_robot_that_came_online_just_now_is_not_silent_yet(case: HealthCase) -> None:
    robot, _ = case.updated()
    since_s = case.fleet.now_s
    case.fleet.now_s += 600
    case.online(robot)
    case.silence(robot, since_s)
    assert case.alarms() == []


def test_a_robot_that_speaks_again_or_that_the_fleet_does_not_know_changes_nothing(case: HealthCase) -> None:
    robot, _ = case.updated()
    case.online(robot)
    case.fleet.now_s += 600
    case.silence(robot, None)
    stranger = case.fleet.enrol("robot-2")
    stranger.robot = type(stranger.robot)(robot_id="robot-9", sku="x", token_sha256="x", enrolled_at_s=0.0)
    case.online(stranger)
    case.silence(stranger, 1.0)
    assert case.alarms() == []
    assert len(case.fleet.run(lambda rows: rows.find(RobotHealth))) == 1


def test_being_online_is_kept_since_when_it_began(case: HealthCase) -> None:
    robot = case.fleet.enrol()
    case.online(robot)
    since_s = case.fleet.now_s
    case.fleet.now_s += 5
    case.online(robot)
    assert case.health().signs.online_since_s == since_s
    case.online(robot, online=False)
    assert case.health().signs.online_since_s is None
