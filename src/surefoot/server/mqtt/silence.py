"""Who fell silent: one table in the order in which robots were heard last, and no timer per robot.

Only who published diagnostics can fall silent in them, and only while it is online. Before a process calls a robot
silent it asks the others, which may have heard it, and waits for their answers. A process that has just begun to
listen judges nobody until it has listened for as long as a silence lasts.

Time is given, in seconds of a clock that never steps; what processes tell each other are ages.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

# A minute, and what two clocks may make of it.
SILENCE_S = 61.0
# A broker that died cut off the robots too, and does not know it: they have so long to come back. The library of most
# bridges pauses for up to two minutes between its tries.
RETURN_S = 150.0
# How long the others have to answer.
ANSWER_S = 1.0
# Robots in one question: question and answer stay far below what a broker takes.
QUESTION_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A robot that was heard `age_s` ago and not since."""

    robot_id: str
    age_s: float


class SilenceTable:
    """What one process heard, and when.

    Args:
        now_s: When it began to listen.
    """

    def __init__(self, now_s: float) -> None:
        self._listening_since_s = now_s
        # The one who was heard least lately comes first.
        self._heard: OrderedDict[str, float] = OrderedDict()
        # The same of those whom others heard later than we did; these are few.
        self._told: dict[str, float] = {}
        self._told_order: list[tuple[float, str]] = []
        self._asked: dict[str, float] = {}
        self._silent: set[str] = set()
        self._online: set[str] = set()
        self._known: set[str] = set()

    def listen(self, now_s: float) -> None:
        """Begin to listen anew: what was said in between was said to nobody, and robots may have to come back first."""
        self._listening_since_s = now_s
        until_s = now_s + RETURN_S - SILENCE_S
        self._told = dict.fromkeys((*self._heard, *self._told, *self._asked), until_s)
        self._told_order = [(until_s, robot_id) for robot_id in self._told]
        heapify(self._told_order)
        self._heard.clear()
        self._asked.clear()

    def set_online(self, robot_id: str, online: bool, now_s: float) -> None:
        """Note that a robot came online, which counts as heard, or went offline, which no silence is."""
        if not online:
            self._online.discard(robot_id)
        elif robot_id not in self._online:
            self._online.add(robot_id)
            if robot_id in self._known:
                self.heard(robot_id, now_s)

    def heard(self, robot_id: str, now_s: float) -> bool:
        """Note that a robot published diagnostics; return whether it had been called silent."""
        heard = self._heard
        if robot_id not in heard:
            self._known.add(robot_id)
        heard[robot_id] = now_s
        heard.move_to_end(robot_id)
        if self._asked:
            self._asked.pop(robot_id, None)
        if self._told:
            self._told.pop(robot_id, None)
        if self._silent and robot_id in self._silent:
            self._silent.discard(robot_id)
            return True
        return False

    def told(self, ages: Mapping[str, float], now_s: float) -> None:
        """Take another process's answer: how many seconds ago it heard these."""
        for robot_id, age_s in ages.items():
            at_s = now_s - age_s
            if at_s <= max(self._heard.get(robot_id, at_s - 1), self._told.get(robot_id, at_s - 1)):
                continue
            self._known.add(robot_id)
            self._asked.pop(robot_id, None)
            self._heard.pop(robot_id, None)
            self._told[robot_id] = at_s
            heappush(self._told_order, (at_s, robot_id))

    def ask(self, now_s: float) -> list[str]:
        """Return whom to ask the others about: robots online that were not heard for too long; at most a question."""
        if now_s - self._listening_since_s < SILENCE_S:
            return []
        asked: list[str] = []
        while len(asked) < QUESTION_MAX and (oldest := self._take_oldest(now_s - SILENCE_S)) is not None:
            robot_id, at_s = oldest
            # Who is offline is away, and heard or online again it is back in the table.
            if robot_id in self._online:
                self._asked[robot_id] = at_s
                asked.append(robot_id)
        return asked

    def ages(self, robot_ids: Iterable[str], now_s: float) -> dict[str, float]:
        """Answer another process: how many seconds ago those were heard that have been heard lately."""
        heard = ((robot_id, self._heard.get(robot_id, self._told.get(robot_id))) for robot_id in robot_ids)
        return {robot_id: now_s - at_s for robot_id, at_s in heard if at_s is not None and now_s - at_s < SILENCE_S}

    def judge(self, robot_ids: Iterable[str], now_s: float) -> list[Silent]:
        """Return those of a question whom nobody has heard: from now on they are silent, until they are heard."""
        silent = []
        for robot_id in robot_ids:
            at_s = self._asked.pop(robot_id, None)
            if at_s is not None and robot_id in self._online:
                self._silent.add(robot_id)
                silent.append(Silent(robot_id=robot_id, age_s=now_s - at_s))
        return silent

    def forget(self, robot_id: str) -> None:
        """Watch a robot no more, as it is another process's now."""
        for known in (self._heard, self._told, self._asked):
            known.pop(robot_id, None)
        self._silent.discard(robot_id)
        self._known.discard(robot_id)

    def _take_oldest(self, until_s: float) -> tuple[str, float] | None:
        """Take out a robot that was last heard at `until_s` or before, None when there is none."""
        while self._told_order and self._told_order[0][0] <= until_s:
            at_s, robot_id = heappop(self._told_order)
            if self._told.get(robot_id) == at_s:
                del self._told[robot_id]
                return robot_id, at_s
        if self._heard:
            robot_id, at_s = next(iter(self._heard.items()))
            if at_s <= until_s:
                del self._heard[robot_id]
                return robot_id, at_s
        return None
