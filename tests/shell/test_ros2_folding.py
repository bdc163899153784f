import math

import pytest

from surefoot.agent.preflight import held_by
from surefoot.shell.ros2_folding import BATTERY_FRESH_S, SOURCE_WAIT_S, TOPIC_FRESH_S, RobotWatch
from surefoot.wire.diagnostics import ERROR, OK

CHARGING, DISCHARGING, UNKNOWN = 1, 2, 0


def watch(*topics: str, has_battery: bool = False, has_estop: bool = False) -> RobotWatch:
    return RobotWatch("robot-1", topics, has_battery=has_battery, has_estop=has_estop, now_s=0.0)


def fine(watching: RobotWatch, now_s: float, **values: str) -> None:
    watching.statuses.hear("robot/safety", OK, values, now_s)


def run(watching: RobotWatch, begin_s: int, end_s: int, **values: str) -> None:
    """Let the robot say each second that it is fine."""
    for second in range(begin_s, end_s):
        fine(watching, float(second), **values)
        watching.tick(float(second))


def test_a_minute_of_fine_seconds_is_a_window_of_them() -> None:
    watching = watch()
    run(watching, 0, 60)
    sums = watching.take(60.0)
    assert (sums.length_s, sums.ok_s) == (60.0, 60.0)


def test_before_anything_is_heard_no_time_is_told_about() -> None:
    watching = watch("/scan")
    for second in range(60):
        watching.tick(float(second))
    sums = watching.take(60.0)
    assert (sums.ok_s, sums.stale_s, sums.error_s) == (0.0, 0.0, 0.0)
    assert sums.topics == (("/scan", 0.0),), "nobody publishes"


def test_diagnostics_that_fall_silent_are_stale_time() -> None:
    watching = watch()
    run(watching, 0, 1)
    for second in range(1, 60):
        watching.tick(float(second))
    sums = watching.take(60.0)
    assert (sums.ok_s, sums.stale_s) == (6.0, 54.0)


def test_rates_are_measured_over_the_time_between_ticks() -> None:
    watching = watch("/scan")
    for tick in range(1, 5):
        for _ in range(20):
            watching.hear_topic("/scan", 2.0 * tick)
        watching.tick(2.0 * tick)
    watching.tick(8.0)
    assert watching.take(8.0).topics == (("/scan", 10.0),)


def test_the_battery_topic_counts_before_the_diagnostics_and_they_where_it_is_silent() -> None:
    watching = watch(has_battery=True)
    assert watching.conditions(0.0).battery_percent == 0.0, "until anyone tells, it counts as empty"
    watching.statuses.hear("battery", OK, {"percentage": "70"}, 0.0)
    assert watching.conditions(0.0).battery_percent == 70.0
    watching.hear_battery(0.5, DISCHARGING, 0.0)
    assert watching.conditions(0.0).battery_percent == 50.0
    assert watching.conditions(BATTERY_FRESH_S + 1).battery_percent == 0.0
    watching.hear_battery(math.nan, UNKNOWN, 100.0)
    assert watching.conditions(100.0).battery_percent == 0.0, "one that is not measured is not full"
    assert watch().conditions(0.0).battery_percent is None


def test_the_battery_is_folded_with_or_without_diagnostics() -> None:
    watching = watch(has_battery=True)
    watching.hear_battery(0.9, DISCHARGING, 0.0)
    watching.tick(0.0)
    watching.hear_battery(0.8, CHARGING, 1.0)
    watching.tick(1.0)
    sums = watching.take(2.0)
    assert (sums.battery_start_percent, sums.battery_end_percent) == (90.0, 80.0)
    run(watching, 2, 4)
    assert watching.take(4.0).charging_s == 2.0


def test_a_stop_is_counted_once_and_by_whom_is_awaited() -> None:
    watching = watch(has_estop=True)
    for second in range(10):
        fine(watching, float(second), **({"estop_source": "button"} if second >= 1 else {}))
        watching.hear_estop(True, float(second))
        watching.tick(float(second))
    sums = watching.take(10.0)
    assert (sums.stops_operator, sums.stops_other) == (1, 0)


def test_a_stop_of_which_nobody_says_who_made_it_was_no_operators() -> None:
    watching = watch(has_estop=True)
    run(watching, 0, 1)
    watching.hear_estop(True, 1.0)
    watching.tick(1.0)
    assert watching.take(1.0 + SOURCE_WAIT_S / 2).stops_other == 0, "somebody may tell yet"
    run(watching, 2, 5)
    assert watching.take(5.0).stops_other == 1


def test_a_stop_that_ends_before_anyone_told_counts_too() -> None:
    watching = watch(has_estop=True)
    for active in (True, False, True, False):
        watching.hear_estop(active, 1.0)
    watching.tick(1.0)
    assert watching.take(2.0).stops_other == 2


def test_a_stop_that_topic_and_diagnostics_tell_is_one() -> None:
    watching = watch(has_estop=True)
    watching.hear_estop(False, 0.0)
    watching.hear_estop(True, 1.0)
    run(watching, 1, 10, estop_active="true")
    assert watching.take(10.0).stops_other == 1


def test_without_an_estop_topic_the_diagnostics_tell_of_stops() -> None:
    watching = watch()
    run(watching, 0, 5, estop_active="true", estop_by_operator="true")
    assert watching.take(5.0).stops_operator == 1
    assert watching.conditions(4.0).safety_state == "EMERGENCY_STOP"


@pytest.mark.parametrize(("active", "state"), [(None, "UNKNOWN"), (True, "EMERGENCY_STOP"), (False, "NORMAL")])
def test_an_estop_topic_that_has_not_spoken_is_not_taken_for_no_stop(active: bool | None, state: str) -> None:
    watching = watch(has_estop=True)
    fine(watching, 0.0)
    if active is not None:
        watching.hear_estop(active, 0.0)
    assert watching.conditions(0.0).safety_state == state
    assert watching.checks(0.0)["safety"] is (state == "NORMAL")


def test_a_robot_of_which_all_is_known_and_fine_may_be_updated_and_one_that_fell_silent_may_not() -> None:
    watching = watch(has_battery=True)
    fine(watching, 0.0, motors_idle="true", rssi_dbm="-60")
    watching.hear_battery(0.8, DISCHARGING, 0.0)
    assert held_by(watching.conditions(0.0)) is None
    assert held_by(watching.conditions(20.0)) == "held-safety"
    assert held_by(watch().conditions(0.0)) == "held-safety", "nothing was heard yet"


def test_the_checks_of_a_trial() -> None:
    watching = watch("/scan")
    assert not any(watching.checks(0.0).values()), "a robot that says nothing passes no check"
    fine(watching, 0.0)
    assert watching.checks(0.0) == {"safety": True, "relay": True, "sensors": False}
    watching.hear_topic("/scan", 0.0)
    assert watching.checks(0.0)["sensors"]
    fine(watching, TOPIC_FRESH_S + 1)
    assert not watching.checks(TOPIC_FRESH_S + 1)["sensors"]
    watching.hear_topic("/scan", TOPIC_FRESH_S + 1)
    watching.statuses.hear("relay", ERROR, {}, TOPIC_FRESH_S + 1)
    assert watching.checks(TOPIC_FRESH_S + 1) == {"safety": True, "relay": False, "sensors": False}
