"""A server says it is ready only while its database takes writes, and asking costs the database next to nothing."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar, cast

import pytest

from server_bench import Bench
from surefoot.fleet.lease import Lease
from surefoot.fleet.ports import Rows, Store
from surefoot.server.composition import Application
from surefoot.server.health import WRITE_EVERY_S, Readiness
from surefoot.wire.errors import Interrupted

T = TypeVar("T")


class FullRows:
    """Rows of a disk that takes nothing more."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def put(self, value: object) -> None:
        raise Interrupted("interrupted-store", f"The disk is full: there is no room for {value!r}.")


class FillingDisk:
    """A store on a disk that may be full; it counts its transactions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_full = False
        self.writes = 0

    def submit(self, work: Callable[[Rows], T], *, about: str | None = None) -> "Future[T]":
        self.writes += 1
        is_full = self.is_full
        return self._store.submit(lambda rows: work(cast(Rows, FullRows(rows)) if is_full else rows), about=about)

    def read(self, work: Callable[[Rows], T]) -> T:
        return self._store.read(work)

    def close(self) -> None:
        self._store.close()


@pytest.fixture
def disk(bench: Bench) -> FillingDisk:
    return FillingDisk(bench.services.store)


def test_a_server_whose_disk_is_full_is_alive_and_not_ready(bench: Bench, disk: FillingDisk) -> None:
    filled = replace(bench, app=Application(replace(bench.services, store=disk)))
    disk.is_full = True
    assert filled.call("GET", "/healthz").status == 200
    answer = filled.call("GET", "/readyz")
    assert (answer.status, answer.code) == (503, "interrupted-store")
    disk.is_full = False
    assert filled.call("GET", "/readyz").status == 200


def test_strangers_who_ask_for_ever_make_one_write_a_second_and_leave_nothing(bench: Bench, disk: FillingDisk) -> None:
    now_s = 1000.0
    services, readiness = replace(bench.services, store=disk), Readiness(lambda: now_s)

    async def ask() -> None:
        for _ in range(50):
            await readiness.check(services)

    asyncio.run(ask())
    assert disk.writes == 1
    now_s += WRITE_EVERY_S
    asyncio.run(ask())
    assert disk.writes == 2
    assert disk.read(lambda rows: rows.find(Lease)) == []


def test_a_disk_that_fills_up_shows_within_a_second(bench: Bench, disk: FillingDisk) -> None:
    now_s = 1000.0
    services, readiness = replace(bench.services, store=disk), Readiness(lambda: now_s)
    asyncio.run(readiness.check(services))
    disk.is_full = True
    now_s += WRITE_EVERY_S
    for _ in range(2):
        with pytest.raises(Interrupted):
            asyncio.run(readiness.check(services))
