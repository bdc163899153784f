import pytest

from surefoot.shell.ros2_statuses import FRESH_S, NO_SIGNAL_DBM, Statuses
from surefoot.wire.diagnostics import ERROR, OK, STALE, WARN
from surefoot.wire.limits import STATUSES_MAX

LATER_S = FRESH_S + 1


def heard(*statuses: tuple[str, int, dict[str, str]]) -> Statuses:
    found = Statuses("robot-1")
    for name, level, values in statuses:
        found.hear(name, level, values, 0.0)
    return found


def test_statuses_that_nobody_renews_are_stale_and_say_nothing_more() -> None:
    statuses = heard(("battery", OK, {"percentage": "80"}), ("safety", ERROR, {"estop_active": "true"}))
    fresh = statuses.said(FRESH_S)
    assert (fresh.level, fresh.battery_percent, fresh.estop_active) == (ERROR, 80.0, True)
    stale = statuses.said(LATER_S)
    assert (stale.level, stale.battery_percent, stale.estop_active) == (STALE, None, None)
    statuses.hear("safety", WARN, {}, LATER_S)
    assert statuses.said(LATER_S).level == STALE, "the other one is stale still"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (("safety", OK, {}), "NORMAL"),
        (("Safety relay", WARN, {}), "NORMAL"),
        (("safety", OK, {"safety_state": "normal"}), "NORMAL"),
        (("safety", OK, {"safety_state": "reduced"}), "REDUCED"),
        (("safety", ERROR, {}), "ERROR"),
        (("safety", STALE, {}), "STALE"),
        (("safety", 99, {}), "ERROR"),
        (("arm", ERROR, {}), "NORMAL"),
    ],
)
def test_the_safety_state_is_what_its_status_says(status: tuple[str, int, dict[str, str]], state: str) -> None:
    assert heard(status).safety_state(0.0) == state


def test_without_a_fresh_word_the_safety_state_is_unknown() -> None:
    assert heard().safety_state(0.0) == "UNKNOWN"
    statuses = heard(("safety", OK, {}))
    assert statuses.safety_state(LATER_S) == "UNKNOWN"
    statuses.hear("arm", OK, {}, LATER_S)
    assert statuses.safety_state(LATER_S) == "UNKNOWN", "another status does not speak for safety"


def test_a_sensor_that_never_spoke_is_none_and_one_that_fell_silent_says_its_worst() -> None:
    nothing = heard(("arm", OK, {}))
    assert (nothing.is_idle(0.0), nothing.is_cool(0.0), nothing.rssi_dbm(0.0)) == (None, None, None)
    told = heard(("arm", OK, {"motors_idle": "true"}), ("cpu temperature", OK, {}), ("wifi", OK, {"rssi_dbm": "-60"}))
    assert (told.is_idle(0.0), told.is_cool(0.0), told.rssi_dbm(0.0)) == (True, True, -60.0)
    assert (told.is_idle(LATER_S), told.is_cool(LATER_S), told.rssi_dbm(LATER_S)) == (False, False, NO_SIGNAL_DBM)


def test_of_several_words_the_worst_counts() -> None:
    statuses = heard(
        ("left arm", OK, {"motors_idle": "true", "rssi_dbm": "-60"}),
        ("right arm", OK, {"motors_idle": "false", "rssi_dbm": "-75"}),
        ("thermal", WARN, {}),
        ("motor temperature", OK, {}),
    )
    assert (statuses.is_idle(0.0), statuses.is_cool(0.0), statuses.rssi_dbm(0.0)) == (False, False, -75.0)
    statuses.hear("wifi", OK, {"rssi_dbm": "strong"}, 0.0)
    assert statuses.rssi_dbm(0.0) == NO_SIGNAL_DBM
    statuses.hear("wifi", OK, {"rssi_dbm": "nan"}, 0.0)
    assert statuses.rssi_dbm(0.0) == NO_SIGNAL_DBM


def test_parts_work_while_they_are_fresh_and_at_most_at_warn() -> None:
    statuses = heard(("relay left", WARN, {}), ("relay right", OK, {}), ("arm", ERROR, {}))
    assert statuses.work("relay", 0.0) and not statuses.work("relay", LATER_S)
    assert not statuses.work("", 0.0)


def test_a_flood_of_names_takes_no_memory_without_end() -> None:
    statuses = heard(*((f"status {number}", OK, {}) for number in range(STATUSES_MAX + 5)))
    assert len(statuses) == STATUSES_MAX
    assert statuses.said(0.0).name_count == STATUSES_MAX
