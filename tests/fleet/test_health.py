"""Windows are counted once, for what the robot was when they came, and triggers fire at once and only for cause."""

from dataclasses import replace

import pytest

from fleet.fleet_case import HOUR_S, START_S
from fleet.health_case import QUIET, WATCHED, HealthCase, in_memory
from surefoot.fleet.health import return_deadline_s, take_folded
from surefoot.fleet.health_place import SETTLING_S
from surefoot.fleet.health_sums import QUARTER_S, SLACK_S, quarter_at
from surefoot.fleet.model import RolloutState
from surefoot.fleet.robot_health import Arm, RobotHealth
from surefoot.rollout.metrics import Metric
from surefoot.rollout.triggers import Trigger
from surefoot.wire.limits import WINDOW_S_MAX


@pytest.fixture
def case() -> HealthCase:
    return in_memory()


def test_a_window_is_counted_once_however_often_and_in_whatever_order_it_comes(case: HealthCase) -> None:
    robot = case.fleet.enrol()
    first, second = case.window(robot), case.window(robot, warn_s=30.0, ok_s=30.0)
    assert [case.deliver(window) for window in (first, second, second, first)] == [True, True, False, False]
    before = case.health().sums.before
    assert before.told_s == pytest.approx(120, abs=1e-2) and before.warn_s == 30


def test_a_robot_tells_of_no_more_time_than_there_was(case: HealthCase) -> None:
    """It would outweigh all others in every gate."""
    robot = case.fleet.enrol()
    case.tell(robot)
    for _ in range(100):
        case.tell(robot, length_s=WINDOW_S_MAX, ok_s=WINDOW_S_MAX)
    assert case.health().sums.before.told_s <= 60 + SLACK_S
    case.fleet.now_s += HOUR_S
    case.tell(robot, length_s=2 * HOUR_S, ok_s=2 * HOUR_S)
    assert case.health().sums.before.told_s == pytest.approx(60 + SLACK_S + HOUR_S, rel=1e-2)
    # What it is told to have done besides counts all the same.
    case.tell(robot, length_s=60.0, stops_other=1)
    assert case.health().signs.diagnostics_at_s == case.fleet.now_s


def test_windows_that_a_robot_kept_while_it_was_away_count_whole(case: HealthCase) -> None:
    robot = case.fleet.enrol()
    case.tell(robot)
    case.fleet.now_s += 2 * HOUR_S
    for _ in range(120):
        case.tell(robot)
    assert case.health().sums.before.told_s == pytest.approx(121 * 60, rel=1e-2)


def test_a_clock_that_was_set_back_leaves_robots_their_time(case: HealthCase) -> None:
    robot = case.fleet.enrol()
    case.tell(robot)
    case.fleet.now_s -= 24 * HOUR_S
    for _ in range(10):
        case.fleet.now_s += 60
        case.tell(robot)
    assert case.health().sums.before.told_s == pytest.approx(11 * 60, rel=1e-2)


def test_windows_of_an_epoch_that_a_reset_ended_count_no_more(case: HealthCase) -> None:
    robot = case.fleet.enrol()
    late = (case.window(robot), case.window(robot))
    case.deliver(late[0])
    robot.resets("second")
    assert case.tell(robot)
    assert not case.deliver(late[1])


def test_a_window_of_a_robot_that_nobody_enrolled_is_nothing(case: HealthCase) -> None:
    robot = case.fleet.enrol("robot-1")
    window = case.window(robot).replace(robot_id="robot-9")
    assert not case.deliver(window)
    assert case.fleet.run(lambda rows: rows.find(RobotHealth)) == []


def test_a_robot_counts_for_the_others_then_for_nothing_then_for_the_release(case: HealthCase) -> None:
    robot, fleet = case.fleet.enrol(), case.fleet
    case.tell(robot)
    rollout = fleet.start("0.2.1", WATCHED)
    case.tell(robot, warn_s=60.0, ok_s=0.0)
    assert (case.health().place.rollout_id, case.health().place.arm) == (rollout.rollout_id, Arm.OTHERS)
    fleet.install(robot)
    case.tell(robot, error_s=60.0, ok_s=0.0)
    assert case.health().place.arm is Arm.SETTLING
    assert case.health().place.first_s == {}
    fleet.now_s += SETTLING_S
    case.tell(robot, error_s=20.0, ok_s=40.0)
    health = case.health()
    assert health.place.arm is Arm.UPDATED
    assert health.place.first_s == {Metric.ERROR: fleet.now_s}
    assert (health.sums.others.warn_s, health.sums.updated.warn_s, health.sums.since_update.warn_s) == (60, 20, 80)


