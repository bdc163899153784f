"""Keeps a poll cache true to the rows: watches writes, looks for those of other processes, stores who was heard."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from surefoot.fleet.doors import depends_on_time
from surefoot.fleet.enrolment import RobotCertificate
from surefoot.fleet.exchange import poll
from surefoot.fleet.generation import begin_generation, generation, matters
from surefoot.fleet.model import Assignment, Release, Robot, Rollout
from surefoot.fleet.outbox import PUSHED, OutboxEntry
from surefoot.fleet.pins import Pin
from surefoot.fleet.ports import Rows, Store
from surefoot.fleet.settings import FleetSettings
from surefoot.server.devices.poll_cache import PollCache
from surefoot.server.outage import Outage
from surefoot.wire.errors import SurefootError
from surefoot.wire.offer import Offer

T = TypeVar("T")

# Another process's writes are noticed within this time.
LOOK_S = 0.2
# When a robot was last heard, nobody was promised: a killed process forgets at most so much of it.
FLUSH_S = 5.0
LOOKS_PER_FLUSH = round(FLUSH_S / LOOK_S)

log = logging.getLogger(__name__)


class WatchedStore:
    """A store whose writes end what the cache remembers, if they matter. Fills `fleet.ports.Store`.

    `on_decision` is called, from any thread, when something was stored that is to be pushed to robots.
    """

    def __init__(self, store: Store, polls: PollCache, on_decision: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._polls = polls
        self._on_decision = on_decision

    def submit(self, work: Callable[[Rows], T], *, about: str | None = None) -> "Future[T]":
        """Run `work` in a transaction, as the store does."""
        begun: list[int] = []
        decided = False

        def watched(rows: Rows) -> T:
            nonlocal decided
            # Only the run that is kept counts.
            begun.clear()
            watching = _WatchedRows(rows)
            result = work(cast(Rows, watching))
            if watching.matters:
                begun.append(begin_generation(rows))
                # Before the commit: whoever hears that a rollout is halted or started finds it so at the next check.
                self._polls.suspend()
            decided = watching.decides
            return result

        def observe(done: "Future[T]") -> None:
            if done.cancelled() or done.exception() is not None:
                return
            if begun:
                self._polls.observe(begun[-1])
            if decided:
                self._on_decision()

        future = self._store.submit(watched, about=about)
        future.add_done_callback(observe)
        return future

    def read(self, work: Callable[[Rows], T]) -> T:
        """Run `work`, which only reads, as the store does."""
        return self._store.read(work)

    def close(self) -> None:
        """Close the store."""
        self._store.close()


def ask(
    rows: Rows, robot: Robot, sku: str, version: str, now_s: float, settings: FleetSettings, new_id: Callable[[], str]
) -> tuple[Offer | None, int | None]:
    """Answer a check from the rows; without an offer also return the generation in which that may be remembered.

    Only of a robot at rest it may, None for any other: what is in hand can go on without a write that matters, as can
    what waits for a maintenance window.
    Raises as `fleet.exchange.poll`.
    """
    offer = poll(rows, robot, sku, version, now_s, settings, new_id)
    if offer is not None:
        return offer, None
    newest = rows.newest_assignment(robot.robot_id)
    if (newest is not None and newest.is_open) or depends_on_time(rows, robot):
        return None, None
    return None, generation(rows)


class _WatchedRows:
    """Rows that note whether anything was written that matters, or is to be pushed; all else is passed through."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.matters = False
        self.decides = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def put(self, value: object) -> None:
        match value:
            case Rollout():
                self._note(self._rows.get(Rollout, value.rollout_id), value)
            case Release():
                self._note(self._rows.get(Release, value.release_id), value)
            case Pin():
                self._note(None, value)
            case OutboxEntry():
                self.decides = self.decides or value.kind in PUSHED
            case _:
                pass
        self._rows.put(value)

    def drop(self, kind: type[Any], key: str) -> None:
        if kind in (Rollout, Release, RobotCertificate, Pin):
            self._note(self._rows.get(kind, key), None)
        self._rows.drop(kind, key)

    def put_robot(self, robot: Robot) -> None:
        self._note(self._rows.robot(robot.robot_id), robot)
        self._rows.put_robot(robot)

    def put_assignment(self, assignment: Assignment) -> None:
        # Without a look at the one before: who stores an assignment does it because it changed.
        self._note(None, assignment)
        self._rows.put_assignment(assignment)

    def add_assignment(self, assignment: Assignment) -> None:
        self._note(None, assignment)
        self._rows.add_assignment(assignment)

    def _note(self, before: object, after: object) -> None:
        self.matters = self.matters or matters(before, after)


async def run_poll_cache(store: Store, polls: PollCache) -> None:
    """Look for other processes' writes and store who was heard, until cancelled; then store what is left."""
    looks, outage = 0, Outage(log, "poll-cache-suspended")
    try:
        while True:
            looks += 1
            try:
                await look(store, polls)
                if looks % LOOKS_PER_FLUSH == 0:
                    await flush_heard(store, polls)
            except SurefootError as error:
                # What other processes write cannot be seen now, so nothing that is remembered counts.
                polls.suspend()
                outage.met(error)
            else:
                outage.over()
            await asyncio.sleep(LOOK_S)
    finally:
        await flush_heard(store, polls)


async def look(store: Store, polls: PollCache) -> None:
    """Let the cache know in which generation the rows are now."""
    polls.observe(await asyncio.to_thread(store.read, generation))


async def flush_heard(store: Store, polls: PollCache) -> None:
    """Store when robots were heard that the cache answered."""
    heard = polls.take_heard()
    if not heard:
        return
    try:
        await asyncio.wrap_future(store.submit(lambda rows: rows.set_heard_all(heard)))
    except BaseException:
        polls.put_back_heard(heard)
        raise
