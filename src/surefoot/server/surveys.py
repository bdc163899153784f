"""Surveys of rollouts, kept by the leader: going through a million robots takes too long for every tick.

A survey is taken in a reading transaction, which holds nobody up, and again when it is older than a multiple of what it
took. A robot that is heard after a survey is given its assignment at once, if a place is free; so what an old survey
misses is at most a robot that came while the phase was full, for that little while.
"""

import time
from collections.abc import Callable

from surefoot.fleet.gather import Survey, survey
from surefoot.fleet.model import Release, Rollout
from surefoot.fleet.ports import Rows

# At most a twentieth of the time goes into surveys.
PAUSES = 20.0


class Surveys:
    """The newest survey of each rollout that needed one."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        # Each with when it is to be taken again.
        self._taken: dict[str, tuple[Survey, float]] = {}
        self._wanted: list[str] = []

    def find(self, _rows: Rows, rollout: Rollout, _release: Release, _now_s: float) -> Survey | None:
        """Return what is known, None when nothing is, and have it taken anew when it is old."""
        known = self._taken.get(rollout.rollout_id)
        if known is None or known[0].phase != rollout.phase or self._monotonic_s() >= known[1]:
            self._wanted.append(rollout.rollout_id)
        return None if known is None or known[0].phase != rollout.phase else known[0]

    def wanted(self) -> list[str]:
        """Return which rollouts need a survey now, and forget that they were asked for."""
        wanted, self._wanted = self._wanted, []
        return wanted

    def take(self, rows: Rows, rollout_id: str, now_s: float) -> None:
        """Survey a rollout."""
        began_s = self._monotonic_s()
        rollout = rows.get(Rollout, rollout_id)
        release = None if rollout is None else rows.get(Release, rollout.release_id)
        if rollout is None or release is None:
            return
        found = survey(rows, rollout, release, now_s)
        ended_s = self._monotonic_s()
        self._taken[rollout_id] = (found, ended_s + PAUSES * (ended_s - began_s))