def test_what_was_told_in_a_rollout_that_ended_well_is_usual_in_the_next(case: HealthCase) -> None:
    robot, rollout = case.updated()
    case.fleet.now_s += SETTLING_S
    case.tell(robot, warn_s=60.0, ok_s=0.0)
    case.fleet.run(lambda rows: rows.put(replace(rollout, state=RolloutState.FINISHED)))
    newer = case.fleet.start("0.2.2", WATCHED)
    case.tell(robot)
    health = case.health()
    assert health.place.rollout_id == newer.rollout_id
    assert health.place.stratum == "0.2.1/low"
    assert health.sums.before.warn_s == 60 and health.sums.updated.told_s == 0


def test_what_a_halted_release_did_is_never_usual(case: HealthCase) -> None:
    robot, rollout = case.updated()
    case.fleet.now_s += SETTLING_S
    case.tell(robot, warn_s=60.0, ok_s=0.0)
    case.fleet.run(lambda rows: rows.put(replace(rollout, state=RolloutState.HALTED)))
    case.fleet.start("0.2.2", WATCHED)
    case.tell(robot)
    assert case.health().sums.before.warn_s == 0


def test_the_open_quarter_and_the_one_before_are_kept(case: HealthCase) -> None:
    robot = case.fleet.enrol()
    case.fleet.start("0.2.1", replace(WATCHED, capacity=1))
    case.tell(robot)
    case.fleet.now_s += QUARTER_S
    case.tell(robot, warn_s=10.0, ok_s=50.0)
    case.tell(robot, warn_s=10.0, ok_s=50.0)
    sums, now = case.health().sums, quarter_at(case.fleet.now_s)
    assert (sums.quarter.number, sums.quarter.warn_s, sums.quarter.told_s) == (now, 20, 120)
    assert (sums.quarter_before.number, sums.quarter_before.told_s) == (now - 1, 60)


def test_a_safety_stop_on_an_updated_robot_fires_and_closes_the_doors_at_once(case: HealthCase) -> None:
    robot, _ = case.updated()
    case.tell(robot, stops_other=1)
    assert case.alarms() == [Trigger.SAFETY_STOP]
    assert case.fleet.hear(case.fleet.enrol("robot-2")).offer is None


def test_a_safety_stop_that_an_operator_made_fires_nothing(case: HealthCase) -> None:
    robot, _ = case.updated()
    case.tell(robot, stops_operator=3)
    assert case.alarms() == []


def test_a_safety_stop_of_a_robot_that_was_not_updated_fires_nothing(case: HealthCase) -> None:
    case.updated()
    case.tell(case.fleet.enrol("robot-2"), stops_other=1)
    assert case.alarms() == []


def test_a_safety_stop_from_before_the_update_that_comes_late_fires_nothing(case: HealthCase) -> None:
    robot = case.fleet.enrol()
    case.tell(robot)
    old = case.window(robot, stops_other=1)
    case.fleet.start("0.2.1", WATCHED)
    case.fleet.install(robot)
    case.deliver(old)
    assert case.alarms() == []


def test_the_restart_that_an_update_made_fires_nothing_and_is_no_event(case: HealthCase) -> None:
    robot, _ = case.updated()
    assert robot.boot == 2
    case.fleet.now_s += SETTLING_S
    case.tell(robot)
    assert case.alarms() == [] and Metric.REBOOT not in case.health().place.first_s


@pytest.mark.parametrize(("restarts", "fires"), [(3, False), (4, True)])
@pytest.mark.parametrize("over", ["reports", "windows", "both"])
def test_more_than_three_restarts_in_five_minutes_fire_and_exactly_three_do_not(
    case: HealthCase, restarts: int, fires: bool, over: str
) -> None:
    robot, _ = case.updated()
    for _ in range(restarts):
        case.fleet.now_s += 300.0 / (restarts - 1)
        robot.boot, robot.seq = robot.boot + 1, 0
        if over != "windows":
            case.fleet.hear(robot)
        if over != "reports":
            case.tell(robot, reboots=1)
    assert case.alarms() == ([Trigger.BOOT_LOOP] if fires else [])


