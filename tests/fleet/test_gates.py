"""Gates over real rows: what robots tell halts a worse release, passes a good one, and nothing passes unseen."""

from dataclasses import replace
from typing import Any

import pytest

from fleet.fleet_case import HOUR_S, Voice
from fleet.health_case import HealthCase, in_memory
from surefoot.fleet.gate_rows import POINTS_MAX, Point, RolloutCurve, RolloutEvidence
from surefoot.fleet.gate_survey import survey_gate
from surefoot.fleet.gate_view import gate_view
from surefoot.fleet.gates import measure
from surefoot.fleet.gather import Tally
from surefoot.fleet.health_place import SETTLING_S, Counting
from surefoot.fleet.health_sums import QUARTER_S
from surefoot.fleet.model import Rollout, RolloutState, Status
from surefoot.fleet.rollouts import resume_rollout
from surefoot.rollout.evidence import Answer
from surefoot.rollout.metrics import Metric
from surefoot.rollout.plan import Gates, Phase, Plan
from surefoot.rollout.ramp import Ramp
from surefoot.rollout.triggers import Trigger

SOAK_S = 4 * HOUR_S
HALF = Phase(name="half", percent=50, soak_s=SOAK_S)
FULL = Phase(name="full", percent=100, soak_s=SOAK_S)
TWO_PHASES = Plan(phases=(HALF, FULL), ramp=None)
NAMED = Plan(phases=(Phase(name="internal", robots=("robot-000",), soak_s=SOAK_S), FULL), ramp=None)


@pytest.fixture
def case() -> HealthCase:
    return in_memory()


def settled(case: HealthCase, robots: list[Voice], plan: Plan = TWO_PHASES) -> tuple[Rollout, list[Voice], list[Voice]]:
    """Return a rollout whose first phase is updated and settled: with who was updated and who was not."""
    rollout = case.fleet.start("0.2.1", plan)
    case.quarter(robots)
    updated = case.update(robots)
    for _ in range(int(SETTLING_S / QUARTER_S) + 1):
        case.pass_time()
        case.quarter(robots)
    return rollout, updated, [robot for robot in robots if robot not in updated]


def evidence(case: HealthCase, rollout: Rollout) -> RolloutEvidence:
    found = case.fleet.run(lambda rows: rows.get(RolloutEvidence, rollout.rollout_id))
    assert found is not None
    return found


def test_a_release_with_more_errors_than_the_others_is_halted_with_the_sentence_that_says_so(case: HealthCase) -> None:
    rollout, updated, others = settled(case, case.crowd(60))
    assert len(updated) > 20 and case.state(rollout) is RolloutState.RUNNING
    case.pass_time()
    case.quarter(updated[:12], error_s=60.0, ok_s=0.0)
    case.quarter([*updated[12:], *others])
    case.pass_time()
    assert case.state(rollout) is RolloutState.HALTED
    assert f"12 of {len(updated)} updated robots reported an error, 0 of {len(others)} others" in case.reason(rollout)


def test_robots_that_are_switched_off_make_no_release_look_worse(case: HealthCase) -> None:
    rollout, updated, others = settled(case, case.crowd(60))
    case.pass_time()
    # At night most of the others are off. Among those that are on, all are as they always were: one in four errs.
    on = [*updated[:20], *others[:4]]
    case.quarter([robot for place, robot in enumerate(on) if place % 4 == 0], error_s=60.0, ok_s=0.0)
    case.quarter([robot for place, robot in enumerate(on) if place % 4])
    case.pass_time()
    assert case.state(rollout) is RolloutState.RUNNING
    errors = evidence(case, rollout).evidence.first_events[Metric.ERROR]
    assert (errors.updated_events, errors.others_events) == (5, 1)
    assert errors.updated_expected == pytest.approx(6 * 20 / 24)


