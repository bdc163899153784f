"""Whom a running rollout calls next: robots online that it would take, in its own random order, a few at a time.

A call is a nudge: the robot asks, and is given its assignment if a place is free then. So no more are called than there
are places, and the next ones when those have taken theirs. Nothing of it is stored; a new leader calls some again.

Time is given, in seconds of a clock that never steps; maintenance windows go by `clock_s`, in Unix seconds.
"""

from collections import OrderedDict, deque
from collections.abc import Collection
from dataclasses import dataclass

from surefoot.fleet.doors import closed_by, held_for, open_door
from surefoot.fleet.lacking import Asked, lacking
from surefoot.fleet.model import Release, Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.rollout.membership import position

# A robot is called again by the same rollout after this at the earliest.
CALL_AGAIN_S = 600.0
# Who was called and has not taken its place by then will not, or not now.
ANSWER_S = 10.0
WAVE_MAX = 1000
# Robots without an assignment looked at in one search, some two seconds: nobody may be told to stop later for that. Of
# a larger fleet the next search looks at the next ones.
LOOKED_AT_MAX = 50_000
# At most a twentieth of the time goes into searching.
PAUSES = 20.0
PAUSE_S_MIN = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a rollout stands: places free by its capacity and its ramp, and the assignments it made so far."""

    free: int
    assigned: int


class Waves:
    """The calls of one rollout."""

    def __init__(self) -> None:
        self._found: deque[str] = deque()
        self._called: OrderedDict[str, float] = OrderedDict()
        self._phase = -1
        self._search_at_s = 0.0
        self._has_searched = False
        self._after = ""
        self._expected = 0
        self._expected_until_s = 0.0
        self._assigned = 0

    def call(
        self, rows: Rows, rollout: Rollout, release: Release, online: Collection[str], now_s: float, clock_s: float
    ) -> list[str]:
        """Return the robots to call now, and count them as called."""
        standing = _standing(rows, rollout, release)
        # Those called that have their place by now are among the assignments.
        self._expected = max(0, self._expected - (standing.assigned - self._assigned))
        self._assigned = standing.assigned
        if now_s >= self._expected_until_s:
            self._expected = 0
        number = min(standing.free - self._expected, WAVE_MAX)
        if number <= 0 or not online:
            return []
        self._search(rows, rollout, release, online, now_s, clock_s)
        called: list[str] = []
        while self._found and len(called) < number:
            robot_id = self._found.popleft()
            # A window may have closed, or a person pinned the robot, since it was found.
            if held_for(rows, rollout, release, robot_id, clock_s) is None:
                called.append(robot_id)
        self._called.update(dict.fromkeys(called, now_s))
        if called:
            self._expected += len(called)
            self._expected_until_s = now_s + ANSWER_S
        return called

    def searched(self, took_s: float, now_s: float) -> None:
        """Note how long the last call took: its search, if it made one, is the most of that."""
        if self._has_searched:
            self._has_searched = False
            self._search_at_s = max(self._search_at_s, now_s + PAUSES * took_s)

    def forget(self, robot_ids: Collection[str]) -> None:
        """Note that these came online anew, and may be called again: the broker may have lost what they were told."""
        for robot_id in robot_ids:
            self._called.pop(robot_id, None)

    def put_back(self, robot_ids: list[str]) -> None:
        """Note that these were not reached, as the broker was away."""
        self._found.extendleft(reversed(robot_ids))
        for robot_id in robot_ids:
            self._called.pop(robot_id, None)
        self._expected = max(0, self._expected - len(robot_ids))

    def _search(
        self, rows: Rows, rollout: Rollout, release: Release, online: Collection[str], now_s: float, clock_s: float
    ) -> None:
        while self._called and now_s - next(iter(self._called.values())) >= CALL_AGAIN_S:
            self._called.popitem(last=False)
        if rollout.phase != self._phase:
            self._phase, self._search_at_s = rollout.phase, now_s
            self._found.clear()
            self._after = ""
        if self._found or now_s < self._search_at_s:
            return
        self._search_at_s, self._has_searched = now_s + PAUSE_S_MIN, True
        looked_at, found = 0, []
        asked = Asked(by_the_clock=True, only=online, after=self._after, looked_at_max=LOOKED_AT_MAX)
        for robot, code in lacking(rows, rollout, release, clock_s, open_door(rollout, release), asked):
            looked_at, self._after = looked_at + 1, robot.robot_id
            if code is None and robot.robot_id not in self._called:
                found.append(robot.robot_id)
        if looked_at < LOOKED_AT_MAX:
            self._after = ""
        # By id, the same robots would go first in every rollout.
        self._found.extend(sorted(found, key=lambda robot_id: position(rollout.salt, robot_id)))


def _standing(rows: Rows, rollout: Rollout, release: Release) -> Standing:
    if rollout.state is not RolloutState.RUNNING or closed_by(rows, rollout, release) is not None:
        return Standing(free=0, assigned=0)
    rollout_id = rollout.rollout_id
    free, assigned = rollout.plan.capacity - rows.count_open(rollout_id), rows.count_offered(rollout_id)
    if rollout.offers_max is not None:
        free = min(free, rollout.offers_max - assigned)
    return Standing(free=free, assigned=assigned)
