"""Notices silence together with the server's other processes, and stores what it found."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import islice
from typing import Any

from surefoot.fleet.ports import Rows
from surefoot.fleet.presence import take_silence
from surefoot.server.mqtt.peers import SILENCE_TOPIC, Peers
from surefoot.server.mqtt.silence import ANSWER_S, SilenceTable
from surefoot.server.mqtt.tasks import in_background
from surefoot.server.services import Services
from surefoot.wire.errors import Interrupted

# Robots in one transaction.
BATCH = 100

log = logging.getLogger(__name__)


class Noticer:
    """One process's part of noticing.

    Args:
        services: What it works with.
        peers: Who else is there.
        tell: Publishes an object under an internal topic.
        monotonic_s: A clock that never steps.
    """

    def __init__(
        self,
        services: Services,
        peers: Peers,
        tell: Callable[[str, dict[str, Any]], Awaitable[None]],
        monotonic_s: Callable[[], float],
    ) -> None:
        self._services = services
        self._peers = peers
        self._tell = tell
        self._monotonic_s = monotonic_s
        self.table = SilenceTable(monotonic_s())
        # When whom we asked the others about is to be judged.
        self._questions: deque[tuple[float, list[str]]] = deque()
        # Since when robots are silent (Unix seconds), None for those that speak again.
        self._unstored: dict[str, float | None] = {}

    def speaks(self, robot_id: str) -> None:
        """Note that a robot that was silent was heard."""
        self._unstored[robot_id] = None

    def take(self, said: dict[str, Any]) -> None:
        """Take what a process asks or answers about silence."""
        now_s, process_id = self._monotonic_s(), self._peers.process_id
        asker = said.get("asker")
        if asker is not None and asker != process_id:
            ages = self.table.ages(said["robots"], now_s)
            if ages:
                in_background(self._answer(asker, ages))
        elif said.get("to") == process_id:
            self.table.told(said["ages"], now_s)
            for robot_id in said["ages"]:
                # Another one keeps it by now, and watches it.
                if self._peers.keeper_of(robot_id) != process_id:
                    self.table.forget(robot_id)

    async def notice(self) -> list[str]:
        """Ask about those that were not heard for too long, and return those that are silent since just now."""
        now_s, silent = self._monotonic_s(), []
        while self._questions and self._questions[0][0] <= now_s:
            silent += self._judge(self._questions.popleft()[1])
        while asked := self.table.ask(now_s):
            if self._peers.others:
                await self._tell(SILENCE_TOPIC, {"asker": self._peers.process_id, "robots": asked})
                self._questions.append((now_s + ANSWER_S, asked))
            else:
                silent += self._judge(asked)
        return silent

    def _judge(self, asked: list[str]) -> list[str]:
        silent, now_s = self.table.judge(asked, self._monotonic_s()), self._services.now_s()
        if silent:
            log.info("robots-silent count=%d first=%s", len(silent), silent[0].robot_id)
            self._unstored |= {one.robot_id: now_s - one.age_s for one in silent}
        return [one.robot_id for one in silent]

    async def store(self) -> None:
        """Store who went silent and who speaks again; what the store cannot take now waits for the next time."""
        while self._unstored:
            batch = dict(islice(self._unstored.items(), BATCH))
            for robot_id in batch:
                del self._unstored[robot_id]
            try:
                await self._services.write(partial(_store, batch, self._services.now_s()))
            except Interrupted:
                # What was found since is newer.
                self._unstored = batch | self._unstored
                raise

    async def _answer(self, asker: str, ages: dict[str, float]) -> None:
        await self._tell(SILENCE_TOPIC, {"to": asker, "ages": ages})


def _store(silent_since_s: dict[str, float | None], now_s: float, rows: Rows) -> None:
    for robot_id, since_s in silent_since_s.items():
        take_silence(rows, robot_id, since_s, now_s)
