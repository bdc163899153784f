from support import code_of
from surefoot.wire.diagnostics import (
    ERROR,
    OK,
    STALE,
    WARN,
    Diagnostics,
    blank_diagnostics,
    diagnostics_from_object,
    parse_diagnostics,
)
from surefoot.wire.fields import encode_object
from surefoot.wire.limits import DIAGNOSTICS_BYTES_MAX, STATUSES_MAX, TOPICS_MAX
from wire.wire_case import DIAGNOSTICS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def said(*statuses: "Any") -> Diagnostics:
    return diagnostics_from_object({"robot_id": "robot-001", "status": list(statuses)})


def status(name: str = "robot-001/x", level: "Any" = OK, **values: "Any") -> "dict[str, Any]":
    return {"name": name, "level": level, "message": "", "values": values}


def refused(statuses: "Any") -> bool:
    return code_of(diagnostics_from_object, {"robot_id": "r", "status": statuses}) == "refused-diagnostics-format"


def test_what_bridges_publish_today_is_understood() -> None:
    assert parse_diagnostics(encode_object(DIAGNOSTICS)) == blank_diagnostics("robot-001").replace(
        at_s=1705312200.125, name_count=2, battery_percent=78.2, estop_active=False
    )


def test_the_worst_status_counts() -> None:
    for levels, worst in (
        ((OK, OK), OK),
        ((OK, WARN), WARN),
        ((WARN, STALE, OK), STALE),
        ((STALE, ERROR, WARN), ERROR),
    ):
        assert said(*[status(level=level) for level in levels]).level == worst, levels
    assert said().level == STALE, "nothing renews a status where nothing has one"


def test_unknown_statuses_are_counted_and_never_fatal() -> None:
    found = said(status("robot-001/arm", WARN, angle="7"), status(), status("robot-001/safety", estop_active="true"))
    assert (found.name_count, found.unknown_count, found.level) == (3, 2, WARN)
    assert found.estop_active is True


def test_values_come_as_ros_has_them_too() -> None:
    pairs = [{"key": "percentage", "value": "50"}, {"key": "charging", "value": "True"}, {"key": "spare"}]
    found = said({"name": "battery", "level": 0, "values": pairs}, {"name": "bare", "level": 0})
    assert (found.battery_percent, found.charging, found.unknown_count) == (50.0, True, 1)


def test_a_percentage_is_the_batterys_only_where_the_name_says_so() -> None:
    assert said(status("robot-001/disk", percentage="12")).battery_percent is None
    assert said(status("Main Battery", percentage="12")).battery_percent == 12.0
    pair = said(status("left_battery", percentage="60"), status("right_battery", percentage=40))
    assert pair.battery_percent == 40.0, "the emptiest counts"


def test_a_robot_on_the_charger_charges_even_when_it_is_full() -> None:
    for key, value, charging in (
        ("charging", "true", True),
        ("charging", False, False),
        ("charging", "perhaps", None),
        ("power_supply_status", "1", True),
        ("power_supply_status", 4, True),
        ("power_supply_status", "Discharging", False),
        ("power_supply_status", "NOT_CHARGING", False),
        ("power_supply_status", "0", None),
    ):
        source = status("battery")
        source["values"][key] = value
        assert said(source).charging is charging, (key, value)


def test_a_stop_is_an_operators_only_when_that_is_said() -> None:
    for values, by_operator in (
        ({}, None),
        ({"estop_by_operator": "true"}, True),
        ({"estop_by_operator": "false"}, False),
        ({"estop_source": "Button"}, True),
        ({"estop_source": "bumper"}, False),
        ({"estop_source": ""}, None),
    ):
        source = status("robot-001/safety", estop_active="1")
        source["values"].update(values)
        source["message"] = "stopped without operator action"
        found = said(source)
        assert found.estop_active is True and found.estop_by_operator is by_operator, values


def test_rates_are_of_the_topic_that_the_name_ends_with() -> None:
    found = said(
        status("robot-001/topic/imu/data", rate_hz="49.5"),
        status("robot-001/topic//scan", rate_hz=10),
        status("robot-001/lidar", rate_hz="10"),
        status("robot-001/topic/", rate_hz="10"),
        status("robot-001/topic/a b", rate_hz="10"),
        status("robot-001/topic/slow", rate_hz="-1"),
    )
    assert found.topics == (("imu/data", 49.5), ("/scan", 10.0))
    assert found.unknown_count == 4
    many = [status(f"r/topic/{number}", rate_hz="1") for number in range(TOPICS_MAX + 1)]
    assert len(said(*many).topics) == TOPICS_MAX


def test_counters_of_several_links_add_up() -> None:
    found = said(
        status("r/link/a", dtls_tried="10", dtls_failed="1", boot_count="3", uptime_s="70.5"),
        status("r/link/b", dtls_tried="5", dtls_failed="0", boot_count="4", uptime_s="9"),
    )
    assert (found.dtls_tried, found.dtls_failed, found.boot_count, found.uptime_s) == (15, 1, 7, 9.0)


def test_a_value_that_makes_no_sense_is_as_good_as_none() -> None:
    values: "list[Any]" = ["", "x", "nan", "inf", "-1", "1e400", None, True, [], {}, "1" * 400]
    for value in values:
        found = said(status("battery", percentage=value, dtls_tried=value, uptime_s=value))
        assert (found.battery_percent, found.dtls_tried, found.uptime_s) == (None, None, None), value
        assert found.unknown_count == 1


def test_diagnostics_that_are_none_are_refused() -> None:
    wrong: "list[Any]" = [
        7,
        [7],
        [{}],
        [{"name": 7, "level": 0}],
        [{"name": "x"}],
        [status(level=4)],
        [status(level=-1)],
        [status(level="0")],
        [status(level=True)],
        [status(level=1.0)],
        [{"name": "x", "level": 0, "values": "y"}],
        [{"name": "x", "level": 0, "values": [7]}],
        [{"name": "x", "level": 0, "values": [{"value": "7"}]}],
        [status()] * (STATUSES_MAX + 1),
    ]
    for statuses in wrong:
        assert refused(statuses), statuses
    for source in (b"", b"[]", b"{}", b'{"robot_id": "a b", "status": []}', b" " * (DIAGNOSTICS_BYTES_MAX + 1)):
        assert code_of(parse_diagnostics, source) == "refused-diagnostics-format", source
