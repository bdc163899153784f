"""Rollouts over real rows: phases open one after the other, failures halt, and nothing holds one up for ever."""

from dataclasses import replace

import pytest

from fleet.fleet_case import EVERYONE, HOUR_S, START_S, FleetCase, Voice
from support import code_of
from surefoot.fleet.model import RolloutState, Status
from surefoot.fleet.rollouts import halt_rollout, pause_rollout, progress, resume_rollout, start_rollout
from surefoot.rollout.plan import Phase, Plan

SOAK_S = 24 * HOUR_S
INTERNAL = Phase(name="internal", robots=("robot-1",), soak_s=SOAK_S)
FULL = Phase(name="full", percent=100, soak_s=SOAK_S)
TWO_PHASES = Plan(phases=(INTERNAL, FULL), silence_deadline_s=72 * HOUR_S)


def pause(fleet: FleetCase, rollout_id: str, reason: str = "lunch") -> None:
    fleet.run(lambda rows: pause_rollout(rows, rollout_id, reason, fleet.now_s))


def halt(fleet: FleetCase, rollout_id: str, reason: str = "smoke") -> None:
    fleet.run(lambda rows: halt_rollout(rows, rollout_id, reason, fleet.now_s))


def resume(fleet: FleetCase, rollout_id: str, reason: str = "no fire") -> None:
    fleet.run(lambda rows: resume_rollout(rows, rollout_id, reason, fleet.now_s))


def fail(fleet: FleetCase, voice: Voice) -> None:
    voice.says(fleet.offered(voice).id, "rolled_back", code="trial-failed")
    fleet.hear(voice)


def test_a_rollout_is_one_row_and_opens_its_first_phase(fleet: FleetCase) -> None:
    rollout = fleet.start("0.2.1", TWO_PHASES)
    assert (rollout.state, rollout.phase, rollout.phase_opened_at_s) == (RolloutState.RUNNING, 0, START_S)
    assert (rollout.sku, rollout.plan) == ("standard", TWO_PHASES)
    assert fleet.rollout(rollout.rollout_id) == rollout


def test_a_rollout_of_no_release_is_refused(fleet: FleetCase) -> None:
    def begin() -> None:
        fleet.run(lambda rows: start_rollout(rows, "nothing", EVERYONE, "rollout-1", b"salt", fleet.now_s))

    assert code_of(begin) == "not-found-release"


def test_a_phase_opens_when_the_last_one_has_settled_and_soaked(fleet: FleetCase) -> None:
    first, second = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    fleet.hear(second)
    rollout_id = fleet.start("0.2.1", TWO_PHASES).rollout_id
    fleet.offered(first)
    assert fleet.tick(after_s=2 * SOAK_S) == []
    assert "still updating" in fleet.rollout(rollout_id).reason
    fleet.install(first)
    assert fleet.tick(after_s=SOAK_S - 1) == []
    assert fleet.hear(second).offer is None
    assert len(fleet.tick(after_s=1)) == 1
    assert (fleet.rollout(rollout_id).phase, fleet.rollout(rollout_id).phase_opened_at_s) == (1, fleet.now_s)
    assert fleet.hear(second).offer is not None


