"""Brings what the store's thread finished into the event loop, all that is there at once: one wake-up for a batch."""

import asyncio
from collections import deque
from concurrent.futures import Future
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


class Arrivals:
    """Futures of threads that coroutines wait for."""

    def __init__(self) -> None:
        self._queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue] = WeakKeyDictionary()

    async def wait(self, future: Future[T]) -> T:
        """Return what the future brings, or raise it; who gives up cancels it."""
        loop = asyncio.get_running_loop()
        queue = self._queues.get(loop)
        if queue is None:
            queue = self._queues[loop] = _Queue()
        waiter: asyncio.Future[T] = loop.create_future()
        future.add_done_callback(lambda done: queue.put(loop, done, waiter))
        try:
            return await waiter
        except asyncio.CancelledError:
            future.cancel()
            raise


class _Queue:
    """What has finished for one event loop."""

    def __init__(self) -> None:
        self._finished: deque[tuple[Future[Any], asyncio.Future[Any]]] = deque()
        self._is_called = False

    def put(self, loop: asyncio.AbstractEventLoop, future: Future[Any], waiter: asyncio.Future[Any]) -> None:
        """Hand a finished future over; from any thread."""
        self._finished.append((future, waiter))
        if not self._is_called:
            self._is_called = True
            # A loop that is closed has nobody who waits.
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        # Before the queue is emptied, so that whoever comes behind that calls again.
        self._is_called = False
        while self._finished:
            future, waiter = self._finished.popleft()
            if waiter.done():
                continue
            if future.cancelled():
                waiter.cancel()
            elif (error := future.exception()) is not None:
                waiter.set_exception(error)
            else:
                waiter.set_result(future.result())
