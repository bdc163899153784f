import pytest

from surefoot.rollout import triggers
from surefoot.rollout.triggers import Drain, Handshakes, Presence, SafetyStop, Trigger, Tripped

UPDATED_AT_S = 1000.0


def sentence(tripped: Tripped | None) -> str:
    assert tripped is not None
    return tripped.sentence


# Safety stop.


def test_a_safety_stop_without_an_operator_trips() -> None:
    tripped = triggers.safety_stop("robot-7", [SafetyStop(at_s=1600, by_operator=False)], UPDATED_AT_S)
    assert tripped is not None
    assert (tripped.trigger, tripped.robot_ids) == (Trigger.SAFETY_STOP, ("robot-7",))
    assert tripped.sentence == "robot-7 made a safety stop without an operator 10 min after its update."


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param(SafetyStop(at_s=1600, by_operator=True), id="an operator pressed it"),
        pytest.param(SafetyStop(at_s=999, by_operator=False), id="before the update"),
    ],
)
def test_other_safety_stops_do_not_trip(stop: SafetyStop) -> None:
    assert triggers.safety_stop("robot-7", [stop], UPDATED_AT_S) is None


# Boot loop.


def test_four_reboots_in_five_minutes_trip() -> None:
    tripped = triggers.boot_loop("robot-7", [1300, 1100, 1200, 1400], UPDATED_AT_S)
    assert sentence(tripped) == "robot-7 restarted 4 times within 5 minutes; 3 are allowed."


@pytest.mark.parametrize(
    "reboots_s",
    [
        pytest.param([1100, 1200, 1300], id="exactly three in five minutes"),
        pytest.param([1100, 1200, 1300, 1400.5], id="four in a little more"),
        pytest.param([UPDATED_AT_S, 1100, 1200, 1300], id="the update's own and three"),
        pytest.param([900, 950, 990, 1100], id="most before the update"),
        pytest.param([1100 + 101 * number for number in range(50)], id="ever slowly"),
        pytest.param([], id="none"),
    ],
)
def test_fewer_or_slower_reboots_do_not_trip(reboots_s: list[float]) -> None:
    assert triggers.boot_loop("robot-7", reboots_s, UPDATED_AT_S) is None


def test_a_boot_loop_is_found_after_quiet_hours() -> None:
    quiet = [2000.0, 9000.0]
    assert triggers.boot_loop("robot-7", [*quiet, 20000, 20010, 20020, 20030], UPDATED_AT_S) is not None


# DTLS handshakes.


def robots(count: int, tried: int, failed: int) -> list[Handshakes]:
    return [Handshakes(robot_id=f"robot-{number}", tried=tried, failed=failed) for number in range(count)]


def test_more_than_five_percent_of_the_handshakes_failed() -> None:
    found = [*robots(2, 20, 2), *robots(1, 20, 0)]
    assert sentence(triggers.dtls_failures(found)) == (
        "4 of 60 DTLS handshakes failed on 2 updated robots (robot-0, robot-1): "
        "6.7% with each robot's weight limited, 5 % is allowed."
    )


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(robots(20, 20, 1), id="exactly five percent"),
        pytest.param(robots(3, 13, 13), id="too few tried"),
        pytest.param(robots(1, 100_000, 100_000), id="one robot alone"),
        pytest.param([*robots(1, 20, 20), *robots(19, 20, 0)[1:]], id="one robot fails of many"),
        pytest.param([], id="none tried"),
        pytest.param(robots(5, 0, 0), id="no robot tried"),
        pytest.param(
            [Handshakes(robot_id="loud", tried=100_000, failed=100_000), *robots(30, 20, 0)],
            id="one robot of many tries again and again",
        ),
    ],
)
def test_a_share_that_is_allowed_does_not_trip(found: list[Handshakes]) -> None:
    assert triggers.dtls_failures(found) is None


def test_two_robots_whose_handshakes_all_fail_are_enough() -> None:
    assert triggers.dtls_failures(robots(2, 20, 20)) is not None


def test_many_robots_are_named_by_the_first_and_the_order_does_not_matter() -> None:
    found = robots(30, 10, 2)
    tripped = triggers.dtls_failures(found)
    assert tripped == triggers.dtls_failures(found[::-1])
    assert "robot-0, robot-1, robot-10, robot-11, robot-12, …" in sentence(tripped)
    assert tripped is not None and len(tripped.robot_ids) == 30


# Battery drain.


def drain(since: float, others_since: float = 4.0, before: float = 5.0, discharging_s: float = 7200.0) -> Drain:
    return Drain(
        robot_id="robot-7",
        before=before,
        since=since,
        others_before=4.0,
        others_since=others_since,
        discharging_s=discharging_s,
    )


def test_more_than_twice_the_drain_trips() -> None:
    assert sentence(triggers.battery_drain(drain(12.5))) == (
        "robot-7 drains its battery 2.5 times as fast as before its update, other robots 1.0 times."
    )


def test_the_control_group_must_explain_half_of_it() -> None:
    assert triggers.battery_drain(drain(16.0, others_since=6.0)) is not None


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(drain(10.0), id="exactly twice"),
        pytest.param(drain(12.5, others_since=8.0), id="the control group drains twice as fast too"),
        pytest.param(drain(12.5, discharging_s=3599.0), id="too short a time on the battery"),
        pytest.param(drain(12.5, before=0.0), id="nothing known of before"),
    ],
)
def test_a_drain_with_another_reason_does_not_trip(facts: Drain) -> None:
    assert triggers.battery_drain(facts) is None


def test_a_control_group_that_drains_less_does_not_make_it_stricter() -> None:
    assert triggers.battery_drain(drain(9.0, others_since=1.0)) is None


# Silence.


def presence(online_since_s: float | None, diagnostics_at_s: float | None) -> Presence:
    return Presence(
        robot_id="robot-7",
        updated_at_s=UPDATED_AT_S,
        online_since_s=online_since_s,
        diagnostics_at_s=diagnostics_at_s,
    )


@pytest.mark.parametrize("diagnostics_at_s", [None, 900.0, 1500.0])
def test_an_online_robot_without_diagnostics_trips(diagnostics_at_s: float | None) -> None:
    tripped = triggers.silent(presence(1500.0, diagnostics_at_s), 1561.0)
    assert sentence(tripped) == "robot-7 is online and has sent no diagnostics for 61 s."


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(presence(None, 100.0), id="offline"),
        pytest.param(presence(100.0, 1501.0), id="exactly a minute"),
        pytest.param(presence(1501.0, None), id="online for a minute"),
    ],
)
def test_other_silence_does_not_trip(found: Presence) -> None:
    assert triggers.silent(found, 1561.0) is None


def test_silence_counts_from_the_update_on() -> None:
    assert triggers.silent(presence(0.0, 0.0), UPDATED_AT_S + 60) is None
    assert triggers.silent(presence(0.0, 0.0), UPDATED_AT_S + 61) is not None


@pytest.mark.parametrize(
    ("heard_at_s", "now_s", "lost"),
    [(None, 1701.0, True), (900.0, 1701.0, True), (None, 1700.0, False), (1001.0, 9999.0, False)],
)
def test_a_robot_is_lost_once_its_deadline_passed_unheard(heard_at_s: float | None, now_s: float, lost: bool) -> None:
    assert triggers.is_lost(1000.0, heard_at_s, 700.0, now_s) is lost