def test_restarts_that_a_robot_counted_itself_fire_too(case: HealthCase) -> None:
    robot, _ = case.updated()
    case.fleet.now_s += 60
    # One of them is the one that the update made.
    case.tell(robot, reboots=5)
    assert case.alarms() == [Trigger.BOOT_LOOP]


def test_restarts_in_a_long_absence_are_no_loop(case: HealthCase) -> None:
    robot, _ = case.updated()
    case.fleet.now_s += 24 * HOUR_S
    robot.boot, robot.seq = robot.boot + 8, 0
    case.fleet.hear(robot)
    assert case.alarms() == []
    assert case.health().signs.absence_s == 24 * HOUR_S


def test_windows_without_a_word_of_diagnostics_fire_after_more_than_a_minute(case: HealthCase) -> None:
    robot, _ = case.updated()
    case.tell(robot, ok_s=0.0)
    case.fleet.now_s += 60
    case.tell(robot, ok_s=0.0)
    assert case.alarms() == []
    case.fleet.now_s += 60
    case.tell(robot, ok_s=0.0)
    assert case.alarms() == [Trigger.SILENT]


def test_robots_that_never_sent_diagnostics_cannot_fall_silent(case: HealthCase) -> None:
    robot = case.fleet.enrol()
    case.fleet.start("0.2.1", WATCHED)
    case.fleet.install(robot)
    for _ in range(5):
        case.fleet.now_s += 60
        case.tell(robot, ok_s=0.0)
    assert case.alarms() == []


def test_an_alarm_is_raised_once_and_only_for_the_rollout_that_updated_the_robot(case: HealthCase) -> None:
    robot, rollout = case.updated()
    for _ in range(3):
        case.tell(robot, stops_other=1)
    assert case.alarms() == [Trigger.SAFETY_STOP]
    case.fleet.start("0.2.2", WATCHED)
    case.tell(robot, stops_other=1)
    assert case.alarms() == [Trigger.SAFETY_STOP]
    assert case.fleet.rollout(rollout.rollout_id).state is RolloutState.RUNNING


def test_a_rollout_that_halted_already_is_not_alarmed(case: HealthCase) -> None:
    robot, rollout = case.updated()
    case.fleet.run(lambda rows: rows.put(replace(rollout, state=RolloutState.HALTED)))
    case.tell(robot, stops_other=1)
    assert case.alarms() == []


def test_a_robot_that_went_back_is_not_updated_any_more(case: HealthCase) -> None:
    robot, _ = case.updated()
    robot.runs("0.2.0")
    case.fleet.hear(robot)
    assert case.health().signs.updated_at_s is None
    case.tell(robot, stops_other=1)
    assert case.alarms() == []


def test_windows_that_the_server_folded_itself_count_alike(case: HealthCase) -> None:
    case.updated()
    sums = QUIET.replace(stops_other=1)
    case.fleet.run(lambda rows: take_folded(rows, "robot-1", sums, case.fleet.now_s))
    case.fleet.run(lambda rows: take_folded(rows, "robot-9", sums, case.fleet.now_s))
    assert case.alarms() == [Trigger.SAFETY_STOP]


def test_a_robot_whose_windows_never_paused_may_be_away_for_half_an_hour_others_for_hours(case: HealthCase) -> None:
    robot = case.fleet.enrol()
    assert return_deadline_s(None) == 6 * HOUR_S
    for _ in range(30):
        case.tell(robot, length_s=3600.0, ok_s=3600.0)
        case.fleet.now_s += 3600
    assert return_deadline_s(case.health()) == 1800
    case.fleet.now_s += 10 * HOUR_S
    case.tell(robot)
    assert return_deadline_s(case.health()) == pytest.approx(15 * HOUR_S, rel=0.1)
    assert case.fleet.now_s > START_S


def test_a_newer_rollout_takes_the_robots_words_and_a_halted_one_gives_them_back(case: HealthCase) -> None:
    robot, older = case.updated()
    newer = case.fleet.start("0.2.2", WATCHED)
    case.tell(robot)
    assert case.health().place.rollout_id == newer.rollout_id
    case.fleet.run(lambda rows: rows.put(replace(newer, state=RolloutState.HALTED)))
    case.tell(robot)
    assert case.health().place.rollout_id == older.rollout_id
