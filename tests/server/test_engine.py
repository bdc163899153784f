import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from server_bench import Bench
from surefoot.fleet.ports import Rows
from surefoot.server.engine import run_engine
from surefoot.server.settings import load_settings
from surefoot.store.sql_store import T
from surefoot.wire.errors import Interrupted


class FullDisk:
    """A store whose writes all fail; it tells when the second one came."""

    def __init__(self, second: asyncio.Event) -> None:
        self._writes = 0
        self._second = second

    def submit(self, work: Callable[[Rows], T]) -> "Future[T]":
        self._writes += 1
        future: Future[T] = Future()
        future.set_exception(Interrupted("interrupted-store", "The disk is full: make room."))
        if self._writes == 2:
            self._second.set()
        return future

    def read(self, work: Callable[[Rows], T]) -> T:
        raise NotImplementedError

    def close(self) -> None:
        pass


def test_a_tick_that_fails_is_logged_and_followed_by_the_next(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def until_the_second_tick() -> None:
        second = asyncio.Event()
        settings = load_settings(data_dir=tmp_path, tick_s=0.001)
        engine = asyncio.create_task(run_engine(replace(bench.services, store=FullDisk(second), settings=settings)))
        await asyncio.wait_for(second.wait(), 10)
        engine.cancel()
        with pytest.raises(asyncio.CancelledError):
            await engine

    asyncio.run(until_the_second_tick())
    assert "tick-failed" in caplog.text
