"""Figures over many robots, counted in the background: a page shows the newest count there is and waits for none.

A count is taken anew when a page asks for one that is older than a multiple of what it took, so that however many
people look, at most a fraction of the time goes into counting. Counting only reads, in threads that a server which
stops does not wait for.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from surefoot.fleet.ports import Rows
from surefoot.server.services import Services

T = TypeVar("T")

FRESH_S = 1.0
PAUSES = 10.0
# As long as a page waits for the very first count; small fleets are counted by then.
WAIT_S = 0.1
KEPT_MAX = 500
# Counts at once, of all pages; what people do meanwhile must not wait for them.
COUNTING_MAX = 2


@dataclass(slots=True, kw_only=True)
class _Kept:
    value: Any = None
    is_known: bool = False
    due_s: float = 0.0
    began_s: float = 0.0
    counting: "asyncio.Task[None] | None" = None


class Snapshots:
    """The newest count of each kind that pages asked for."""

    def __init__(self, services: Services, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._monotonic_s = monotonic_s
        self._kept: dict[Hashable, _Kept] = {}
        self._turns = threading.Semaphore(COUNTING_MAX)

    async def get(self, key: Hashable, work: Callable[[Rows], T], wait_s: float | None = None) -> T | None:
        """Return the newest value of a reading work, None while it is being counted for the first time.

        Nobody waits for a value that is merely old; for the first one, or behind a change, `wait_s` at most. Raises
        what `work` raised, if it did so within that time and there is no value.
        """
        kept = self._kept.pop(key, None) or _Kept()
        # Put back behind the others: who was not asked for longest goes first.
        self._kept[key] = kept
        while len(self._kept) > KEPT_MAX:
            self._kept.pop(next(iter(self._kept)))
        task = kept.counting
        if task is not None and (task.done() or task.get_loop() is not asyncio.get_running_loop()):
            task = kept.counting = None
        if task is None and self._monotonic_s() >= kept.due_s:
            kept.began_s = self._monotonic_s()
            task = kept.counting = asyncio.create_task(self._count(kept, work))
        if task is not None and not (kept.is_known and kept.due_s > 0):
            # However many ask, nobody waits for a count that has been going on for longer than this.
            waited_s = self._monotonic_s() - kept.began_s
            done, _ = await asyncio.wait({task}, timeout=max(0.0, (WAIT_S if wait_s is None else wait_s) - waited_s))
            if done and not kept.is_known:
                task.result()
        value: T | None = kept.value
        return value

    async def _count(self, kept: _Kept, work: Callable[[Rows], Any]) -> None:
        kept.value, took_s = await self._in_thread(work)
        kept.is_known = True
        kept.due_s = self._monotonic_s() + max(min(FRESH_S, self._services.settings.tick_s), PAUSES * took_s)

    def _in_thread(self, work: Callable[[Rows], T]) -> "asyncio.Future[tuple[T, float]]":
        loop = asyncio.get_running_loop()
        found: asyncio.Future[tuple[T, float]] = loop.create_future()

        def tell(value: tuple[T, float] | None, error: BaseException | None) -> None:
            if found.cancelled():
                return
            if value is None:
                found.set_exception(error or RuntimeError("a count without an end"))
            else:
                found.set_result(value)

        def run() -> None:
            value, error = None, None
            with self._turns:
                began_s = self._monotonic_s()
                try:
                    value = self._services.store.read(work), self._monotonic_s() - began_s
                except Exception as raised:  # noqa: BLE001 - raised again where somebody waits for the count
                    error = raised
            # Where the loop is closed, nobody waits any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(tell, value, error)

        threading.Thread(target=run, name="surefoot-count", daemon=True).start()
        return found

    def forget(self) -> None:
        """Count everything anew when it is asked for, and wait for it: somebody has just changed something."""
        for kept in self._kept.values():
            kept.due_s = 0.0
