from support import code_of
from surefoot.wire.fields import encode_object, parse_object
from surefoot.wire.health import encode_health, health_from_object, parse_health
from surefoot.wire.limits import HEALTH_BYTES_MAX, TOPICS_MAX
from surefoot.wire.report import FIRST_EPOCH
from wire.wire_case import SUMS, WINDOW

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MINIMAL = {"robot_id": "r", "boot": 1, "number": 1, "length_s": 60}
QUIET = SUMS.replace(
    ok_s=0.0,
    warn_s=0.0,
    error_s=0.0,
    stale_s=0.0,
    topics=(),
    battery_start_percent=None,
    battery_end_percent=None,
    charging_s=0.0,
    stops_operator=0,
    stops_other=0,
    reboots=0,
    handshakes_tried=0,
    handshakes_failed=0,
)


def source_of(window: "Any" = WINDOW) -> "dict[str, Any]":
    return parse_object(encode_health(window), "refused-health-format", HEALTH_BYTES_MAX)


def refused(name: str, value: "Any") -> bool:
    source = source_of()
    source[name] = value
    return code_of(health_from_object, source) == "refused-health-format"


def test_a_window_comes_back_as_it_was() -> None:
    assert parse_health(encode_health(WINDOW)) == WINDOW
    quiet = WINDOW.replace(sums=QUIET)
    assert parse_health(encode_health(quiet)) == quiet


def test_what_did_not_happen_is_not_sent() -> None:
    assert set(source_of(WINDOW.replace(sums=QUIET))) == {"robot_id", "epoch", "boot", "number", "length_s"}
    empty = source_of(WINDOW.replace(sums=QUIET.replace(battery_start_percent=0.0, battery_end_percent=0.0)))
    assert empty["battery_end_percent"] == 0, "an empty battery is no unknown one"


def test_a_robot_that_can_say_less_says_less() -> None:
    window = parse_health(encode_object(MINIMAL))
    assert window.epoch == FIRST_EPOCH
    assert window.sums == QUIET.replace(length_s=60.0)
    for name in MINIMAL:
        less = {key: value for key, value in MINIMAL.items() if key != name}
        assert code_of(parse_health, encode_object(less)) == "refused-health-format", name


def test_what_a_newer_robot_says_more_is_ignored() -> None:
    source = source_of()
    source["mood"] = {"of": ["the", "day"]}
    assert health_from_object(source) == WINDOW


def test_topics_come_by_name() -> None:
    source = source_of()
    source["topics"] = {"b": 2, "a": 1, "unknown": None}
    assert health_from_object(source).sums.topics == (("a", 1.0), ("b", 2.0))


def test_a_field_of_the_wrong_kind_is_refused() -> None:
    for name, value in (
        ("robot_id", "a b"),
        ("epoch", "a.b"),
        ("boot", -1),
        ("number", 1.5),
        ("number", None),
        ("length_s", None),
        ("length_s", -1),
        ("length_s", "60"),
        ("length_s", True),
        ("length_s", 1e300),
        ("ok_s", float("nan")),
        ("ok_s", float("inf")),
        ("battery_start_percent", 100.5),
        ("battery_end_percent", -1),
        ("battery_end_percent", "78"),
        ("stops_other", 1.5),
        ("reboots", 1e9),
        ("topics", ["scan"]),
        ("topics", {"": 1}),
        ("topics", {"a b": 1}),
        ("topics", {"a\u0000": 1}),
        ("topics", {"a" * 65: 1}),
        ("topics", {"scan": "10"}),
        ("topics", {"scan": -1}),
        ("topics", {str(number): 1 for number in range(TOPICS_MAX + 1)}),
    ):
        assert refused(name, value), (name, value)


def test_a_window_that_contradicts_itself_is_refused() -> None:
    assert refused("ok_s", 56.0), "more seconds were told of than there were"
    assert refused("charging_s", 62.0)
    assert refused("handshakes_failed", 41)
    assert parse_health(encode_health(WINDOW.replace(sums=SUMS.replace(ok_s=54.5)))).sums.ok_s == 54.5


def test_a_window_has_a_size_limit() -> None:
    source = source_of()
    source["padding"] = "x" * HEALTH_BYTES_MAX
    assert code_of(parse_health, encode_object(source)) == "refused-health-format"
