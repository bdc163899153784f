"""A shorter way to what `wire.diagnostics` reads: a typed decoder builds no more than what is looked at.

What it reads it reads as `parse_diagnostics` does. What it cannot read is for that to judge, and to refuse in words.
"""

from typing import Annotated, Any

import msgspec

from surefoot.wire import limits
from surefoot.wire.diagnostics import BADNESS, OK, STALE, Diagnostics
from surefoot.wire.diagnostics_values import read_values

Level = Annotated[int, msgspec.Meta(ge=OK, le=STALE)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=limits.INTEGER_MAX)]


class _Pair(msgspec.Struct, gc=False):
    key: str
    value: Any = None


class _Status(msgspec.Struct, gc=False):
    name: str
    level: Level
    values: dict[str, Any] | list[_Pair] | None = None


class _Message(msgspec.Struct, gc=False):
    robot_id: str
    status: Annotated[list[_Status], msgspec.Meta(max_length=limits.STATUSES_MAX)] | None = None
    timestamp: Seconds | None = None


class _Said(msgspec.Struct, gc=False):
    """The fields of `Diagnostics` and of `Told`; both take five times as long to build."""

    robot_id: str
    at_s: float | None
    level: int = OK
    name_count: int = 0
    unknown_count: int = 0
    battery_percent: float | None = None
    charging: bool | None = None
    estop_active: bool | None = None
    estop_by_operator: bool | None = None
    topics: list[tuple[str, float]] = []
    dtls_tried: int | None = None
    dtls_failed: int | None = None
    boot_count: int | None = None
    uptime_s: float | None = None


_decode = msgspec.json.Decoder(_Message).decode


def read_quickly(payload: bytes) -> Diagnostics | None:
    """Return what a message says, its robot's id as it stands there; None where `parse_diagnostics` has to look."""
    try:
        message = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    statuses = message.status or ()
    # It has the fields of both, which a type checker cannot see.
    said: Any = _Said(message.robot_id, message.timestamp, OK if statuses else STALE, len(statuses))
    for status in statuses:
        level, values = status.level, status.values
        if level and BADNESS[level] > BADNESS[said.level]:
            said.level = level
        if isinstance(values, list):
            values = {pair.key: pair.value for pair in values}
        if not values or not read_values(said, status.name, values):
            said.unknown_count += 1
    return said  # type: ignore[no-any-return]
