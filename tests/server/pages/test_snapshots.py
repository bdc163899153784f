"""Counts in the background: what is newest is shown, and nobody waits for a count."""

import asyncio
import threading

import pytest

from server_bench import Bench
from surefoot.fleet.ports import Rows
from surefoot.server.pages.snapshots import KEPT_MAX, Snapshots
from surefoot.wire.errors import Refused


def test_a_page_waits_for_no_count_and_gets_it_later(bench: Bench) -> None:
    let_go = threading.Event()

    def slow(_rows: Rows) -> int:
        let_go.wait(60)
        return 7

    async def run() -> list[int | None]:
        snapshots = Snapshots(bench.services)
        first = await snapshots.get("a", slow, wait_s=0.01)
        let_go.set()
        return [first, await snapshots.get("a", slow, wait_s=60)]

    assert asyncio.run(run()) == [None, 7]


def test_an_old_count_is_shown_while_a_new_one_is_taken(bench: Bench) -> None:
    clock = [0.0]
    counts = iter(range(10))

    async def run() -> list[int | None]:
        snapshots = Snapshots(bench.services, lambda: clock[0])

        async def look(at_s: float) -> int | None:
            clock[0] = at_s
            return await snapshots.get("a", lambda rows: next(counts), wait_s=60)

        found = [await look(0.0), await look(0.5), await look(2.0)]
        counting = snapshots._kept["a"].counting
        assert counting is not None
        await counting
        found.append(await look(2.1))
        snapshots.forget()
        return [*found, await look(2.2)]

    assert asyncio.run(run()) == [0, 0, 0, 1, 2]


def test_what_a_count_is_refused_for_is_told_and_counts_nobody_asks_for_are_forgotten(bench: Bench) -> None:
    def refuse(_rows: Rows) -> int:
        raise Refused("not-found-rollout", "There is none: list them.")

    async def run() -> int:
        snapshots = Snapshots(bench.services)
        with pytest.raises(Refused):
            await snapshots.get("a", refuse, wait_s=60)
        for number in range(KEPT_MAX + 5):
            snapshots._kept[number] = snapshots._kept["a"]
        await snapshots.get("b", lambda rows: 1, wait_s=60)
        return len(snapshots._kept)

    assert asyncio.run(run()) == KEPT_MAX
