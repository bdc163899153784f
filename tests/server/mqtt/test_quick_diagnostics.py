"""The short way through diagnostics reads what the long one reads, or leaves it to that."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from surefoot.server.mqtt.quick_diagnostics import read_quickly
from surefoot.wire.diagnostics import Diagnostics, parse_diagnostics
from surefoot.wire.errors import Refused
from surefoot.wire.limits import STATUSES_MAX
from wire.wire_case import DIAGNOSTICS

KNOWN_KEYS = (
    "percentage",
    "charging",
    "power_supply_status",
    "estop_active",
    "estop_source",
    "rate_hz",
    "dtls_tried",
    "boot_count",
    "uptime_s",
)
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, 1, 1.0, 2.5, -1, 2**60, 1e308, "", "1", "true", "charging", "NaN", [], {}, [{}]]
)
VALUES = st.dictionaries(st.sampled_from([*KNOWN_KEYS, "voltage_v"]), st.one_of(ODD, st.floats(0, 100).map(str)))
PAIRS = st.lists(
    st.fixed_dictionaries({"key": st.sampled_from([*KNOWN_KEYS, 7])}, optional={"value": ODD, "unit": ODD}), max_size=3
)
STATUS = st.fixed_dictionaries(
    {
        "name": st.one_of(st.sampled_from(["r/battery", "r/safety", "r/topic/scan", ""]), st.just(7)),
        "level": st.one_of(st.integers(-1, 4), ODD),
    },
    optional={"values": st.one_of(VALUES, PAIRS, ODD), "message": ODD},
)
MESSAGE = st.fixed_dictionaries(
    {"robot_id": st.sampled_from(["robot-1", "r" * 129, "", 7])},
    optional={
        "timestamp": st.one_of(ODD, st.floats(allow_nan=False, allow_infinity=False)),
        "status": st.one_of(st.lists(STATUS, max_size=4), ODD),
        "more": ODD,
    },
)


def test_what_bridges_publish_today_goes_the_short_way() -> None:
    found = read_quickly(json.dumps(DIAGNOSTICS).encode())
    assert found is not None
    assert (found.battery_percent, found.estop_active, found.name_count) == (78.2, False, 2)


@given(MESSAGE)
@example({"robot_id": "r", "status": [{"name": "r/battery", "level": 1.0}]})
@example({"robot_id": "r", "status": [{"name": "x", "level": 3}] * (STATUSES_MAX + 1)})
@example({"robot_id": "r", "timestamp": "1", "status": []})
def test_the_short_way_and_the_long_one_never_disagree(message: dict[str, object]) -> None:
    payload = json.dumps(message).encode()
    quick = read_quickly(payload)
    if quick is None:
        return
    try:
        said = parse_diagnostics(payload)
    except Refused:
        # Only who it is from was not looked at: the caller compares that with the topic.
        assert not isinstance(message["robot_id"], str) or len(message["robot_id"]) in (0, 129), message
        return
    for name in Diagnostics.__slots__:
        one, other = getattr(quick, name), getattr(said, name)
        assert (tuple(one) if name == "topics" else one) == other, name


def test_what_is_no_message_is_left_to_the_long_way() -> None:
    for payload in (b"", b"{", b"[]", b"\xff", b'{"robot_id": "\xff"}', b'{"status": []}', b"[" * 100_000):
        assert read_quickly(payload) is None
