"""Batteries fire the trigger when more updated robots drain fast than chance, or the others, make likely."""

import pytest

from surefoot.fleet.gate_drains import Drains
from surefoot.fleet.gate_sums import HOUR_S
from surefoot.fleet.health_sums import Totals
from surefoot.rollout.triggers import Trigger


def drained(hours: float, per_hour: float) -> Totals:
    return Totals(discharging_s=hours * HOUR_S, drained_percent=hours * per_hour)


BEFORE = drained(100, 4.0)


def seen(fast: int, updated: int, others_fast: int = 0, others: int = 0, per_hour: float = 9.0) -> Drains:
    drains = Drains()
    for number in range(updated):
        drains.add_updated(f"robot-{number}", "low", BEFORE, drained(10, per_hour if number < fast else 4.0))
    for number in range(others):
        drains.add_other("low", BEFORE, drained(10, 9.0 if number < others_fast else 4.0))
    return drains


@pytest.mark.parametrize(("fast", "updated", "fires"), [(1, 1, True), (1, 2, True), (1, 3, False), (2, 3, True)])
@pytest.mark.parametrize("others", [0, 100])
def test_in_a_handful_of_robots_one_or_two_fire(fast: int, updated: int, fires: bool, others: int) -> None:
    assert (seen(fast, updated, others=others).tripped() is not None) is fires


@pytest.mark.parametrize(("fast", "fires"), [(5, False), (50, True)])
def test_in_a_thousand_some_always_do(fast: int, fires: bool) -> None:
    assert (seen(fast, 1000).tripped() is not None) is fires


def test_as_many_as_of_the_others_do_not_fire() -> None:
    assert seen(50, 1000, others_fast=50, others=1000).tripped() is None


def test_exactly_twice_as_fast_does_not_fire() -> None:
    assert seen(1, 1, per_hour=8.0).tripped() is None
    assert seen(1, 1, per_hour=8.1).tripped() is not None


def test_the_robots_are_named_and_the_fastest_is_told_of() -> None:
    drains = seen(3, 4)
    drains.add_updated("robot-x", "low", BEFORE, drained(10, 12.0))
    found = drains.tripped()
    assert found is not None
    assert (found.trigger, found.robot_ids) == (Trigger.BATTERY_DRAIN, ("robot-x", "robot-0", "robot-1", "robot-2"))
    assert found.sentence.startswith("4 of 5 updated robots (robot-x, robot-0, robot-1, robot-2) drain their batteries")
    assert "robot-x drains its battery 3.0 times as fast" in found.sentence


def test_too_little_drained_or_known_says_nothing() -> None:
    drains = Drains()
    drains.add_updated("robot-1", "low", BEFORE, drained(1, 9.0))
    drains.add_updated("robot-2", "low", drained(1, 4.0), drained(10, 9.0))
    drains.add_updated("robot-3", "low", drained(100, 0.0), drained(10, 9.0))
    assert drains.tripped() is None
