"""Diagnostics as robots' bridges publish them today: a ROS 2 DiagnosticArray as JSON.

What the `values` of a status mean is in `wire.diagnostics_values`.
"""

from surefoot.wire import limits
from surefoot.wire.diagnostics_values import Told, read_values
from surefoot.wire.fields import NAME_CHARS, Fields, parse_object
from surefoot.wire.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CODE = "refused-diagnostics-format"
OK = 0
WARN = 1
ERROR = 2
STALE = 3
# An error is worse than a status that nobody has renewed.
BADNESS = (0, 1, 3, 2)


class Diagnostics(Record):
    """What one message said; None where it said nothing of it.

    `at_s` is the sender's time in Unix seconds, `level` the worst level of all statuses, `name_count` their number, and
    `unknown_count` how many of them said nothing known but their level. `topics` are pairs of name and rate in Hz.
    """

    __slots__ = (
        "robot_id",
        "at_s",
        "level",
        "name_count",
        "unknown_count",
        "battery_percent",
        "charging",
        "estop_active",
        "estop_by_operator",
        "topics",
        "dtls_tried",
        "dtls_failed",
        "boot_count",
        "uptime_s",
    )
    robot_id: str
    at_s: "float | None"
    level: int
    name_count: int
    unknown_count: int
    battery_percent: "float | None"
    charging: "bool | None"
    estop_active: "bool | None"
    estop_by_operator: "bool | None"
    topics: "tuple[tuple[str, float], ...]"
    dtls_tried: "int | None"
    dtls_failed: "int | None"
    boot_count: "int | None"
    uptime_s: "float | None"


def blank_diagnostics(robot_id: str) -> Diagnostics:
    """Return diagnostics that say nothing but that all is OK; to be filled by `replace`."""
    return Diagnostics(robot_id=robot_id, at_s=None, level=OK, name_count=0, unknown_count=0, topics=(), **_NOTHING)


def parse_diagnostics(data: bytes) -> Diagnostics:
    """Parse diagnostics from JSON bytes; raise `Refused` (`refused-diagnostics-format`) naming what is wrong."""
    return diagnostics_from_object(parse_object(data, CODE, limits.DIAGNOSTICS_BYTES_MAX))


def diagnostics_from_object(source: object) -> Diagnostics:
    """Build diagnostics from a parsed JSON object; raise `Refused` (`refused-diagnostics-format`)."""
    fields = Fields(source, CODE, "diagnostics")
    statuses = fields.array("status", limits.STATUSES_MAX)
    # Where nothing has a status, nothing renews one.
    level = OK if statuses else STALE
    unknown_count = 0
    told = Told()
    for status in statuses:
        if not isinstance(status, dict) or not isinstance(status.get("name"), str):
            raise fields.refuse("status", "an array of objects with a name each")
        its_level = status.get("level")
        if type(its_level) is not int or not OK <= its_level <= STALE:
            raise fields.refuse("status", "an array of objects with a level from 0 to 3 each")
        if BADNESS[its_level] > BADNESS[level]:
            level = its_level
        if not read_values(told, status["name"], _values_of(fields, status)):
            unknown_count += 1
    return Diagnostics(
        robot_id=fields.text("robot_id", limits.ROBOT_ID_CHARS_MAX, NAME_CHARS),
        at_s=fields.optional_number("timestamp", limits.INTEGER_MAX),
        level=level,
        name_count=len(statuses),
        unknown_count=unknown_count,
        battery_percent=told.battery_percent,
        charging=told.charging,
        estop_active=told.estop_active,
        estop_by_operator=told.estop_by_operator,
        topics=tuple(told.topics),
        dtls_tried=told.dtls_tried,
        dtls_failed=told.dtls_failed,
        boot_count=told.boot_count,
        uptime_s=told.uptime_s,
    )


def _values_of(fields: Fields, status: "dict[str, Any]") -> "dict[str, Any]":
    values = status.get("values")
    if isinstance(values, dict):
        return values
    if values is None:
        return {}
    if not isinstance(values, list):
        raise fields.refuse("status", "an array of objects with values in an object each")
    pairs: "dict[str, Any]" = {}
    for pair in values:
        if not isinstance(pair, dict) or not isinstance(pair.get("key"), str):
            raise fields.refuse("status", "an array of objects whose values are objects of key and value each")
        pairs[pair["key"]] = pair.get("value")
    return pairs


_NOTHING: "dict[str, Any]" = {
    "battery_percent": None,
    "charging": None,
    "estop_active": None,
    "estop_by_operator": None,
    "dtls_tried": None,
    "dtls_failed": None,
    "boot_count": None,
    "uptime_s": None,
}
