"""Remembers which robots have nothing to fetch, so that most questions cost no database.

It can only say "nothing for you": an offer always comes from the rows. What it remembers holds for one generation
(`fleet.generation`), which every write that could open a door ends: at once for this process's own writes, before they
are committed; for those of other processes as soon as their number is seen. Safe to use from several threads.
"""

from collections import OrderedDict
from typing import NamedTuple


class _Known(NamedTuple):
    robot_id: str
    question: bytes
    retry_after_s: int
    generation: int
    valid_until_s: float


class PollCache:
    """What robots asked and got nothing for, of at most `robots_max` robots: who asked first is forgotten first."""

    def __init__(self, robots_max: int = 100_000) -> None:
        self._robots_max = robots_max
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._heard: dict[str, float] = {}
        # None: not known at this moment, so nothing that is remembered counts.
        self._generation: int | None = None
        self._newest = -1

    def look(self, credential: bytes, question: bytes, now_s: float) -> int | None:
        """Return after how many seconds to ask again if there is nothing for this robot, else None: ask the rows.

        Args:
            credential: What the robot proved itself with, hashed.
            question: The query as it was sent.
            now_s: Unix seconds; when the robot was heard.
        """
        known = self._known.get(credential)
        if (
            known is None
            or known.generation != self._generation
            or known.question != question
            or now_s >= known.valid_until_s
        ):
            return None
        self._heard[known.robot_id] = now_s
        return known.retry_after_s

    def keep(
        self,
        credential: bytes,
        question: bytes,
        robot_id: str,
        retry_after_s: int,
        generation: int,
        valid_until_s: float,
    ) -> None:
        """Remember that there was nothing, in the generation that the answer was found in."""
        self._known.pop(credential, None)
        while len(self._known) >= self._robots_max:
            self._known.popitem(last=False)
        self._known[credential] = _Known(robot_id, question, retry_after_s, generation, valid_until_s)

    def suspend(self) -> None:
        """Answer nothing until the next `observe`: a write that matters is about to be committed."""
        self._generation = None

    def observe(self, generation: int) -> None:
        """Go on with the generation that was found committed; an older one than the newest seen is late news."""
        if generation >= self._newest:
            self._newest = self._generation = generation

    def take_heard(self) -> dict[str, float]:
        """Return who was heard, and when, since the last call."""
        heard, self._heard = self._heard, {}
        return heard

    def put_back_heard(self, heard: dict[str, float]) -> None:
        """Take back what could not be stored; what came since is newer."""
        self._heard = heard | self._heard
