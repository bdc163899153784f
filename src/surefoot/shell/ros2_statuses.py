"""The statuses of a robot's diagnostics, each as it was said last, and what they mean for an update.

- A status that was not renewed for `FRESH_S` is stale, and what it said besides counts as its worst.
- `safety_state` is UNKNOWN where nothing fresh is heard, else what a status with `safety` in its name says as
  `safety_state`, or its level from ERROR on.
- The robot is idle if every status with `motors_idle` says so, and cool if every one with `temperature` or `thermal` in
  its name is OK; its signal is the lowest `rssi_dbm`. What no status ever said the robot has no sensor for.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from surefoot.agent.preflight import RSSI_DBM_MIN, SAFETY_NORMAL
from surefoot.wire import limits
from surefoot.wire.diagnostics import ERROR, OK, STALE, WARN, Diagnostics, diagnostics_from_object
from surefoot.wire.diagnostics_values import TRUE_WORDS

FRESH_S = 5.0
UNKNOWN = "UNKNOWN"
# Weaker than any that an update is made with.
NO_SIGNAL_DBM = RSSI_DBM_MIN - 50.0
LEVEL_NAMES = ("OK", "WARN", "ERROR", "STALE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One status as it was when it was last renewed, at `at_s`."""

    level: int
    values: Mapping[str, str]
    at_s: float

    def is_fresh(self, now_s: float) -> bool:
        """Whether it still counts."""
        return now_s - self.at_s <= FRESH_S


class Statuses:
    """Everything that diagnostics said of one robot. `now_s` are seconds of any clock that never falls."""

    def __init__(self, robot_id: str) -> None:
        self._robot_id = robot_id
        self._by_name: dict[str, Status] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def hear(self, name: str, level: int, values: Mapping[str, str], now_s: float) -> None:
        """Take a status; of more than can be looked at the first ones count, and a level that is none is an error."""
        if name in self._by_name or len(self._by_name) < limits.STATUSES_MAX:
            known = level if OK <= level <= STALE else ERROR
            self._by_name[name] = Status(level=known, values=values, at_s=now_s)

    def said(self, now_s: float) -> Diagnostics:
        """Return them as one message."""
        statuses = [
            {"name": name, "level": status.level, "values": status.values}
            if status.is_fresh(now_s)
            else {"name": name, "level": STALE}
            for name, status in self._by_name.items()
        ]
        return diagnostics_from_object({"robot_id": self._robot_id, "status": statuses})

    def safety_state(self, now_s: float) -> str:
        """Return NORMAL, or what speaks against it."""
        if not any(status.is_fresh(now_s) for status in self._by_name.values()):
            return UNKNOWN
        for status in self._named("safety"):
            state = status.values.get("safety_state", SAFETY_NORMAL).upper()
            if not status.is_fresh(now_s):
                return UNKNOWN
            if status.level >= ERROR or state != SAFETY_NORMAL:
                return state if state != SAFETY_NORMAL else LEVEL_NAMES[status.level]
        return SAFETY_NORMAL

    def is_idle(self, now_s: float) -> bool | None:
        """Whether the motors are idle."""
        told = [status for status in self._by_name.values() if "motors_idle" in status.values]
        idle = (status.is_fresh(now_s) and status.values["motors_idle"].lower() in TRUE_WORDS for status in told)
        return all(idle) if told else None

    def is_cool(self, now_s: float) -> bool | None:
        """Whether no temperature is at its warning level."""
        named = [*self._named("temperature"), *self._named("thermal")]
        return all(status.is_fresh(now_s) and status.level == OK for status in named) if named else None

    def rssi_dbm(self, now_s: float) -> float | None:
        """Return the strength of the signal."""
        told = [status for status in self._by_name.values() if "rssi_dbm" in status.values]
        if not told:
            return None
        return min(_dbm(status.values["rssi_dbm"]) if status.is_fresh(now_s) else NO_SIGNAL_DBM for status in told)

    def work(self, word: str, now_s: float) -> bool:
        """Whether every status with this word in its name is fresh and at most at WARN."""
        return all(status.is_fresh(now_s) and status.level <= WARN for status in self._named(word))

    def _named(self, word: str) -> list[Status]:
        return [status for name, status in self._by_name.items() if word in name.lower()]


def _dbm(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return NO_SIGNAL_DBM
    return value if math.isfinite(value) else NO_SIGNAL_DBM