def test_a_release_that_is_no_worse_passes_its_phase_once_that_has_soaked(case: HealthCase) -> None:
    robots = case.crowd(60)
    rollout, updated, others = settled(case, robots)
    for number in range(int(SOAK_S / QUARTER_S) + 1):
        case.quarter([*updated[: number % 2], *others[: number % 2]], warn_s=60.0, ok_s=QUARTER_S - 60)
        case.quarter([*updated[1:], *others[1:]])
        case.pass_time()
    assert (case.state(rollout), case.fleet.rollout(rollout.rollout_id).phase) == (RolloutState.RUNNING, 1)


def test_time_in_which_no_updated_robot_told_of_its_health_is_no_soak(case: HealthCase) -> None:
    rollout, _, others = settled(case, case.crowd(60))
    for _ in range(int(2 * SOAK_S / QUARTER_S)):
        case.quarter(others)
        case.pass_time()
    stored = case.fleet.rollout(rollout.rollout_id)
    assert stored.phase == 0 and stored.soaked_s < SOAK_S / 2
    assert "no updated robot has told of its health lately" in stored.reason


def test_where_nobody_tells_of_its_health_the_reports_are_the_evidence(case: HealthCase) -> None:
    robots = [case.fleet.enrol(f"robot-{number}") for number in range(4)]
    rollout = case.fleet.start("0.2.1", replace(TWO_PHASES, phases=(FULL,)))
    case.update(robots)
    case.pass_time(SOAK_S + HOUR_S)
    assert case.state(rollout) is RolloutState.FINISHED
    assert not evidence(case, rollout).hears


def test_a_quarter_is_taken_in_once_however_often_the_engine_looks(case: HealthCase) -> None:
    rollout, updated, _ = settled(case, case.crowd(60))
    case.quarter(updated[:2], error_s=60.0, ok_s=0.0)
    case.pass_time()
    known, fleet = evidence(case, rollout), case.fleet
    for _ in range(3):
        fleet.run(
            lambda rows: measure(
                rows, rollout, Tally(updating=0, failed=()), survey_gate(rows, rollout, fleet.now_s), fleet.now_s
            )
        )
    assert evidence(case, rollout) == known
    [errors] = [known.evidence.first_events[Metric.ERROR]]
    assert errors.updated_events == 2


def test_single_failed_installs_of_many_do_not_halt_and_many_do(case: HealthCase) -> None:
    robots = case.crowd(60)
    rollout = case.fleet.start("0.2.1", replace(TWO_PHASES, phases=(FULL,)))
    case.update(robots[:30])
    failed = 0
    while case.state(rollout) is RolloutState.RUNNING:
        robot, failed = robots[30 + failed], failed + 1
        offer = case.fleet.offered(robot)
        robot.says(offer.id, "rolled_back", attempts=3, code="trial-failed")
        case.fleet.hear(robot)
        case.fleet.tick()
    assert 1 < failed < 10
    assert f"{failed} of {30 + failed} updated robots failed to install" in case.reason(rollout)


def test_robots_that_do_not_come_back_from_their_restart_halt_once_they_are_away_too_long(case: HealthCase) -> None:
    robots = case.crowd(60)
    rollout = case.fleet.start("0.2.1", replace(TWO_PHASES, phases=(FULL,)))
    case.update(robots[:30])
    for robot in robots[30:33]:
        robot.says(case.fleet.offered(robot).id, "staged")
        case.fleet.hear(robot)
    case.pass_time(HOUR_S / 2)
    assert case.state(rollout) is RolloutState.RUNNING
    case.pass_time(HOUR_S / 2)
    assert case.state(rollout) is RolloutState.HALTED
    assert "3 of 33 updated robots did not come back" in case.reason(rollout)


