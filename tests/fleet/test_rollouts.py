"""Rollouts over real rows: phases open one after the other, failures halt, and nothing holds one up for ever."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from fleet.fleet_case import EVERYONE, HOUR_S, START_S, FleetCase, Voice
from support import code_of
from surefoot.fleet.look import OUTAGE_S
from surefoot.fleet.model import RolloutState, Status
from surefoot.fleet.rollouts import halt_rollout, pause_rollout, progress, resume_rollout, start_rollout
from surefoot.rollout.plan import Order, Phase, Plan
from surefoot.wire.errors import Refused

SOAK_S = HOUR_S / 2
INTERNAL = Phase(name="internal", robots=("robot-1",), soak_s=SOAK_S)
FULL = Phase(name="full", percent=100, soak_s=SOAK_S)
TWO_PHASES = Plan(phases=(INTERNAL, FULL), failures_max=0, ramp=None, silence_deadline_s=72 * HOUR_S)
DEADLINE_S = HOUR_S / 2
SOON_SILENT = replace(EVERYONE, silence_deadline_s=DEADLINE_S)
AN_OUTAGE_S = 100 * HOUR_S


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
    fleet.enrol("robot-1")
    rollout = fleet.start("0.2.1", TWO_PHASES)
    assert (rollout.state, rollout.phase, rollout.phase_opened_at_s) == (RolloutState.RUNNING, 0, START_S)
    assert (rollout.sku, rollout.plan) == ("standard", TWO_PHASES)
    assert fleet.rollout(rollout.rollout_id) == rollout


def test_a_plan_that_names_a_robot_nobody_enrolled_is_refused(fleet: FleetCase) -> None:
    with pytest.raises(Refused) as error:
        fleet.start("0.2.1", TWO_PHASES)
    assert error.value.code == "not-found-robot"
    assert "robot-1" in error.value.message


def test_a_rollout_of_no_release_is_refused(fleet: FleetCase) -> None:
    def begin() -> None:
        fleet.run(lambda rows: start_rollout(rows, "nothing", EVERYONE, "rollout-1", b"salt", fleet.now_s))

    assert code_of(begin) == "not-found-release"


def test_a_phase_opens_when_the_last_one_has_settled_and_soaked(fleet: FleetCase) -> None:
    first, second = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    fleet.hear(second)
    rollout_id = fleet.start("0.2.1", TWO_PHASES).rollout_id
    fleet.offered(first)
    assert fleet.watch(2 * SOAK_S) == []
    assert "still updating" in fleet.rollout(rollout_id).reason
    fleet.install(first)
    assert fleet.watch(SOAK_S - 1) == []
    assert fleet.hear(second).offer is None
    assert len(fleet.tick(after_s=1)) == 1
    assert (fleet.rollout(rollout_id).phase, fleet.rollout(rollout_id).phase_opened_at_s) == (1, fleet.now_s)
    assert fleet.hear(second).offer is not None


def test_the_last_phase_ends_with_a_stable_release(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", Plan(phases=(FULL,))).rollout_id
    fleet.install(fleet.enrol())
    fleet.watch(SOAK_S - 1)
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
    rollout_id = fleet.start("0.2.1", SOON_SILENT).rollout_id
    fleet.offered(robot)
    fleet.watch(DEADLINE_S)
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
    assert "expected to ask" in fleet.rollout(rollout_id).reason


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
    fleet.watch(SOAK_S / 2)
    fleet.install(fleet.enrol("robot-2"))
    fleet.watch(SOAK_S - 1)
    assert fleet.rollout(rollout_id).state is RolloutState.RUNNING
    fleet.tick(after_s=1)
    assert fleet.rollout(rollout_id).state is RolloutState.FINISHED


def test_a_second_tick_at_the_same_time_changes_nothing(fleet: FleetCase) -> None:
    robot = fleet.enrol("robot-1")
    rollout_id = fleet.start("0.2.1", TWO_PHASES).rollout_id
    fleet.install(robot)
    for after_s in (1, SOAK_S, HOUR_S):
        fleet.watch(after_s)
        before = replace(fleet.rollout(rollout_id), reason=""), fleet.assignment(), fleet.history()
        assert fleet.tick() == []
        assert (replace(fleet.rollout(rollout_id), reason=""), fleet.assignment(), fleet.history()) == before


@pytest.mark.parametrize("back_s", [1.0, SOAK_S, 365 * SOAK_S])
def test_a_clock_set_back_neither_passes_a_phase_nor_holds_it_for_ever(fleet: FleetCase, back_s: float) -> None:
    rollout_id = fleet.start("0.2.1", Plan(phases=(FULL,))).rollout_id
    fleet.install(fleet.enrol())
    fleet.watch(SOAK_S / 2)
    fleet.tick(after_s=-back_s - SOAK_S / 2)
    fleet.watch(SOAK_S - 1)
    assert fleet.rollout(rollout_id).state is RolloutState.RUNNING
    fleet.tick(after_s=1)
    assert fleet.rollout(rollout_id).state is RolloutState.FINISHED


def test_pausing_stops_the_engine_and_resuming_soaks_anew(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", Plan(phases=(FULL,))).rollout_id
    fleet.install(fleet.enrol())
    fleet.watch(SOAK_S / 2)
    pause(fleet, rollout_id)
    assert fleet.watch(2 * SOAK_S) == []
    assert (fleet.rollout(rollout_id).state, fleet.rollout(rollout_id).reason) == (RolloutState.PAUSED, "lunch")
    resume(fleet, rollout_id)
    fleet.watch(SOAK_S - 1)
    assert fleet.rollout(rollout_id).state is RolloutState.RUNNING
    fleet.tick(after_s=1)
    assert fleet.rollout(rollout_id).state is RolloutState.FINISHED


def test_resuming_a_halted_rollout_accepts_the_failures_there_are_and_no_more(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", replace(EVERYONE, phases=(FULL,))).rollout_id
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
    fleet.install(fleet.enrol())
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


# Who never said anything.


def test_a_rollout_over_robots_never_heard_from_does_not_finish(fleet: FleetCase) -> None:
    robot = fleet.enrol("robot-1")
    fleet.enrol("robot-2")
    rollout_id = fleet.start("0.2.1").rollout_id
    fleet.watch(2 * HOUR_S)
    assert fleet.rollout(rollout_id).state is RolloutState.RUNNING
    assert fleet.rollout(rollout_id).reason == "2 robots are not heard from in phase full."
    fleet.install(robot)
    fleet.tick()
    assert fleet.rollout(rollout_id).state is RolloutState.FINISHED


def test_a_rollout_without_any_robot_does_not_finish(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1").rollout_id
    fleet.watch(2 * HOUR_S)
    assert fleet.rollout(rollout_id).reason == "No robot has installed the release yet."


def test_a_phase_does_not_pass_while_a_robot_it_names_is_not_heard_from(fleet: FleetCase) -> None:
    named, silent = Phase(name="internal", robots=("robot-1", "robot-2"), soak_s=0), fleet.enrol("robot-2")
    heard = fleet.enrol("robot-1")
    rollout_id = fleet.start("0.2.1", Plan(phases=(named, FULL))).rollout_id
    fleet.install(heard)
    fleet.watch(HOUR_S)
    assert (fleet.rollout(rollout_id).phase, fleet.rollout(rollout_id).reason) == (
        0,
        "1 robot is not heard from in phase internal.",
    )
    fleet.install(silent)
    fleet.tick()
    assert fleet.rollout(rollout_id).phase == 1


def test_a_robot_that_names_the_version_and_no_digest_holds_nothing_up(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1").rollout_id
    polling = fleet.enrol("robot-1")
    fleet.install(fleet.enrol("robot-2"))
    assert fleet.poll(polling, "0.2.0") is not None
    fleet.tick()
    assert "1 robot is still updating" in fleet.rollout(rollout_id).reason
    assert fleet.poll(polling, "0.2.1") is None
    fleet.tick()
    assert fleet.rollout(rollout_id).state is RolloutState.FINISHED
    assert "1 installed" in fleet.rollout(rollout_id).reason, "a version is no proof"


# The server was down, or its clock jumped: nobody could report, so nothing is concluded from it.


def test_an_outage_passes_no_soak(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", Plan(phases=(FULL,))).rollout_id
    fleet.install(fleet.enrol())
    fleet.watch(SOAK_S / 2)
    fleet.tick(after_s=AN_OUTAGE_S)
    assert fleet.rollout(rollout_id).reason == f"Phase full soaks for another {SOAK_S / 120:.0f} min."
    fleet.watch(SOAK_S / 2 - 1)
    assert fleet.rollout(rollout_id).state is RolloutState.RUNNING
    fleet.tick(after_s=1)
    assert fleet.rollout(rollout_id).state is RolloutState.FINISHED


def test_an_outage_makes_nobody_silent_until_a_whole_deadline_was_watched(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", SOON_SILENT).rollout_id
    fleet.offered(fleet.enrol())
    fleet.tick(after_s=AN_OUTAGE_S)
    assert fleet.assignment().status is Status.WAITING
    fleet.watch(DEADLINE_S)
    assert (fleet.assignment().status, fleet.rollout(rollout_id).state) == (Status.WAITING, RolloutState.RUNNING)
    fleet.tick(after_s=1)
    assert (fleet.assignment().status, fleet.rollout(rollout_id).state) == (Status.SILENT, RolloutState.HALTED)


def test_the_longest_break_that_is_no_outage_counts_in_full(fleet: FleetCase) -> None:
    rollout = fleet.start("0.2.1", Plan(phases=(FULL,)))
    fleet.install(fleet.enrol())
    fleet.tick(after_s=OUTAGE_S)
    watched = fleet.rollout(rollout.rollout_id)
    assert (watched.soaked_s, watched.watched_since_s) == (OUTAGE_S, rollout.started_at_s)
    fleet.tick(after_s=OUTAGE_S + 1)
    watched = fleet.rollout(rollout.rollout_id)
    assert (watched.soaked_s, watched.watched_since_s) == (OUTAGE_S, fleet.now_s)


def test_who_was_silent_before_an_outage_stays_so_until_it_speaks(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1", replace(SOON_SILENT, failures_max=1))
    fleet.offered(robot)
    fleet.watch(DEADLINE_S + 1)
    before = fleet.assignment(), fleet.history()
    fleet.tick(after_s=AN_OUTAGE_S)
    assert (fleet.assignment(), fleet.history()) == before
    assert fleet.hear(robot).offer is not None
    assert fleet.assignment().status is Status.WAITING


def test_resuming_right_after_an_outage_takes_nobody_for_failed_whom_it_kept_from_reporting(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", SOON_SILENT).rollout_id
    for number in range(3):
        fleet.offered(fleet.enrol(f"robot-{number}"))
    halt(fleet, rollout_id)
    fleet.now_s += AN_OUTAGE_S
    resume(fleet, rollout_id)
    assert fleet.rollout(rollout_id).plan.failures_max == 0
    fleet.tick()
    assert fleet.rollout(rollout_id).state is RolloutState.RUNNING


def test_soak_begins_anew_whenever_a_robot_is_not_done(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", Plan(phases=(FULL,))).rollout_id
    fleet.install(fleet.enrol("robot-1"))
    fleet.watch(SOAK_S - 1)
    late = fleet.enrol("robot-2")
    fleet.offered(late)
    fleet.tick()
    assert fleet.rollout(rollout_id).soaked_s == 0
    late.runs("0.2.1")
    fleet.hear(late)
    fleet.watch(SOAK_S - 1)
    assert fleet.rollout(rollout_id).state is RolloutState.RUNNING
    fleet.tick(after_s=1)
    assert fleet.rollout(rollout_id).state is RolloutState.FINISHED


def test_soak_counts_from_when_a_robot_settled_and_not_from_the_look_before(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", Plan(phases=(FULL,))).rollout_id
    fleet.tick()
    fleet.now_s += OUTAGE_S - 10
    fleet.install(fleet.enrol())
    fleet.tick(after_s=10)
    assert fleet.rollout(rollout_id).soaked_s == 10


@pytest.mark.parametrize("stop", [pause, halt])
def test_a_stopped_rollout_is_looked_at_and_decides_nothing(fleet: FleetCase, stop: Callable[..., None]) -> None:
    rollout_id = fleet.start("0.2.1", SOON_SILENT).rollout_id
    fleet.offered(fleet.enrol())
    stop(fleet, rollout_id)
    stopped = fleet.rollout(rollout_id)
    assert fleet.watch(DEADLINE_S) == []
    assert (fleet.assignment().status, fleet.assignment().code) == (Status.WAITING, str(stopped.state))
    assert fleet.watch(1) == []
    assert fleet.assignment().status is Status.SILENT
    assert fleet.rollout(rollout_id) == replace(stopped, looked_at_s=fleet.now_s)


# Places of the plan's capacity.

ONE_PLACE = replace(SOON_SILENT, capacity=1, failures_max=9)


def places(fleet: FleetCase, rollout_id: str) -> int:
    return fleet.run(lambda rows: rows.count_open(rollout_id))


def go_back(fleet: FleetCase, voice: Voice, offer_id: str) -> bool:
    """Let a robot say that it went back by chance, and return whether it is offered another try."""
    voice.says(offer_id, "rolled_back", code="trial-interrupted")
    return fleet.hear(voice).offer is not None


def test_of_two_rollbacks_worth_another_try_one_is_offered_where_there_is_one_place(fleet: FleetCase) -> None:
    first, second = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    rollout_id = fleet.start("0.2.1", replace(ONE_PLACE, capacity=2)).rollout_id
    offers = [fleet.offered(voice).id for voice in (first, second)]
    narrow = fleet.rollout(rollout_id)
    fleet.run(lambda rows: rows.put(replace(narrow, plan=replace(narrow.plan, capacity=1))))
    pause(fleet, rollout_id)
    for voice, offer_id in zip((first, second), offers, strict=True):
        assert not go_back(fleet, voice, offer_id)
    assert places(fleet, rollout_id) == 0
    resume(fleet, rollout_id)
    assert [fleet.hear(voice).offer is not None for voice in (second, first)] == [True, False]
    held = fleet.assignment("robot-1")
    assert (held.status, held.code, held.is_open) == (Status.ROLLED_BACK, "trial-interrupted", False)
    second.runs("0.2.1")
    fleet.hear(second)
    assert fleet.hear(first).offer is not None
    assert places(fleet, rollout_id) == 1


def test_a_rollback_worth_another_try_keeps_its_place(fleet: FleetCase) -> None:
    first, second = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    rollout_id = fleet.start("0.2.1", ONE_PLACE).rollout_id
    assert go_back(fleet, first, fleet.offered(first).id)
    assert fleet.hear(second).offer is None
    assert fleet.status("robot-2").verdict.code == "at-capacity"
    assert places(fleet, rollout_id) == 1


def paused_after_an_offer(fleet: FleetCase) -> tuple[str, Voice, Voice]:
    """Offer the one place there is to robot-1, pause, and let the engine look."""
    first, second = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    rollout_id = fleet.start("0.2.1", ONE_PLACE).rollout_id
    fleet.offered(first)
    pause(fleet, rollout_id)
    fleet.tick(after_s=1)
    return rollout_id, first, second


def test_who_was_offered_the_release_before_a_pause_keeps_its_place_as_it_may_be_following(fleet: FleetCase) -> None:
    rollout_id, first, second = paused_after_an_offer(fleet)
    assert places(fleet, rollout_id) == 1
    resume(fleet, rollout_id)
    assert fleet.hear(second).offer is None
    assert fleet.status("robot-2").verdict.code == "at-capacity"
    first.says(fleet.assignment("robot-1").assignment_id, "downloading", attempts=0)
    fleet.hear(first)
    assert places(fleet, rollout_id) == 1


def test_who_says_in_a_pause_that_it_has_nothing_in_hand_gives_its_place_back(fleet: FleetCase) -> None:
    rollout_id, first, second = paused_after_an_offer(fleet)
    assert fleet.hear(first).offer is None
    assert places(fleet, rollout_id) == 0
    fleet.tick(after_s=1)
    resume(fleet, rollout_id)
    assert fleet.hear(second).offer is not None
    assert fleet.hear(first).offer is None
    assert (fleet.assignment("robot-1").code, places(fleet, rollout_id)) == ("at-capacity", 1)


def test_a_report_from_before_the_offer_frees_no_place_in_a_pause(fleet: FleetCase) -> None:
    first = fleet.enrol("robot-1")
    rollout_id = fleet.start("0.2.1", ONE_PLACE).rollout_id
    late = first.report()
    fleet.offered(first)
    pause(fleet, rollout_id)
    fleet.now_s += 1
    assert fleet.deliver(first, late).stale
    assert places(fleet, rollout_id) == 1


def test_a_repair_of_drift_needs_a_place_like_a_first_offer(fleet: FleetCase) -> None:
    drifting, updating = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    fleet.start("0.2.1", ONE_PLACE)
    fleet.install(drifting)
    offer = fleet.offered(updating)
    drifting.runs("0.1.9")
    assert fleet.hear(drifting).offer is None
    held = fleet.assignment("robot-1")
    assert (held.status, held.code, held.is_open) == (Status.DRIFTED, "at-capacity", False)
    updating.says(offer.id, "refused", code="refused-size")
    fleet.hear(updating)
    assert fleet.hear(drifting).offer is not None


def test_a_silent_robot_gives_its_place_back(fleet: FleetCase) -> None:
    gone, waiting = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    rollout_id = fleet.start("0.2.1", ONE_PLACE).rollout_id
    offer = fleet.offered(gone)
    gone.says(offer.id, "downloading", attempts=0)
    fleet.hear(gone)
    assert fleet.hear(waiting).offer is None
    fleet.watch(DEADLINE_S + 1)
    assert places(fleet, rollout_id) == 0
    assert fleet.hear(waiting).offer is not None
    gone.said = None
    assert fleet.hear(gone).offer is None, "it comes back, and its place is taken"
    assert (fleet.assignment("robot-1").status, fleet.assignment("robot-1").code) == (Status.WAITING, "at-capacity")


@pytest.mark.parametrize("status", [Status.INSTALLED, Status.DRIFTED, Status.ROLLED_BACK])
def test_a_robot_that_falls_silent_over_a_second_try_or_a_last_word_gives_its_place_back_too(
    fleet: FleetCase, status: Status
) -> None:
    robot = fleet.enrol()
    long_soak = Phase(name="full", percent=100, soak_s=2 * DEADLINE_S)
    rollout_id = fleet.start("0.2.1", replace(ONE_PLACE, phases=(long_soak,))).rollout_id
    offer = fleet.offered(robot)
    if status is Status.ROLLED_BACK:
        go_back(fleet, robot, offer.id)
    else:
        robot.runs("0.2.1")
        robot.says(offer.id, "confirming")
        fleet.hear(robot)
    if status is Status.DRIFTED:
        robot.runs("0.1.9")
        fleet.hear(robot)
    assert (fleet.assignment().status, places(fleet, rollout_id)) == (status, 1)
    told = [entry.kind for entry in fleet.history()]
    fleet.watch(DEADLINE_S + 1)
    assert places(fleet, rollout_id) == 0
    ended = Status.SILENT if status is Status.ROLLED_BACK else status
    assert fleet.assignment().status is ended
    assert [entry.kind for entry in fleet.history()] == told + (["status"] if ended is Status.SILENT else [])


def test_a_robot_that_falls_silent_while_it_is_worth_another_try_counts_as_failed(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    rollout_id = fleet.start("0.2.1", SOON_SILENT).rollout_id
    go_back(fleet, robot, fleet.offered(robot).id)
    fleet.watch(DEADLINE_S + 1)
    assert fleet.rollout(rollout_id).state is RolloutState.HALTED


def test_a_silent_robot_of_a_finished_rollout_keeps_no_place_from_those_who_join(fleet: FleetCase) -> None:
    rollout_id = fleet.start("0.2.1", ONE_PLACE).rollout_id
    fleet.install(fleet.enrol("robot-1"))
    fleet.tick()
    assert fleet.rollout(rollout_id).state is RolloutState.FINISHED
    fleet.offered(fleet.enrol("robot-2"))
    fleet.watch(2 * DEADLINE_S)
    assert fleet.hear(fleet.enrol("robot-3")).offer is not None


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
    fleet.install(fleet.enrol("robot-2"))
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


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_robot_taken_while_it_was_to_try_again_does_not_hold_up_the_older_one(
    fleet: FleetCase, attempts: int
) -> None:
    robot = fleet.enrol("robot-1")
    older = fleet.start("0.2.1", replace(EVERYONE, failures_max=1))
    fleet.install(fleet.enrol("robot-2"))
    robot.says(fleet.offered(robot).id, "rolled_back", attempts, "trial-interrupted")
    fleet.hear(robot)
    fleet.start("0.2.2")
    fleet.offered(robot)
    ended = fleet.assignment_of(older)
    assert (ended.status, ended.is_open) == (Status.SUPERSEDED if attempts == 1 else Status.ROLLED_BACK, False)
    fleet.tick()
    assert fleet.rollout(older.rollout_id).state is RolloutState.FINISHED
    assert f"{int(attempts == 3)} failed" in fleet.rollout(older.rollout_id).reason


def test_the_same_robots_go_first_in_every_rollout_where_the_plan_says_so(fleet: FleetCase) -> None:
    same, random = replace(EVERYONE, order=Order.SAME), replace(EVERYONE, order=Order.RANDOM)
    salts = [fleet.start(f"0.2.{number}", plan).salt for number, plan in enumerate((same, same, random, random))]
    assert salts[0] == salts[1]
    assert len(set(salts)) == 3


def test_the_earliest_end_counts_what_still_has_to_be_soaked(fleet: FleetCase) -> None:
    fleet.enrol("robot-1")
    rollout_id = fleet.start("0.2.1", Plan(phases=(INTERNAL, FULL))).rollout_id
    found = fleet.run(lambda rows: progress(rows, rollout_id, fleet.now_s))
    assert found.earliest_end_s == fleet.now_s + INTERNAL.soak_s + FULL.soak_s
    fleet.run(lambda rows: pause_rollout(rows, rollout_id, "", fleet.now_s))
    assert fleet.run(lambda rows: progress(rows, rollout_id, fleet.now_s)).earliest_end_s is None
