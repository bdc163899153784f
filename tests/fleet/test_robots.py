from dataclasses import replace

import pytest

from fleet.fleet_case import EVERYONE, HOUR_S, KEY_ID, SKU, FleetCase, digest_of
from support import code_of
from surefoot.fleet.keys import find_key
from surefoot.fleet.model import KeyState, RolloutState, Status
from surefoot.fleet.pins import pin_robot
from surefoot.fleet.robots import HISTORY_SHOWN, RobotStatus, enrol_robot, list_robots
from surefoot.fleet.rollouts import halt_rollout, pause_rollout
from surefoot.rollout.maintenance import Window
from surefoot.rollout.plan import Phase, Plan
from surefoot.wire.codes import NAMED_REFUSALS


def enrol(fleet: FleetCase, robot_id: str, sku: str = SKU) -> None:
    fleet.run(lambda rows: enrol_robot(rows, robot_id, sku, f"token of {robot_id}", fleet.now_s))


def listed(fleet: FleetCase, after: str = "", limit: int = 100) -> list[RobotStatus]:
    return fleet.run(lambda rows: list_robots(rows, after, limit, fleet.now_s))


def test_a_robot_is_enrolled_once(fleet: FleetCase) -> None:
    robot = fleet.enrol("leg:1.left_2-x").robot
    assert (robot.sku, robot.enrolled_at_s) == (SKU, fleet.now_s)
    assert fleet.status(robot.robot_id).robot == robot
    assert code_of(enrol, fleet, robot.robot_id) == "refused-robot-exists"
    assert fleet.status(robot.robot_id).robot == robot


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a\n", "ä", "r" * 129])
def test_a_robot_id_that_could_not_be_written_everywhere_is_refused(fleet: FleetCase, name: str) -> None:
    assert code_of(enrol, fleet, name) == "refused-robot-id"
    assert listed(fleet) == []


@pytest.mark.parametrize("sku", ["", "a b", "s" * 65])
def test_a_bad_sku_is_refused(fleet: FleetCase, sku: str) -> None:
    assert code_of(enrol, fleet, "robot-1", sku) == "refused-robot-id"


def test_the_longest_names_are_taken(fleet: FleetCase) -> None:
    enrol(fleet, "r" * 128, "s" * 64)
    assert len(listed(fleet)) == 1


def test_a_robot_that_is_not_there_has_no_status(fleet: FleetCase) -> None:
    assert code_of(fleet.status, "robot-1") == "not-found-robot"


def test_a_robot_without_an_assignment_is_unassigned(fleet: FleetCase) -> None:
    fleet.hear(fleet.enrol())
    shown = fleet.status()
    assert shown.verdict.status is Status.UNASSIGNED
    assert (shown.assignment, shown.wanted_version, shown.wanted_digest) == (None, None, None)
    assert shown.facts is not None


@pytest.mark.parametrize("code", NAMED_REFUSALS)
def test_a_robot_without_an_assignment_is_shown_with_the_refusal_that_keeps_it_from_one(
    fleet: FleetCase, code: str
) -> None:
    robot = fleet.enrol(version="0.3.0" if code == "newer-version" else "0.2.0")
    fleet.hear(robot)
    other = fleet.enrol("other")
    if code != "no-rollout":
        named = (Phase(name="internal", robots=("other",), soak_s=0),) if code == "phase-closed" else ()
        fleet.release("0.2.1", format="rauc" if code == "wrong-format" else "robo")
        plan = Plan(phases=(*named, *EVERYONE.phases), capacity=1)
        if code == "excluded":
            plan = replace(plan, exclude=("robot-1",))
        if code == "outside-window":
            plan = replace(plan, maintenance_windows=(Window(from_min=60, to_min=61),))
        rollout = fleet.start("0.2.1", plan)
        if code == "at-capacity":
            fleet.offered(other)
        if code == "wave-full":
            fleet.run(lambda rows: rows.put(replace(rollout, offers_max=0)))
        if code == "pinned":
            fleet.run(lambda rows: pin_robot(rows, "robot-1", None, "on loan", fleet.now_s, "ana"))
        if code in {"paused", "halted"}:
            fleet.run(lambda rows: rows.put(replace(rollout, state=RolloutState(code))))
        if code == "key-revoked":
            fleet.run(lambda rows: rows.put(replace(find_key(rows, KEY_ID), state=KeyState.REVOKED)))
    trusted = ("bb" * 32,) if code == "untrusted-key" else (KEY_ID,)
    assert fleet.hear(robot, trusted_keys=trusted).offer is None
    for shown in (fleet.status(), next(one for one in listed(fleet) if one.robot == robot.robot)):
        verdict = shown.verdict
        assert (verdict.status, verdict.code, verdict.reason) == (Status.UNASSIGNED, code, NAMED_REFUSALS[code])
        assert (verdict.is_open, verdict.failed) == (False, False)
    assert fleet.status().no_offer == code


