"""Who belongs to a percentage: as many as it says, always the same, and never fewer when it grows."""

import math

import pytest

from surefoot.rollout.membership import belongs, phase_of, position
from surefoot.rollout.plan import Phase, Plan, default_plan, one_robot_plan

ROBOTS = [f"robot-{number}" for number in range(20_000)]


def share(salt: bytes, percent: float) -> set[str]:
    phase = Phase(name="some", percent=percent, soak_s=0)
    return {robot_id for robot_id in ROBOTS if belongs(phase, salt, robot_id)}


@pytest.mark.parametrize("salt", [b"", b"one", b"two", b"three"])
def test_ten_percent_are_ten_percent(salt: bytes) -> None:
    sigma = math.sqrt(len(ROBOTS) * 0.1 * 0.9)
    assert abs(len(share(salt, 10)) - len(ROBOTS) * 0.1) < 3 * sigma


def test_two_rollouts_begin_with_different_robots() -> None:
    both = share(b"one", 10) & share(b"two", 10)
    sigma = math.sqrt(len(ROBOTS) * 0.01 * 0.99)
    assert abs(len(both) - len(ROBOTS) * 0.01) < 4 * sigma


def test_nobody_belongs_to_nothing_and_everybody_to_the_whole() -> None:
    assert share(b"salt", 0) == set()
    assert share(b"salt", 100) == set(ROBOTS)


def test_a_place_is_fixed_by_salt_and_id() -> None:
    # Written down: a server of another version must find the same robots in a rollout that runs.
    assert position(b"salt", "robot-001") == 0.19508907696390498
    assert position(b"salt", "robot-002") == 0.3706574078254552


def test_a_named_robot_belongs_to_its_phase_and_a_stranger_does_not() -> None:
    internal = Phase(name="internal", robots=("robot-1",), soak_s=0)
    assert belongs(internal, b"salt", "robot-1")
    assert not belongs(internal, b"salt", "robot-2")


def test_the_first_phase_that_reaches_a_robot_is_its_phase() -> None:
    plan = default_plan(("robot-1",))
    assert phase_of(plan, b"salt", "robot-1") == 0
    assert {phase_of(plan, b"salt", robot_id) for robot_id in ROBOTS[2:100]} == {1, 2, 3}


def test_everybody_has_a_phase() -> None:
    plan = Plan(phases=(Phase(name="full", percent=100, soak_s=0),))
    assert {phase_of(plan, b"salt", robot_id) for robot_id in ROBOTS[:1000]} == {0}


def test_a_plan_for_one_robot_reaches_no_other() -> None:
    plan = one_robot_plan("robot-1")
    assert phase_of(plan, b"salt", "robot-1") == 0
    assert all(phase_of(plan, b"salt", f"robot-{number}") == 1 for number in range(2, 200))
