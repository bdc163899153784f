"""Where robots stand: the time zone of each, for maintenance windows. Without one a robot goes by UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from surefoot.fleet.model import HistoryEntry
from surefoot.fleet.ports import Rows
from surefoot.rollout.maintenance import DAY_MIN
from surefoot.wire.errors import Refused

ZONE_CHARS_MAX = 64
ZONES_REMEMBERED = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotZone:
    """A robot's time zone, by its name in the IANA database, such as `Europe/Berlin`."""

    robot_id: str
    zone: str


def set_zone(rows: Rows, robot_id: str, zone: str, now_s: float) -> RobotZone:
    """Say in which time zone a robot stands; raise `Refused` (`not-found-robot`, `refused-time-zone`)."""
    if rows.robot(robot_id) is None:
        raise Refused("not-found-robot", f"The fleet has no robot {robot_id}: look at the list of robots.")
    if _zone(zone) is None:
        raise Refused("refused-time-zone", f"There is no time zone {zone!r}: name one such as Europe/Berlin.")
    known = RobotZone(robot_id=robot_id, zone=zone)
    rows.put(known)
    rows.add_history(HistoryEntry(robot_id=robot_id, at_s=now_s, kind="zone", text=f"Its time zone is {zone}."))
    return known


def zone_of(rows: Rows, robot_id: str) -> str:
    """Return the name of the robot's time zone."""
    known = rows.get(RobotZone, robot_id)
    return "UTC" if known is None else known.zone


def week_min(rows: Rows, robot_id: str, now_s: float) -> int | None:
    """Return the minutes since Monday 00:00 where the robot stands; None in a zone that this machine does not know."""
    zone = _zone(zone_of(rows, robot_id))
    if zone is None:
        return None
    there = datetime.fromtimestamp(now_s, zone)
    return there.weekday() * DAY_MIN + there.hour * 60 + there.minute


@lru_cache(ZONES_REMEMBERED)
def _zone(name: str) -> tzinfo | None:
    if name == "UTC":
        return UTC
    if not 0 < len(name) <= ZONE_CHARS_MAX:
        return None
    try:
        return ZoneInfo(name)
    # What is a folder of the database, or leads out of it, is no zone either.
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
