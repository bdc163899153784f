from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from surefoot.wire.diagnostics import diagnostics_from_object, parse_diagnostics
from surefoot.wire.errors import Refused
from surefoot.wire.health import HealthWindow, encode_health, health_from_object, parse_health
from wire.strategies import WINDOWS, spoilt
from wire.wire_case import DIAGNOSTICS, WINDOW

SOURCE = {
    "robot_id": "robot-001",
    "boot": 17,
    "number": 3,
    "length_s": 60,
    "ok_s": 60.0,
    "topics": {"scan": 10.0},
    "battery_start_percent": 78.2,
    "handshakes_tried": 5,
    "handshakes_failed": 2,
}


@given(WINDOWS)
def test_any_window_comes_back_as_it_was(window: HealthWindow) -> None:
    assert parse_health(encode_health(window)) == window


@given(st.binary(max_size=300))
def test_any_bytes_are_a_window_or_diagnostics_or_refused(data: bytes) -> None:
    for parse, code in (
        (parse_health, "refused-health-format"),
        (parse_diagnostics, "refused-diagnostics-format"),
    ):
        try:
            parse(data)
        except Refused as refusal:
            assert refusal.code == code


@given(spoilt(SOURCE))
def test_a_spoilt_window_is_refused_or_what_was_taken_can_be_sent_on(source: Any) -> None:
    try:
        window = health_from_object(source)
    except Refused as refusal:
        assert refusal.code == "refused-health-format"
    else:
        assert parse_health(encode_health(window)) == window
        assert type(window) is type(WINDOW)


@given(spoilt(DIAGNOSTICS))
def test_spoilt_diagnostics_are_refused_or_within_bounds(source: Any) -> None:
    try:
        said = diagnostics_from_object(source)
    except Refused as refusal:
        assert refusal.code == "refused-diagnostics-format"
    else:
        assert 0 <= said.unknown_count <= said.name_count
        assert said.battery_percent is None or 0 <= said.battery_percent <= 100