def test_a_robot_that_has_one_release_tells_why_it_gets_no_newer_offer(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.release("0.2.1")
    fleet.start("0.2.1")
    fleet.install(robot)
    assert fleet.status().no_offer is None
    fleet.release("0.2.2")
    fleet.start("0.2.2", replace(EVERYONE, exclude=("robot-1",)))
    shown = fleet.status()
    assert (shown.verdict.status, shown.no_offer) == (Status.INSTALLED, "excluded")


def test_a_robot_that_could_have_an_assignment_is_told_to_ask(fleet: FleetCase) -> None:
    fleet.enrol()
    fleet.start("0.2.1")
    verdict = fleet.status().verdict
    assert (verdict.status, verdict.code) == (Status.UNASSIGNED, None)
    assert verdict.reason == "It gets an assignment when it asks next."


def test_the_newest_rollout_names_the_refusal_and_another_sku_has_no_say(fleet: FleetCase) -> None:
    fleet.enrol()
    enrol(fleet, "heavy-1", "heavy")
    older, newer = fleet.start("0.2.1").rollout_id, fleet.start("0.2.2").rollout_id
    fleet.run(lambda rows: halt_rollout(rows, older, "smoke", fleet.now_s))
    fleet.run(lambda rows: pause_rollout(rows, newer, "lunch", fleet.now_s))
    assert [shown.verdict.code for shown in listed(fleet)] == ["no-rollout", "paused"]


def test_a_status_shows_what_runs_what_should_and_the_difference(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    fleet.offered(robot)
    shown = fleet.status()
    assert shown.facts is not None
    assert shown.facts.report.running.digest == digest_of("0.2.0")
    assert (str(shown.wanted_version), shown.wanted_digest) == ("0.2.1", digest_of("0.2.1"))
    assert shown.verdict.status is Status.WAITING
    assert shown.assignment == fleet.assignment()
    assert [entry.kind for entry in shown.history] == ["assigned"]


def test_silence_is_shown_before_the_engine_has_recorded_it(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    fleet.offered(robot)
    heard_s, fleet.now_s = fleet.now_s, fleet.now_s + 1_000_000
    verdict = fleet.status().verdict
    assert (verdict.status, verdict.silent_since_s) == (Status.SILENT, heard_s)


def test_an_installed_robot_that_fell_silent_is_shown_as_both(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    fleet.install(robot)
    heard_s = fleet.now_s
    fleet.watch(25 * HOUR_S)
    verdict = fleet.status().verdict
    assert (verdict.status, verdict.silent_since_s) == (Status.INSTALLED, heard_s)


def test_the_newest_of_a_long_history_is_shown(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    for number in range(HISTORY_SHOWN + 5):
        robot.resets(f"epoch-{number}")
        fleet.hear(robot)
    history = fleet.status().history
    assert len(history) == HISTORY_SHOWN
    assert f"epoch-{HISTORY_SHOWN + 4} after" in history[0].text


def test_robots_are_listed_page_by_page_as_each_stands_alone(fleet: FleetCase) -> None:
    fleet.start("0.2.1")
    for number in range(5):
        fleet.hear(fleet.enrol(f"robot-{number}"))
    first = listed(fleet, limit=3)
    rest = listed(fleet, after=first[-1].robot.robot_id)
    assert [shown.robot.robot_id for shown in first + rest] == [f"robot-{number}" for number in range(5)]
    for shown in first + rest:
        alone = fleet.status(shown.robot.robot_id)
        assert (shown.verdict, shown.facts, shown.assignment) == (alone.verdict, alone.facts, alone.assignment)
