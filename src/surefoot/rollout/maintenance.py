"""Maintenance windows: the times of the week in which robots may begin an update, by each robot's own clock.

A moment is given as minutes since Monday 00:00 where the robot stands; whoever knows time zones works that out.
"""

from dataclasses import dataclass
from enum import StrEnum

DAY_MIN = 24 * 60
WEEK_MIN = 7 * DAY_MIN


class Day(StrEnum):
    """A day of the week, in the order of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `from_min` until before `to_min` (minutes of the day) of each of the days.

    A window that ends no later than it begins ends on the next day.
    """

    days: tuple[Day, ...] = tuple(Day)
    from_min: int
    to_min: int


def clock_text(minute: int) -> str:
    """Return a minute of the day as `HH:MM`."""
    return f"{minute // 60:02}:{minute % 60:02}"


def wait_min(windows: tuple[Window, ...], week_min: int) -> int:
    """Return in how many minutes a window is open: 0 while one is, or where there are none at all."""
    if not windows:
        return 0
    return min(_wait_min(window, day, week_min) for window in windows for day in window.days)


def _wait_min(window: Window, day: Day, week_min: int) -> int:
    begins = list(Day).index(day) * DAY_MIN + window.from_min
    length = (window.to_min - window.from_min - 1) % DAY_MIN + 1
    since = (week_min - begins) % WEEK_MIN
    return 0 if since < length else WEEK_MIN - since