def test_a_phase_that_names_robots_soaks_anew_when_one_of_them_is_not_ok(case: HealthCase) -> None:
    robots = case.crowd(5)
    rollout, updated, others = settled(case, robots, NAMED)
    assert [robot.robot.robot_id for robot in updated] == ["robot-000"]
    for _ in range(8):
        case.quarter(robots)
        case.pass_time()
    before_s = case.fleet.rollout(rollout.rollout_id).soaked_s
    case.quarter(updated, warn_s=5.0, ok_s=QUARTER_S - 5.0)
    case.quarter(others, warn_s=5.0, ok_s=QUARTER_S - 5.0)
    case.pass_time()
    after = case.fleet.rollout(rollout.rollout_id)
    assert after.soaked_s < QUARTER_S < before_s
    assert "robot-000 told of warnings or errors" in after.reason


def test_resuming_accepts_the_alarm_and_the_evidence_and_begins_anew(case: HealthCase) -> None:
    rollout, updated, others = settled(case, case.crowd(60))
    case.tell(updated[0], stops_other=1)
    case.fleet.tick()
    assert case.state(rollout) is RolloutState.HALTED
    assert "made a safety stop without an operator" in case.reason(rollout)
    case.fleet.run(lambda rows: resume_rollout(rows, rollout.rollout_id, "A door was open.", case.fleet.now_s))
    case.tell(updated[0], stops_other=1)
    case.quarter(others)
    case.pass_time()
    assert case.state(rollout) is RolloutState.RUNNING
    case.tell(updated[1], stops_other=1)
    case.fleet.tick()
    assert case.state(rollout) is RolloutState.HALTED


def test_what_failed_before_a_person_accepted_it_is_not_counted_again(case: HealthCase) -> None:
    robots = case.crowd(40)
    rollout = case.fleet.start("0.2.1", replace(TWO_PHASES, phases=(FULL,)))
    for robot in robots[:8]:
        robot.says(case.fleet.offered(robot).id, "rolled_back", attempts=3, code="trial-failed")
        case.fleet.hear(robot)
    case.fleet.tick()
    assert case.state(rollout) is RolloutState.HALTED
    case.fleet.run(lambda rows: resume_rollout(rows, rollout.rollout_id, "Bad cables.", case.fleet.now_s))
    case.fleet.tick()
    case.fleet.tick()
    assert case.state(rollout) is RolloutState.RUNNING
    assert evidence(case, rollout).evidence.outcomes[Metric.INSTALL_FAILED].failed == 8


def test_a_failure_of_a_robot_that_the_phase_names_halts_until_a_person_accepts_it(case: HealthCase) -> None:
    robot = case.crowd(2)[0]
    rollout = case.fleet.start("0.2.1", NAMED)
    robot.says(case.fleet.offered(robot).id, "rolled_back", attempts=3, code="trial-failed")
    case.fleet.hear(robot)
    case.fleet.tick()
    assert case.state(rollout) is RolloutState.HALTED
    case.fleet.run(lambda rows: resume_rollout(rows, rollout.rollout_id, "A bad cable.", case.fleet.now_s))
    case.fleet.tick()
    assert case.state(rollout) is RolloutState.RUNNING


def test_doors_open_by_a_small_wave_and_then_by_who_came_back_and_settled(case: HealthCase) -> None:
    robots = case.crowd(60)
    plan = replace(TWO_PHASES, phases=(FULL,), ramp=Ramp(first_wave=5, offers_per_settled=2.0))
    rollout = case.fleet.start("0.2.1", plan)
    case.fleet.tick()
    assert len(case.update(robots)) == 5
    case.pass_time(SETTLING_S - 1)
    assert case.update(robots) == []
    case.pass_time(2)
    assert case.fleet.rollout(rollout.rollout_id).offers_max == 10
    assert len(case.update(robots)) == 5


def test_robots_away_since_their_restart_keep_the_next_wave_small(case: HealthCase) -> None:
    robots = case.crowd(60)
    plan = replace(TWO_PHASES, phases=(FULL,), ramp=Ramp(first_wave=20, offers_per_settled=2.0))
    rollout = case.fleet.start("0.2.1", plan)
    case.fleet.tick()
    case.update(robots[:17])
    for robot in robots[17:20]:
        robot.says(case.fleet.offered(robot).id, "staged")
        case.fleet.hear(robot)
    case.pass_time(HOUR_S / 2 + 600)
    stored = case.fleet.rollout(rollout.rollout_id)
    assert stored.offers_max == 20 and case.update(robots[20:]) == []


