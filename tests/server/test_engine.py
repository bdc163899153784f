"""One process leads: it decides, another takes over when it is gone, and nothing is decided twice or lost."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from databases import EVERY, MAKERS
from fleet.fleet_case import FleetCase
from server_bench import Bench
from surefoot.fleet.incidents import Incident
from surefoot.fleet.lease import LEADER, Lease
from surefoot.fleet.model import Rollout, RolloutState
from surefoot.fleet.outbox import OutboxEntry
from surefoot.fleet.ports import Rows, Store
from surefoot.fleet.rollout_history import RolloutChange
from surefoot.fleet.webhooks import Event, add_webhook
from surefoot.server.engine import Engine, run_engine
from surefoot.server.leadership import Leadership
from surefoot.server.services import Services
from surefoot.server.settings import load_settings
from surefoot.sim.memory_store import MemoryStore
from surefoot.store.sql_store import SqlStore
from surefoot.wire.errors import Interrupted

T = TypeVar("T")

# From the kill of a leader until another one decides, in seconds.
TAKEOVER_S_MAX = 5.0


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self, now_s: float = 0.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


class FullDisk:
    """A store whose writes all fail; it tells when the second one came."""

    def __init__(self, second: asyncio.Event) -> None:
        self._writes = 0
        self._second = second

    def submit(self, work: Callable[[Rows], T], *, about: str | None = None) -> "Future[T]":
        self._writes += 1
        future: Future[T] = Future()
        future.set_exception(Interrupted("interrupted-store", "The disk is full: make room."))
        if self._writes == 2:
            self._second.set()
        return future

    def read(self, work: Callable[[Rows], T]) -> T:
        return MemoryStore().read(work)

    def close(self) -> None:
        pass


class Killed(BaseException):
    """The process died here."""


class MortalStore:
    """A store whose process dies at the n-th statement of its works; what it had not committed never was."""

    def __init__(self, store: Store, statements: int) -> None:
        self._store = store
        self.left = statements

    def submit(self, work: Callable[[Rows], T], *, about: str | None = None) -> "Future[T]":
        return self._store.submit(lambda rows: work(cast(Rows, MortalRows(self, rows))))

    def read(self, work: Callable[[Rows], T]) -> T:
        return self._store.read(work)

    def close(self) -> None:
        pass


class MortalRows:
    def __init__(self, store: MortalStore, rows: Rows) -> None:
        self._store = store
        self._rows = rows

    def __getattr__(self, name: str) -> Any:
        self._store.left -= 1
        if self._store.left < 0:
            raise Killed
        return getattr(self._rows, name)


@pytest.fixture(params=[*EVERY, "memory"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Make an empty store at each call."""
    opened: list[Store] = []

    def make() -> Store:
        opened.append(MemoryStore() if request.param == "memory" else SqlStore(MAKERS[request.param](tmp_path)))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def process(bench: Bench, store: Store) -> Services:
    """Return what another process on the same store works with."""
    return replace(bench.services, store=store, leadership=Leadership(), metadata_key=None)


def fleet_about_to_halt(store: Store, now_s: float) -> Rollout:
    """Leave a rollout whose only robot has failed, and a webhook that wants to hear of the halt."""
    fleet = FleetCase(run=lambda work: store.submit(work).result(), now_s=now_s)
    fleet.run(lambda rows: add_webhook(rows, "hook", "https://ops.test/", (Event.ROLLOUT_HALTED,), "s", "ada", now_s))
    robot = fleet.enrol()
    rollout = fleet.start("0.2.1")
    robot.says(fleet.offered(robot).id, "rolled_back", code="trial-failed")
    fleet.hear(robot)
    return rollout


def halted_once(store: Store, rollout: Rollout) -> tuple[object, ...]:
    """Return everything that a halt leaves, for comparison."""

    def read(rows: Rows) -> tuple[object, ...]:
        changes = rows.find(RolloutChange, rollout_id=rollout.rollout_id)
        entries = rows.find(OutboxEntry)
        stored = rows.get(Rollout, rollout.rollout_id)
        assert stored is not None
        return (
            stored.state,
            [(change.change_id, change.action) for change in changes],
            [(entry.entry_id, entry.body) for entry in entries],
            [incident.incident_id for incident in rows.find(Incident)],
        )

    return store.read(read)


