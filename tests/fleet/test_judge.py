"""Verdicts on rows: derived without writing, recorded only where something changed."""

from dataclasses import replace
from typing import Any

from fleet.fleet_case import FleetCase
from support import code_of
from surefoot.fleet.judge import Judged, judge, record_verdict
from surefoot.fleet.model import Assignment, Status
from surefoot.fleet.ports import Rows


def judged(fleet: FleetCase, **changes: Any) -> Judged:
    def work(rows: Rows) -> Judged:
        assignment = rows.newest_assignment("robot-1")
        assert assignment is not None
        return judge(rows, replace(assignment, **changes), rows.facts("robot-1"), fleet.now_s)

    return fleet.run(work)


def record(fleet: FleetCase, verdict: Judged) -> Assignment:
    return fleet.run(lambda rows: record_verdict(rows, verdict, fleet.now_s))


def waiting(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    fleet.offered(robot)


def test_judging_writes_nothing(fleet: FleetCase) -> None:
    waiting(fleet)
    before = fleet.assignment(), fleet.history()
    fleet.now_s += 1_000_000
    assert judged(fleet).verdict.status is Status.SILENT
    assert (fleet.assignment(), fleet.history()) == before


def test_an_assignment_whose_release_is_gone_is_damage(fleet: FleetCase) -> None:
    waiting(fleet)
    assert code_of(judged, fleet, release_id="gone") == "damaged-assignment"
    assert code_of(judged, fleet, rollout_id="gone") == "damaged-assignment"


def test_a_verdict_that_says_nothing_new_is_not_recorded(fleet: FleetCase) -> None:
    waiting(fleet)
    before = fleet.assignment(), fleet.history()
    fleet.now_s += 60
    assert record(fleet, judged(fleet)) == before[0]
    assert (fleet.assignment(), fleet.history()) == before


def test_a_new_status_is_recorded_with_its_time(fleet: FleetCase) -> None:
    waiting(fleet)
    fleet.now_s += 1_000_000
    after = record(fleet, judged(fleet))
    assert after == fleet.assignment()
    assert (after.status, after.status_since_s) == (Status.SILENT, fleet.now_s)
    entry = fleet.history()[-1]
    assert (entry.kind, entry.at_s) == ("status", fleet.now_s)
    assert entry.text == "0.2.1: silent. It has not reported for longer than the deadline."


def test_a_new_code_alone_is_recorded_and_the_status_keeps_its_time(fleet: FleetCase) -> None:
    waiting(fleet)
    since_s = fleet.assignment().status_since_s
    fleet.now_s += 60
    now = judged(fleet)
    after = record(fleet, replace(now, verdict=replace(now.verdict, code="paused")))
    assert (after.code, after.status_since_s) == ("paused", since_s)
    assert fleet.history()[-1].text.startswith("0.2.1: waiting (paused).")


def test_the_first_time_it_was_installed_is_kept(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    fleet.install(robot)
    first_s = fleet.now_s
    fleet.now_s += 60
    robot.runs("0.2.0")
    fleet.hear(robot)
    assert fleet.assignment().status is Status.DRIFTED
    robot.runs("0.2.1")
    fleet.hear(robot)
    assert (fleet.assignment().status, fleet.assignment().installed_at_s) == (Status.INSTALLED, first_s)


def test_a_place_given_back_is_recorded_and_not_told(fleet: FleetCase) -> None:
    waiting(fleet)
    history = fleet.history()
    now = judged(fleet)
    after = record(fleet, replace(now, verdict=replace(now.verdict, is_open=False)))
    assert (after.is_open, fleet.assignment().is_open) == (False, False)
    assert fleet.history() == history