@pytest.mark.parametrize(("failed", "fires"), [(2, False), (3, True)])
def test_more_than_five_percent_failed_handshakes_fire_and_exactly_five_do_not(
    case: HealthCase, failed: int, fires: bool
) -> None:
    rollout, updated, others = settled(case, case.crowd(20), replace(TWO_PHASES, phases=(FULL,)))
    assert not others
    case.quarter(updated[:1], handshakes_tried=20, handshakes_failed=failed - 1)
    case.quarter(updated[1:2], handshakes_tried=20, handshakes_failed=1)
    case.fleet.tick()
    assert case.alarms() == ([Trigger.DTLS_FAILURES] if fires else [])
    assert case.state(rollout) is (RolloutState.HALTED if fires else RolloutState.RUNNING)


def test_one_robot_whose_handshakes_all_fail_fires_nothing(case: HealthCase) -> None:
    rollout, updated, _ = settled(case, case.crowd(20), replace(TWO_PHASES, phases=(FULL,)))
    case.quarter(updated[:1], handshakes_tried=500, handshakes_failed=500)
    case.quarter(updated[1:2], handshakes_tried=20)
    case.fleet.tick()
    assert case.alarms() == [] and case.state(rollout) is RolloutState.RUNNING


@pytest.mark.parametrize("others_drain_too", [False, True])
def test_a_battery_that_drains_more_than_twice_as_fast_fires_unless_all_do(
    case: HealthCase, others_drain_too: bool
) -> None:
    _, updated, others = settled(case, case.crowd(10))
    case.fleet.now_s += 2 * HOUR_S
    fast: dict[str, Any] = {"length_s": 2 * HOUR_S, "ok_s": 2 * HOUR_S}
    case.quarter(updated, **fast, battery_start_percent=90.0, battery_end_percent=73.0)
    lost = 17.0 if others_drain_too else 8.0
    case.quarter(others, **fast, battery_start_percent=90.0, battery_end_percent=90.0 - lost)
    case.fleet.tick()
    fired = set(case.alarms())
    assert fired == (set() if others_drain_too else {Trigger.BATTERY_DRAIN})


def test_a_battery_that_was_charging_says_nothing_about_drain(case: HealthCase) -> None:
    _, updated, _ = settled(case, case.crowd(10))
    fast: dict[str, Any] = {"length_s": 2 * HOUR_S, "ok_s": 2 * HOUR_S, "charging_s": 60.0}
    case.quarter(updated, **fast, battery_start_percent=90.0, battery_end_percent=50.0)
    case.fleet.tick()
    assert case.alarms() == []


def test_a_rollout_waits_while_a_newer_one_has_its_robots_words(case: HealthCase) -> None:
    robots = case.crowd(20)
    older, updated, _ = settled(case, robots)
    newer = case.fleet.start("0.2.2", replace(TWO_PHASES, phases=(Phase(name="none", percent=0.001, soak_s=0), FULL)))
    for _ in range(int(2 * SOAK_S / QUARTER_S)):
        case.quarter(robots)
        case.pass_time()
    assert case.fleet.rollout(older.rollout_id).phase == 0
    assert f"counts for rollout {newer.rollout_id}, a newer one" in case.reason(older)
    assert updated


def test_the_view_shows_every_metric_the_alarms_and_the_curve(case: HealthCase) -> None:
    rollout, updated, _ = settled(case, case.crowd(60))
    case.tell(updated[0], stops_other=1)
    case.pass_time()
    view = case.fleet.run(lambda rows: gate_view(rows, rollout.rollout_id))
    assert view is not None
    assert {found.metric for found in view.metrics} == set(Metric)
    assert [alarm.trigger for alarm in view.alarms] == [Trigger.SAFETY_STOP]
    assert view.hears and view.answer is not Answer.TRIPPED and len(view.points) >= 4
    assert all(found.log_evidence < found.halts_at_log for found in view.metrics)