def test_a_tick_that_fails_is_logged_and_followed_by_the_next(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def until_the_second_tick() -> None:
        second = asyncio.Event()
        settings = load_settings(data_dir=tmp_path, tick_s=0.001)
        services = replace(process(bench, cast(Store, FullDisk(second))), settings=settings)
        engine = asyncio.create_task(run_engine(services))
        await asyncio.wait_for(second.wait(), 10)
        engine.cancel()
        with pytest.raises(asyncio.CancelledError):
            await engine

    asyncio.run(until_the_second_tick())
    assert "tick-failed" in caplog.text


def test_of_two_processes_one_leads_and_the_other_waits(bench: Bench, new_store: Callable[[], Store]) -> None:
    async def story() -> None:
        store, clock = new_store(), Clock()
        first, second = process(bench, store), process(bench, store)
        engines = Engine(first, clock), Engine(second, clock)
        for _ in range(20):
            for engine in engines:
                await engine.step()
            clock.now_s += 0.5
        assert (first.leadership.epoch, second.leadership.epoch) == (1, 0)

    asyncio.run(story())


@pytest.mark.parametrize("skew_s", [0.0, -4e6, 4e6])
def test_a_killed_leader_is_replaced_in_under_five_seconds_whatever_the_clocks_say(
    bench: Bench, new_store: Callable[[], Store], skew_s: float
) -> None:
    async def story() -> None:
        store = new_store()
        clock, other_clock = Clock(), Clock(1e7 + skew_s)
        leading, waiting = Engine(process(bench, store), clock), process(bench, store)
        successor = Engine(waiting, other_clock)
        await leading.step()
        await successor.step()
        await leading.step()
        began_s = other_clock.now_s
        while waiting.leadership.lease is None:
            other_clock.now_s += await successor.step()
            assert other_clock.now_s - began_s < TAKEOVER_S_MAX
        assert waiting.leadership.epoch == 2

    asyncio.run(story())


def test_a_leader_that_slept_through_its_lease_finds_out_and_writes_nothing(
    bench: Bench, new_store: Callable[[], Store]
) -> None:
    async def story() -> None:
        store, clock = new_store(), Clock()
        slept, awake = process(bench, store), process(bench, store)
        sleeper, successor = Engine(slept, clock), Engine(awake, clock)
        await sleeper.step()
        while awake.leadership.lease is None:
            clock.now_s += await successor.step()
        rollout = fleet_about_to_halt(store, bench.services.now_s())
        before = halted_once(store, rollout)
        await sleeper.step()
        assert (slept.leadership.lease, halted_once(store, rollout)) == (None, before)
        clock.now_s += await successor.step()
        clock.now_s += 1.0
        await successor.step()
        assert halted_once(store, rollout)[0] is RolloutState.HALTED

    asyncio.run(story())


def test_a_leader_that_stops_in_order_leaves_the_lease_free(bench: Bench, new_store: Callable[[], Store]) -> None:
    async def story() -> None:
        store, clock = new_store(), Clock()
        first, second = process(bench, store), process(bench, store)
        engine = Engine(first, clock)
        await engine.step()
        await engine.stop()
        await Engine(second, clock).step()
        assert (first.leadership.epoch, second.leadership.epoch) == (0, 2)

    asyncio.run(story())


def test_a_leader_killed_before_any_statement_of_a_halt_ends_with_the_same_halt(
    bench: Bench, new_store: Callable[[], Store]
) -> None:
    async def story(statements: int, expected: tuple[object, ...]) -> bool:
        store = new_store()
        rollout = fleet_about_to_halt(store, bench.services.now_s())
        mortal, clock = MortalStore(store, statements), Clock()
        survived = True
        try:
            await Engine(process(bench, cast(Store, mortal)), clock).step()
        except Killed:
            survived = False
        heir = process(bench, store)
        successor = Engine(heir, clock)
        while heir.leadership.lease is None:
            clock.now_s += await successor.step()
        assert halted_once(store, rollout) == (expected or halted_once(store, rollout))
        assert store.read(lambda rows: rows.get(Lease, LEADER)) is not None
        return survived

    async def undisturbed() -> tuple[object, ...]:
        store = new_store()
        rollout = fleet_about_to_halt(store, bench.services.now_s())
        await Engine(process(bench, store), Clock()).step()
        return halted_once(store, rollout)

    expected = asyncio.run(undisturbed())
    state, changes, entries, incidents = expected
    assert state is RolloutState.HALTED
    assert [len(cast(list[object], part)) for part in (changes, entries, incidents)] == [2, 1, 1]
    statements = 0
    while not asyncio.run(story(statements, expected)):
        statements += 1
    assert statements > 20
