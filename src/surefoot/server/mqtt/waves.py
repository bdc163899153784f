"""Whom a running rollout calls next: robots online, behind its door and without an assignment, a few at a time.

A call is a nudge: the robot asks, and is given its assignment if a place is free then. So no more are called than there
are places, and the next ones when those have taken theirs. Nothing of it is stored; a new leader calls some again.

Time is given, in seconds of a clock that never steps.
"""

from collections import OrderedDict, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from surefoot.fleet.doors import closed_by
from surefoot.fleet.model import Release, Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.rollout.door import Door, refusal

# A robot is called again by the same rollout after this at the earliest.
CALL_AGAIN_S = 600.0
# Who was called and has not taken its place by then will not, or not now.
ANSWER_S = 10.0
WAVE_MAX = 1000
# Robots found in one search; the search costs a look at each robot of the sku that it passes.
FOUND_MAX = 5000
# At most a twentieth of the time goes into searching.
PAUSES = 20.0
PAUSE_S_MIN = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a rollout stands: free places, and the assignments it made so far."""

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
        self._expected = 0
        self._expected_until_s = 0.0
        self._assigned = 0

    def call(self, rows: Rows, rollout: Rollout, release: Release, online: Collection[str], now_s: float) -> list[str]:
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
        self._search(rows, rollout, release, online, now_s)
        called = [self._found.popleft() for _ in range(min(number, len(self._found)))]
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

    def _search(self, rows: Rows, rollout: Rollout, release: Release, online: Collection[str], now_s: float) -> None:
        while self._called and now_s - next(iter(self._called.values())) >= CALL_AGAIN_S:
            self._called.popitem(last=False)
        if rollout.phase != self._phase:
            self._phase, self._search_at_s = rollout.phase, now_s
            self._found.clear()
        if self._found or now_s < self._search_at_s:
            return
        self._search_at_s, self._has_searched = now_s + PAUSE_S_MIN, True
        for robot_id in _behind_the_door(rows, rollout, release):
            if robot_id in online and robot_id not in self._called:
                self._found.append(robot_id)
                if len(self._found) >= FOUND_MAX:
                    return


def _standing(rows: Rows, rollout: Rollout, release: Release) -> Standing:
    if rollout.state is not RolloutState.RUNNING or closed_by(rows, rollout, release) is not None:
        return Standing(free=0, assigned=0)
    rollout_id = rollout.rollout_id
    return Standing(
        free=rollout.plan.capacity - rows.count_open(rollout_id),
        assigned=sum(rows.count_by_status(rollout_id).values()),
    )


def _behind_the_door(rows: Rows, rollout: Rollout, release: Release) -> Iterator[str]:
    """Yield the robots that this rollout would most likely take if they asked; the answer to that decides."""
    door = Door(
        plan=rollout.plan,
        salt=rollout.salt,
        phase=rollout.phase,
        closed_by=None,
        version=release.version,
        open_assignments=0,
    )
    recalled = None if rollout.rolls_back is None else rows.get(Release, rollout.rolls_back)
    for robot in rows.robots_without(rollout.rollout_id, rollout.sku):
        if recalled is not None and robot.running_digest != recalled.digest:
            continue
        # The way back leads downwards.
        version = None if recalled is not None else robot.version
        if refusal(door, robot.robot_id, version) is None:
            yield robot.robot_id
