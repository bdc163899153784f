"""Surveys are taken when they are missing or old, and never of another phase than the open one."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from fleet.fleet_case import EVERYONE, FleetCase
from surefoot.fleet.gather import Survey
from surefoot.fleet.health_sums import QUARTER_S
from surefoot.fleet.look import look_at, to_look_at
from surefoot.fleet.model import Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.server.surveys import GATE_PAUSE_S, PAUSES, GateSurveys, Surveys
from surefoot.sim.memory_store import MemoryStore

T = TypeVar("T")


class Clock:
    """Seconds that pass at each look by a second, so that a survey seems to take one."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


def a_fleet() -> FleetCase:
    store = MemoryStore()
    return FleetCase(run=lambda work: store.submit(work).result())


def look(fleet: FleetCase, surveys: Surveys) -> list[str]:
    """Look at every rollout, take the surveys that were wanted, and return of which."""
    fleet.run(lambda rows: [look_at(rows, rollout_id, fleet.now_s, surveys.find) for rollout_id in to_look_at(rows)])
    wanted = surveys.wanted()
    for rollout_id in wanted:
        fleet.run(lambda rows, it=rollout_id: surveys.take(rows, it, fleet.now_s))  # type: ignore[misc]
    return wanted


def find(fleet: FleetCase, surveys: Surveys, rollout: Rollout) -> Survey | None:
    release = fleet.stored_release("0.2.1")
    return fleet.run(lambda rows: surveys.find(rows, rollout, release, fleet.now_s))


def test_nothing_is_decided_before_the_first_survey() -> None:
    fleet, surveys = a_fleet(), Surveys()
    rollout = fleet.start("0.2.1", EVERYONE)
    fleet.install(fleet.enrol())
    assert look(fleet, surveys) == [rollout.rollout_id]
    assert fleet.rollout(rollout.rollout_id).state is RolloutState.RUNNING
    look(fleet, surveys)
    assert fleet.rollout(rollout.rollout_id).state is RolloutState.FINISHED


def test_while_robots_are_updating_nobody_is_surveyed() -> None:
    fleet, surveys = a_fleet(), Surveys()
    fleet.start("0.2.1", EVERYONE)
    fleet.offered(fleet.enrol())
    assert look(fleet, surveys) == []


def test_a_survey_is_taken_anew_after_a_multiple_of_the_time_it_took() -> None:
    fleet, clock = a_fleet(), Clock()
    surveys, rollout = Surveys(clock), fleet.start("0.2.1", EVERYONE)
    fleet.hear(fleet.enrol())
    fleet.run(lambda rows: rows.put(replace(rollout, state=RolloutState.RUNNING)))
    fleet.run(lambda rows: surveys.take(rows, rollout.rollout_id, fleet.now_s))
    clock.now_s += PAUSES - 2
    assert find(fleet, surveys, rollout) is not None and surveys.wanted() == []
    clock.now_s += 1
    assert find(fleet, surveys, rollout) is not None and surveys.wanted() == [rollout.rollout_id]


def test_a_survey_of_an_earlier_phase_says_nothing_of_this_one() -> None:
    fleet, surveys = a_fleet(), Surveys()
    rollout = fleet.start("0.2.1", EVERYONE)
    fleet.run(lambda rows: surveys.take(rows, rollout.rollout_id, fleet.now_s))
    assert find(fleet, surveys, replace(rollout, phase=1)) is None
    assert surveys.wanted() == [rollout.rollout_id]


def take(fleet: FleetCase, surveys: GateSurveys, rollout: Rollout, took_s: float = 0.0) -> None:
    """Survey a rollout for its gate, while so much time goes by."""

    async def read(work: Callable[[Rows], T], /) -> T:
        fleet.now_s += took_s
        return fleet.run(work)

    asyncio.run(surveys.take(read, rollout.rollout_id, lambda: fleet.now_s))


def is_wanted(fleet: FleetCase, surveys: GateSurveys, rollout: Rollout) -> bool:
    fleet.run(lambda rows: surveys.find(rows, rollout, fleet.now_s))
    return bool(surveys.wanted())


def test_a_gate_is_surveyed_anew_every_few_seconds_where_that_is_cheap_and_when_a_quarter_is_over() -> None:
    fleet = a_fleet()
    surveys, rollout = GateSurveys(lambda: fleet.now_s), fleet.start("0.2.1", EVERYONE)
    fleet.now_s = QUARTER_S * (fleet.now_s // QUARTER_S)
    assert is_wanted(fleet, surveys, rollout)
    take(fleet, surveys, rollout)
    assert not is_wanted(fleet, surveys, rollout)
    fleet.now_s += GATE_PAUSE_S
    assert is_wanted(fleet, surveys, rollout)
    fleet.now_s += QUARTER_S - GATE_PAUSE_S - 1
    take(fleet, surveys, rollout)
    assert not is_wanted(fleet, surveys, rollout)
    fleet.now_s += 1
    assert is_wanted(fleet, surveys, rollout)


def test_a_gate_whose_survey_takes_long_is_surveyed_the_less_often() -> None:
    fleet = a_fleet()
    surveys, rollout = GateSurveys(lambda: fleet.now_s), fleet.start("0.2.1", EVERYONE)
    fleet.now_s = QUARTER_S * (fleet.now_s // QUARTER_S)
    take(fleet, surveys, rollout, took_s=4.0)
    fleet.now_s += 3 * 4.0 * PAUSES - 1
    assert not is_wanted(fleet, surveys, rollout)
    fleet.now_s += 1
    assert is_wanted(fleet, surveys, rollout)


def test_a_survey_that_went_on_into_the_next_quarter_is_no_evidence(caplog: pytest.LogCaptureFixture) -> None:
    fleet = a_fleet()
    surveys, rollout = GateSurveys(lambda: fleet.now_s), fleet.start("0.2.1", EVERYONE)
    take(fleet, surveys, rollout, took_s=QUARTER_S)
    found = fleet.run(lambda rows: surveys.find(rows, rollout, fleet.now_s))
    assert found is not None and (found.facts.first_events, found.is_fed) == ({}, False)
    assert surveys.wanted() == []
    assert "survey-late" in caplog.text
