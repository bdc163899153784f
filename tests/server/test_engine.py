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
from fleet.health_case import WATCHED, HealthCase
from server_bench import Bench
from surefoot.fleet.gate_rows import RolloutEvidence
from surefoot.fleet.health_sums import QUARTER_S
from surefoot.fleet.incidents import Incident
from surefoot.fleet.lease import LEADER, Lease
from surefoot.fleet.model import Release, Rollout, RolloutState
from surefoot.fleet.outbox import OutboxEntry
from surefoot.fleet.ports import Rows, Store
from surefoot.fleet.rollout_history import RolloutChange
from surefoot.fleet.webhooks import Event, add_webhook
from surefoot.rollout.metrics import Metric
from surefoot.rollout.plan import Phase
from surefoot.server.engine import TURN_S, Engine, run_engine
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


class SlowLooks(Clock):
    """A clock by which whatever lies between two looks at it takes a whole turn."""

    def __call__(self) -> float:
        self.now_s += TURN_S
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


def fleet_with_an_alarm(store: Store, now_s: float) -> Rollout:
    """Leave a rollout whose only robot was updated and made a safety stop, and a plan that takes all back for it."""
    case = HealthCase(fleet=FleetCase(run=lambda work: store.submit(work).result(), now_s=now_s))
    case.fleet.release("0.2.0", stable=True)
    robot, rollout = case.updated(replace(WATCHED, recall_on_halt=True))
    case.tell(robot, stops_other=1)
    return rollout


def fleet_with_evidence(store: Store, now_s: float) -> Rollout:
    """Leave a rollout whose updated robots had errors in the quarter of an hour that is just over, and no others."""
    began_s = now_s - 5 * QUARTER_S
    case = HealthCase(fleet=FleetCase(run=lambda work: store.submit(work).result(), now_s=began_s))
    robots = case.crowd(40)
    plan = replace(WATCHED, phases=(Phase(name="half", percent=50, soak_s=0), *WATCHED.phases), recall_on_halt=True)
    rollout = case.fleet.start("0.2.1", plan)
    case.quarter(robots)
    updated = case.update(robots)
    case.fleet.now_s = began_s + 4 * QUARTER_S
    case.quarter(robots)
    case.quarter(updated, error_s=60.0, ok_s=0.0)
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
            [(found.rollout_id, found.state, found.salt) for found in rows.find(Rollout) if found.rolls_back],
            [release.recalled_at_s is not None for release in rows.find(Release)],
            rows.find(RolloutEvidence),
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
    [told] = [record.getMessage() for record in caplog.records if "tick-failed" in record.getMessage()]
    assert "interrupted-store" in told and "The disk is full" in told, "once for an outage, and without a traceback"


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


def test_a_tick_that_takes_long_looks_at_all_rollouts_and_lets_others_write_in_between(bench: Bench) -> None:
    now_s, looked_at = bench.services.now_s(), []

    class Watched(MemoryStore):
        def submit(self, work: Callable[[Rows], T], *, about: str | None = None) -> "Future[T]":
            future = super().submit(work, about=about)
            rollouts = self.read(lambda rows: rows.find(Rollout))
            looked_at.append(sum(rollout.looked_at_s == now_s for rollout in rollouts))
            return future

    async def story() -> None:
        store = Watched()
        fleet = FleetCase(run=lambda work: store.submit(work).result(), now_s=now_s - 1)
        fleet.enrol()
        for version in ("0.2.1", "0.2.2", "0.2.3"):
            fleet.start(version)
        await steps(Engine(process(bench, store), SlowLooks()), Clock(), 2)

    asyncio.run(story())
    assert {0, 1, 2, 3} <= set(looked_at)


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


async def steps(engine: Engine, clock: Clock, looks: int) -> None:
    """Let an engine look, survey what it needs to know, and perhaps look again."""
    for _ in range(looks):
        clock.now_s += await engine.step()


async def halted_whenever_killed(
    bench: Bench,
    new_store: Callable[[], Store],
    about_to_halt: Callable[[Store, float], Rollout],
    looks: int = 1,
) -> tuple[tuple[object, ...], int]:
    """Kill the leader before each statement of a halt in turn; return what the halt leaves, and the statements.

    A database is made anew for each kill, so there it is before every fifth.
    """

    async def story(statements: int | None, expected: tuple[object, ...]) -> tuple[bool, tuple[object, ...]]:
        store, clock, survived = new_store(), Clock(), True
        rollout = about_to_halt(store, bench.services.now_s())
        mortal = store if statements is None else cast(Store, MortalStore(store, statements))
        try:
            await steps(Engine(process(bench, mortal), clock), clock, looks)
        except Killed:
            survived = False
        heir = process(bench, store)
        successor = Engine(heir, clock)
        while statements is not None and heir.leadership.lease is None:
            clock.now_s += await successor.step()
        # Taking over, it has looked once.
        await steps(successor, clock, looks - 1)
        found = halted_once(store, rollout)
        assert expected in ((), found)
        assert store.read(lambda rows: rows.get(Lease, LEADER)) is not None
        return survived, found

    _, expected = await story(None, ())
    statements, stride = 0, 1 if isinstance(new_store(), MemoryStore) else 5
    while not (await story(statements, expected))[0]:
        statements += stride
    return expected, statements


def test_a_leader_killed_before_any_statement_of_a_halt_ends_with_the_same_halt(
    bench: Bench, new_store: Callable[[], Store]
) -> None:
    expected, statements = asyncio.run(halted_whenever_killed(bench, new_store, fleet_about_to_halt))
    state, changes, entries, incidents, *_ = expected
    assert state is RolloutState.HALTED
    assert [len(cast(list[object], part)) for part in (changes, entries, incidents)] == [2, 3, 1]
    assert statements > 20


def test_a_leader_killed_before_any_statement_of_a_halt_by_a_trigger_recalls_and_leads_back_all_the_same(
    bench: Bench,
) -> None:
    expected, statements = asyncio.run(halted_whenever_killed(bench, MemoryStore, fleet_with_an_alarm))
    state, _, _, incidents, ways_back, recalled, _ = expected
    assert (state, len(cast(list[object], incidents)), recalled) == (RolloutState.HALTED, 1, [False, True])
    assert [state for _, state, _ in cast(list[tuple[str, RolloutState, bytes]], ways_back)] == [RolloutState.RUNNING]
    assert statements > 50


def test_a_leader_killed_before_any_statement_of_a_halt_by_a_gate_takes_each_quarter_in_once(bench: Bench) -> None:
    expected, statements = asyncio.run(halted_whenever_killed(bench, MemoryStore, fleet_with_evidence, looks=3))
    state, _, _, _, _, recalled, [evidence] = cast(tuple[Any, ...], expected)
    assert (state, recalled) == (RolloutState.HALTED, [True])
    errors = evidence.evidence.first_events[Metric.ERROR]
    assert errors.updated_events > 10 and errors.others_events == 0
    assert statements > 50
