"""The health window: how a robot was for a minute or so, folded to some sums.

(`epoch`, `boot`, `number`) orders the windows of a robot, so the server counts one that comes twice once. Everything
but the ids and the length may be left out, and then it did not happen or nobody knows.
"""

from surefoot.wire import limits
from surefoot.wire.errors import Refused
from surefoot.wire.fields import ID_CHARS, NAME_CHARS, Fields, encode_object, parse_object
from surefoot.wire.record import Record
from surefoot.wire.report import FIRST_EPOCH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CODE = "refused-health-format"
# What names of ROS topics are made of, and what robots without ROS call theirs.
TOPIC_CHARS = NAME_CHARS + "/~"
BUCKETS = ("ok_s", "warn_s", "error_s", "stale_s")
COUNTS = ("stops_operator", "stops_other", "reboots", "handshakes_tried", "handshakes_failed")
# Sums of rounded times may stand out of the rounded length by this.
SLACK_S = 1.0


class HealthSums(Record):
    """What happened in `length_s` seconds.

    `ok_s` to `stale_s` are the seconds at each level; time that nobody told about is in none. `topics` are pairs of
    name and mean rate in Hz, by name. The battery is told at the begin and at the end, in percent, None if unknown;
    `charging_s` are the seconds on the charger, and a window with any says nothing about drain. `stops_operator` and
    `stops_other` are safety stops that began with and without an operator's action, `reboots` restarts of whatever
    kind that the robot noticed. Handshakes are those of DTLS.
    """

    __slots__ = (
        "length_s",
        "ok_s",
        "warn_s",
        "error_s",
        "stale_s",
        "topics",
        "battery_start_percent",
        "battery_end_percent",
        "charging_s",
        "stops_operator",
        "stops_other",
        "reboots",
        "handshakes_tried",
        "handshakes_failed",
    )
    length_s: float
    ok_s: float
    warn_s: float
    error_s: float
    stale_s: float
    topics: "tuple[tuple[str, float], ...]"
    battery_start_percent: "float | None"
    battery_end_percent: "float | None"
    charging_s: float
    stops_operator: int
    stops_other: int
    reboots: int
    handshakes_tried: int
    handshakes_failed: int

    def check(self) -> None:
        told_s = self.ok_s + self.warn_s + self.error_s + self.stale_s
        if max(told_s, self.charging_s) > self.length_s + SLACK_S:
            raise Refused(CODE, f"A window of {self.length_s:g} s tells of more seconds: count each of them once.")
        if self.handshakes_failed > self.handshakes_tried:
            raise Refused(CODE, "More handshakes failed than were tried: count those that failed among the tried.")


class HealthWindow(Record):
    """The sums of one robot's window; `number` rises with each window of a boot."""

    __slots__ = ("robot_id", "epoch", "boot", "number", "sums")
    robot_id: str
    epoch: str
    boot: int
    number: int
    sums: HealthSums


def parse_health(data: bytes) -> HealthWindow:
    """Parse a health window from JSON bytes; raise `Refused` (`refused-health-format`) naming what is wrong."""
    return health_from_object(parse_object(data, CODE, limits.HEALTH_BYTES_MAX))


def health_from_object(source: object) -> HealthWindow:
    """Build a health window from a parsed JSON object; raise `Refused` (`refused-health-format`)."""
    fields = Fields(source, CODE, "health")
    return HealthWindow(
        robot_id=fields.text("robot_id", limits.ROBOT_ID_CHARS_MAX, NAME_CHARS),
        epoch=fields.optional_text("epoch", limits.NAME_CHARS_MAX, ID_CHARS) or FIRST_EPOCH,
        boot=fields.integer("boot"),
        number=fields.integer("number"),
        sums=_parse_sums(fields),
    )


def _parse_sums(fields: Fields) -> HealthSums:
    if not fields.has("length_s"):
        raise fields.refuse("length_s", f"a number from 0 to {limits.WINDOW_S_MAX}")
    values: "dict[str, Any]" = {}
    for name in ("length_s", "charging_s") + BUCKETS:
        values[name] = fields.number(name, limits.WINDOW_S_MAX)
    for name in ("battery_start_percent", "battery_end_percent"):
        values[name] = fields.optional_number(name, 100)
    for name in COUNTS:
        values[name] = fields.integer(name, limits.EVENTS_MAX) if fields.has(name) else 0
    return HealthSums(topics=_parse_topics(fields), **values)


def _parse_topics(fields: Fields) -> "tuple[tuple[str, float], ...]":
    if not fields.has("topics"):
        return ()
    rates = fields.nested("topics")
    if len(rates.source) > limits.TOPICS_MAX:
        raise fields.refuse("topics", f"an object of at most {limits.TOPICS_MAX} names")
    for name in rates.source:
        if not is_topic_name(name):
            raise fields.refuse("topics", f"named by 1 to {limits.NAME_CHARS_MAX} of the characters {TOPIC_CHARS}")
    return tuple([(name, rates.number(name, limits.RATE_HZ_MAX)) for name in sorted(rates.source) if rates.has(name)])


def is_topic_name(name: str) -> bool:
    """Whether a window can tell the rate of a topic of this name."""
    return 0 < len(name) <= limits.NAME_CHARS_MAX and not name.strip(TOPIC_CHARS)


def encode_health(window: HealthWindow) -> bytes:
    """Return the window as JSON bytes; what did not happen and what nobody knows is left out."""
    value: "dict[str, Any]" = {name: getattr(window, name) for name in ("robot_id", "epoch", "boot", "number")}
    sums = window.sums
    value["length_s"] = sums.length_s
    for name in BUCKETS + COUNTS + ("charging_s",):
        if getattr(sums, name):
            value[name] = getattr(sums, name)
    for name in ("battery_start_percent", "battery_end_percent"):
        if getattr(sums, name) is not None:
            value[name] = getattr(sums, name)
    if sums.topics:
        value["topics"] = dict(sums.topics)
    return encode_object(value)