def test_a_plan_that_gates_on_nothing_shows_no_metric_and_its_alarms_all_the_same(case: HealthCase) -> None:
    robot, rollout = case.updated(replace(TWO_PHASES, phases=(FULL,), gates=Gates(metrics=frozenset())))
    case.fleet.tick()
    quiet = case.fleet.run(lambda rows: gate_view(rows, rollout.rollout_id))
    assert quiet is not None and (quiet.metrics, quiet.alarms) == ((), ())
    assert (quiet.answer, quiet.sentence) == (Answer.PASSED, "The plan gates on nothing.")
    case.tell(robot, stops_other=1)
    case.fleet.tick()
    fired = case.fleet.run(lambda rows: gate_view(rows, rollout.rollout_id))
    assert fired is not None and [alarm.trigger for alarm in fired.alarms] == [Trigger.SAFETY_STOP]


def test_a_curve_keeps_its_ends_and_stays_short() -> None:
    curve = RolloutCurve(rollout_id="rollout-1")
    for at_s in range(5 * POINTS_MAX):
        curve = curve.plus(Point(at_s=float(at_s), log_pooled=0.0, log_evidence={}))
    times = [point.at_s for point in curve.points]
    assert len(times) <= POINTS_MAX and times == sorted(times)
    assert (times[0], times[-1]) == (0.0, 5.0 * POINTS_MAX - 1)


def test_robots_that_were_offered_the_release_and_never_took_it_are_in_neither_arm(case: HealthCase) -> None:
    robots = case.crowd(20)
    rollout = case.fleet.start("0.2.1", replace(TWO_PHASES, phases=(FULL,)))
    case.fleet.offered(robots[0])
    case.pass_time(3 * HOUR_S)
    case.quarter(robots, error_s=60.0, ok_s=0.0)
    assert case.fleet.assignment("robot-000").status is Status.WAITING
    assert case.health("robot-000").place.first_s == {}
    assert case.health("robot-001").place.first_s != {}
    assert case.state(rollout) is RolloutState.RUNNING


def test_which_rollout_counts_is_looked_up_once_in_a_tick_for_all_of_a_sku(case: HealthCase) -> None:
    older = case.fleet.start("0.2.1", TWO_PHASES)
    newer = case.fleet.start("0.2.2", TWO_PHASES)

    def work(rows: Any) -> None:
        counting = Counting(rows)
        assert counting.rollout_id("standard") == newer.rollout_id
        rows.put(replace(newer, state=RolloutState.FINISHED))
        assert counting.rollout_id("standard") == newer.rollout_id
        assert Counting(rows).rollout_id("standard") == older.rollout_id
        assert Counting(rows).rollout_id("other") is None

    case.fleet.run(work)


def test_what_the_plans_margin_accepts_halts_nothing_and_is_told(case: HealthCase) -> None:
    robots = case.crowd(40)
    gates = Gates(margins={Metric.INSTALL_FAILED: 0.4})
    rollout = case.fleet.start("0.2.1", replace(TWO_PHASES, phases=(FULL,), gates=gates))
    for robot in robots[:8]:
        robot.says(case.fleet.offered(robot).id, "rolled_back", attempts=3, code="trial-failed")
        case.fleet.hear(robot)
    case.update(robots[8:])
    case.fleet.tick()
    # Without it, eight halt: see above.
    assert case.state(rollout) is RolloutState.RUNNING
    view = case.fleet.run(lambda rows: gate_view(rows, rollout.rollout_id))
    assert view is not None
    [told] = [found.fact for found in view.metrics if found.metric is Metric.INSTALL_FAILED]
    assert told == "8 of 40 updated robots failed to install, where 40 % is accepted"