def test_the_last_phase_ends_with_a_stable_release(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", Plan(phases=(FULL,))).rollout_id
    fleet.install(fleet.enrol())
    fleet.tick(after_s=SOAK_S - 1)
    assert fleet.stored_release("0.2.1").stable is False
    changes = fleet.tick(after_s=1)
    assert len(changes) == 1 and rollout_id in changes[0]
    assert fleet.rollout(rollout_id).state is RolloutState.FINISHED
    assert fleet.stored_release("0.2.1").stable is True


def test_a_failure_beyond_the_limit_halts_and_names_the_robot(fleet: FleetCase) -> None:
    failing, waiting = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    rollout_id = fleet.start("0.2.1").rollout_id
    fleet.offered(waiting)
    fail(fleet, failing)
    assert len(fleet.tick()) == 1
    halted = fleet.rollout(rollout_id)
    assert halted.state is RolloutState.HALTED
    assert "robot-1" in halted.reason and "robot-2" not in halted.reason
    assert fleet.hear(waiting).offer is None


def test_failures_within_the_limit_do_not_halt(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", replace(EVERYONE, failures_max=1)).rollout_id
    fail(fleet, fleet.enrol("robot-1"))
    fleet.install(fleet.enrol("robot-2"))
    fleet.tick(after_s=1)
    finished = fleet.rollout(rollout_id)
    assert finished.state is RolloutState.FINISHED
    assert "1 installed, 1 failed" in finished.reason


def test_a_refusal_counts_as_a_failure(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    rollout_id = fleet.start("0.2.1").rollout_id
    robot.says(fleet.offered(robot).id, "refused", 0, "refused-size")
    fleet.hear(robot)
    fleet.tick()
    assert fleet.rollout(rollout_id).state is RolloutState.HALTED


def test_a_robot_that_will_try_again_is_updating_and_has_not_failed(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    rollout_id = fleet.start("0.2.1").rollout_id
    robot.says(fleet.offered(robot).id, "rolled_back", 1, "trial-interrupted")
    fleet.hear(robot)
    fleet.tick(after_s=1)
    running = fleet.rollout(rollout_id)
    assert running.state is RolloutState.RUNNING
    assert "still updating" in running.reason


def test_a_robot_that_fell_silent_over_its_update_counts_as_failed_after_the_deadline(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    rollout_id = fleet.start("0.2.1").rollout_id
    fleet.offered(robot)
    fleet.tick(after_s=24 * HOUR_S)
    assert fleet.rollout(rollout_id).state is RolloutState.RUNNING
    fleet.tick(after_s=1)
    assert fleet.rollout(rollout_id).state is RolloutState.HALTED
    assert fleet.assignment().status is Status.SILENT


def test_a_robot_not_reached_yet_holds_its_phase_up(fleet: FleetCase) -> None:
    fleet.hear(fleet.enrol("robot-1"))
    rollout_id = fleet.start("0.2.1").rollout_id
    fleet.install(fleet.enrol("robot-2"))
    fleet.tick(after_s=HOUR_S)
    assert fleet.rollout(rollout_id).state is RolloutState.RUNNING
    assert "not asked yet" in fleet.rollout(rollout_id).reason


def test_robots_that_cannot_be_reached_hold_nothing_up(fleet: FleetCase) -> None:
    fleet.enrol("never-heard")
    fleet.hear(fleet.enrol("gone"))
    fleet.hear(fleet.enrol("newer", version="0.3.0"))
    fleet.now_s += 25 * HOUR_S
    fleet.hear(fleet.enrol("newer-too", version="0.3.0"))
    rollout_id = fleet.start("0.2.1").rollout_id
    fleet.install(fleet.enrol("robot-1"))
    fleet.tick(after_s=1)
    assert fleet.rollout(rollout_id).state is RolloutState.FINISHED


def test_a_robot_that_joins_late_is_reached_and_waited_for(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", Plan(phases=(FULL,))).rollout_id
    fleet.install(fleet.enrol("robot-1"))
    fleet.tick(after_s=SOAK_S / 2)
    fleet.install(fleet.enrol("robot-2"))
    fleet.tick(after_s=SOAK_S / 2)
    assert fleet.rollout(rollout_id).state is RolloutState.RUNNING
    fleet.tick(after_s=SOAK_S / 2)
    assert fleet.rollout(rollout_id).state is RolloutState.FINISHED


def test_a_second_tick_at_the_same_time_changes_nothing(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", TWO_PHASES).rollout_id
    fleet.install(fleet.enrol("robot-1"))
    for after_s in (1, SOAK_S, HOUR_S):
        fleet.tick(after_s)
        before = replace(fleet.rollout(rollout_id), reason=""), fleet.assignment(), fleet.history()
        assert fleet.tick() == []
        assert (replace(fleet.rollout(rollout_id), reason=""), fleet.assignment(), fleet.history()) == before


@pytest.mark.parametrize("back_s", [1.0, SOAK_S, 365 * SOAK_S])
def test_a_clock_set_back_neither_passes_a_phase_nor_holds_it_for_ever(fleet: FleetCase, back_s: float) -> None:
    rollout_id = fleet.start("0.2.1", Plan(phases=(FULL,))).rollout_id
    fleet.install(fleet.enrol())
    fleet.tick(after_s=SOAK_S / 2)
    fleet.tick(after_s=-back_s - SOAK_S / 2)
    fleet.tick(after_s=SOAK_S - 1)
    assert fleet.rollout(rollout_id).state is RolloutState.RUNNING
    fleet.tick(after_s=1)
    assert fleet.rollout(rollout_id).state is RolloutState.FINISHED


def test_pausing_stops_the_engine_and_resuming_soaks_anew(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", Plan(phases=(FULL,))).rollout_id
    fleet.install(fleet.enrol())
    pause(fleet, rollout_id)
    assert fleet.tick(after_s=2 * SOAK_S) == []
    assert (fleet.rollout(rollout_id).state, fleet.rollout(rollout_id).reason) == (RolloutState.PAUSED, "lunch")
    resume(fleet, rollout_id)
    fleet.tick(after_s=SOAK_S - 1)
    assert fleet.rollout(rollout_id).state is RolloutState.RUNNING
    fleet.tick(after_s=1)
    assert fleet.rollout(rollout_id).state is RolloutState.FINISHED


def test_resuming_a_halted_rollout_accepts_the_failures_there_are_and_no_more(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", Plan(phases=(FULL,))).rollout_id
    fail(fleet, fleet.enrol("robot-1"))
    fleet.tick()
    resume(fleet, rollout_id, "robot-1 has a bad cable")
    fleet.tick(after_s=1)
    assert fleet.rollout(rollout_id).state is RolloutState.RUNNING
    fail(fleet, fleet.enrol("robot-2"))
    fleet.tick()
    assert fleet.rollout(rollout_id).state is RolloutState.HALTED


def test_resuming_a_paused_rollout_accepts_no_failure(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1").rollout_id
    fail(fleet, fleet.enrol("robot-1"))
    pause(fleet, rollout_id)
    resume(fleet, rollout_id)
    fleet.tick()
    assert fleet.rollout(rollout_id).state is RolloutState.HALTED


def test_moves_that_a_state_does_not_allow_are_refused(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1").rollout_id
    assert code_of(resume, fleet, rollout_id) == "refused-rollout-state"
    pause(fleet, rollout_id)
    assert code_of(pause, fleet, rollout_id) == "refused-rollout-state"
    halt(fleet, rollout_id)
    for move in (pause, halt):
        assert code_of(move, fleet, rollout_id) == "refused-rollout-state"
    resume(fleet, rollout_id)
    fleet.tick()
    assert fleet.rollout(rollout_id).state is RolloutState.FINISHED
    for move in (pause, resume):
        assert code_of(move, fleet, rollout_id) == "refused-rollout-state"
    halt(fleet, rollout_id)
    assert fleet.rollout(rollout_id).state is RolloutState.HALTED


def test_a_rollout_that_is_not_there_cannot_be_moved(fleet: FleetCase) -> None:
    for move in (pause, resume, halt):
        assert code_of(move, fleet, "nothing") == "not-found-rollout"


@pytest.mark.parametrize("reason", ["", " \n"])
def test_halting_and_resuming_need_a_reason(fleet: FleetCase, reason: str) -> None:
    rollout_id = fleet.start("0.2.1").rollout_id
    assert code_of(halt, fleet, rollout_id, reason) == "refused-reason-missing"
    pause(fleet, rollout_id, reason)
    assert fleet.rollout(rollout_id).reason.strip()
    assert code_of(resume, fleet, rollout_id, reason) == "refused-reason-missing"


def test_progress_counts_robots_by_status(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", replace(EVERYONE, failures_max=5)).rollout_id
    fleet.install(fleet.enrol("robot-1"))
    fail(fleet, fleet.enrol("robot-2"))
    fleet.offered(fleet.enrol("robot-3"))
    shown = fleet.run(lambda rows: progress(rows, rollout_id, fleet.now_s))
    assert shown.counts == {Status.INSTALLED: 1, Status.ROLLED_BACK: 1, Status.WAITING: 1}
    assert (shown.phase_name, shown.release.release_id) == ("full", "standard-0.2.1")
    assert code_of(lambda: fleet.run(lambda rows: progress(rows, "nothing", 0))) == "not-found-rollout"


# Two rollouts of one sku at the same time.


@pytest.mark.parametrize(
    ("state", "code", "status"),
    [("rolled_back", "trial-failed", Status.ROLLED_BACK), ("refused", "refused-size", Status.REFUSED)],
)
def test_what_a_robot_says_of_a_newer_rollout_does_not_rewrite_how_the_older_one_ended(
    fleet: FleetCase, state: str, code: str, status: Status
) -> None:
    robot = fleet.enrol()
    older = fleet.start("0.2.1", replace(EVERYONE, failures_max=1))
    robot.says(fleet.offered(robot).id, state, code=code)
    fleet.hear(robot)
    fleet.start("0.2.2")
    robot.says(fleet.offered(robot).id, "downloading", attempts=0)
    fleet.hear(robot)
    fleet.tick(after_s=1)
    ended = fleet.assignment_of(older)
    assert (ended.status, ended.code) == (status, code)
    assert [entry for entry in fleet.history() if "recorded as" in entry.text] == []
    assert fleet.rollout(older.rollout_id).state is RolloutState.FINISHED


def test_a_robot_that_a_newer_rollout_took_does_not_hold_up_the_older_one(fleet: FleetCase) -> None:
    first, second = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    older = fleet.start("0.2.1")
    fleet.install(first)
    newer = fleet.start("0.2.2", replace(EVERYONE, failures_max=1))
    fail(fleet, second)
    fleet.tick(after_s=1)
    assert fleet.rollout(older.rollout_id).state is RolloutState.FINISHED
    assert fleet.rollout(newer.rollout_id).state is RolloutState.RUNNING
