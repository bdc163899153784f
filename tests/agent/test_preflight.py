"""What speaks against updating a robot now, at the limits and beside them."""

from agent import agent_case as case
from surefoot.agent.preflight import COMPATIBLE, NO_SENSORS, fits_companion, held_by
from surefoot.wire.offer import Offer
from surefoot.wire.version import Version


def offered(version: str) -> Offer:
    return case.OFFER.replace(version=Version.parse(version))


def test_a_robot_without_sensors_is_held_by_none() -> None:
    assert held_by(NO_SENSORS) is None


def test_each_limit_holds_on_its_wrong_side_only() -> None:
    for field, fine, held, code in (
        ("battery_percent", 50.1, 50.0, "held-battery"),
        ("rssi_dbm", -70, -71, "held-signal"),
        ("is_idle", True, False, "held-motors"),
        ("is_cool", True, False, "held-temperature"),
        ("safety_state", "NORMAL", "ESTOP", "held-safety"),
    ):
        assert held_by(NO_SENSORS.replace(**{field: fine})) is None, field
        assert held_by(NO_SENSORS.replace(**{field: held})) == code


def test_a_number_that_is_none_holds() -> None:
    not_a_number = float("nan")
    assert held_by(NO_SENSORS.replace(battery_percent=not_a_number)) == "held-battery"
    assert held_by(NO_SENSORS.replace(rssi_dbm=not_a_number)) == "held-signal"


def test_the_most_dangerous_reason_is_named_first() -> None:
    worst = NO_SENSORS.replace(battery_percent=3, rssi_dbm=-99, is_idle=False, is_cool=False, safety_state="FAULT")
    assert held_by(worst) == "held-safety"
    assert held_by(worst.replace(safety_state="NORMAL")) == "held-motors"


def test_the_compatibility_of_firmware_and_companion_is_as_agreed() -> None:
    for version, protocol, companion, fits in (
        ("0.1.9", 1, "0.1.0", True),
        ("0.1.9", 1, "0.2.0", False),
        ("0.2.1", 1, "0.1.4", True),
        ("0.2.1", 1, "0.2.9", True),
        ("0.2.1", 1, "1.0.0", False),
        ("1.0.0", 2, "1.0.0", True),
        ("1.0.0", 2, "1.7.0", True),
        ("1.0.0", 2, "2.0.0", True),
        ("1.0.0", 2, "0.2.0", False),
    ):
        assert fits_companion(offered(version), protocol, companion) is fits, (version, companion)
        assert fits_companion(offered(version), None, companion) is fits, (version, companion)


def test_firmware_that_names_another_protocol_than_its_line_speaks_fits_nobody() -> None:
    assert not fits_companion(offered("0.2.1"), 2, "0.2.0")


def test_a_line_the_table_does_not_know_is_judged_by_its_protocol() -> None:
    assert fits_companion(offered("0.9.0"), 1, "0.2.0")
    assert not fits_companion(offered("0.9.0"), 2, "0.2.0")
    assert not fits_companion(offered("0.9.0"), 7, "0.2.0")
    assert fits_companion(offered("0.9.0"), None, "0.2.0")


def test_a_robot_without_a_companion_fits_and_one_that_is_unreadable_does_not() -> None:
    assert fits_companion(offered("1.0.0"), 2, None)
    assert not fits_companion(offered("1.0.0"), 2, "dev-build")


def test_each_line_of_firmware_stands_in_the_table_once() -> None:
    lines = [row.firmware for row in COMPATIBLE]
    assert len(set(lines)) == len(lines)
