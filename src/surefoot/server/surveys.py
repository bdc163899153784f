"""Surveys of rollouts, kept by the leader: going through a million robots takes too long for every tick.

A survey is taken in a reading transaction, which holds nobody up, and again when it is older than a multiple of what it
took. A robot that is heard after a survey is given its assignment at once, if a place is free; so what an old survey
misses is at most a robot that came while the phase was full, for that little while.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from surefoot.fleet.gate_survey import GateSurvey, GateWalk
from surefoot.fleet.gather import Survey, survey
from surefoot.fleet.health_sums import quarter_at
from surefoot.fleet.model import Release, Rollout
from surefoot.fleet.ports import Rows
from surefoot.rollout.gate import GateFacts

# At most a twentieth of the time goes into surveys.
PAUSES = 20.0
# Triggers of the cohort are looked at so often where that costs less.
GATE_PAUSE_S = 15.0

T = TypeVar("T")

log = logging.getLogger(__name__)


class Read(Protocol):
    """Runs a reading transaction without holding anyone up, as `Services.read` does."""

    def __call__(self, work: Callable[[Rows], T], /) -> Awaitable[T]:
        """Return what the work returned."""


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


class GateSurveys:
    """The newest survey of each rollout for its gate."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        # Each with when it is to be taken again, and whether it may be earlier as soon as another quarter is over.
        self._taken: dict[str, tuple[GateSurvey, float, bool]] = {}
        self._wanted: dict[str, None] = {}

    def find(self, _rows: Rows, rollout: Rollout, now_s: float) -> GateSurvey | None:
        """Return what is known, None when nothing is; have it taken anew when it is old or a quarter went by since."""
        known = self._taken.get(rollout.rollout_id)
        if known is None or self._monotonic_s() >= known[1] or (known[2] and known[0].quarter != quarter_at(now_s) - 1):
            self._wanted[rollout.rollout_id] = None
        return None if known is None else known[0]

    def wanted(self) -> list[str]:
        """Return which rollouts need a survey now, and forget that they were asked for."""
        wanted, self._wanted = list(self._wanted), {}
        return wanted

    async def take(self, read: Read, rollout_id: str, now_s: Callable[[], float]) -> None:
        """Survey a rollout, each page of robots in a transaction of its own."""
        began_s = self._monotonic_s()
        rollout = await read(lambda rows: rows.get(Rollout, rollout_id))
        if rollout is None:
            return
        walk, after = GateWalk(rollout, now_s()), None
        while (after := await read(lambda rows: walk.take(rows, after))) is not None:
            pass
        found = await read(walk.found)
        ended_s = self._monotonic_s()
        is_timely = found.quarter == quarter_at(now_s()) - 1
        if not is_timely:
            # Of the last robots an earlier quarter is known than of the first: that is no evidence for anything.
            log.warning("survey-late rollout=%s took_s=%.1f", rollout_id, ended_s - began_s)
            found = replace(found, facts=GateFacts(hours=found.facts.hours), is_fed=False, not_ok=())
        pause_s = max(GATE_PAUSE_S, PAUSES * (ended_s - began_s))
        self._taken[rollout_id] = (found, ended_s + pause_s, is_timely)
