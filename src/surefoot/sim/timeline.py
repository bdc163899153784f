"""Virtual time: processes that sleep, one of them awake at any moment, in an order that only the program decides.

What runs in a world is the real, synchronous code, so a process is a thread; a baton goes from each to the next, and
the thread that holds it when time has come for another hands it over directly.
"""

import heapq
import itertools
from collections.abc import Callable
from threading import Lock, Thread


class WorldOver(BaseException):
    """The world ended while this process slept. No `Exception`: nothing that runs on a robot can catch it."""


class _Process:
    """Something that can be woken."""

    def __init__(self) -> None:
        self._asleep = Lock()
        self._asleep.acquire()

    def wake(self) -> None:
        self._asleep.release()

    def wait(self) -> None:
        self._asleep.acquire()


class Timeline:
    """The time of one world, in seconds from its beginning; whoever calls `run` is its first process."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.events = 0
        self._order = itertools.count()
        self._due: list[tuple[float, int, _Process | Callable[[], None]]] = []
        self._threads: list[Thread] = []
        self._awake = self._main = _Process()
        self._failure: BaseException | None = None
        self._is_over = False

    def call(self, delay_s: float, work: Callable[[], None]) -> None:
        """Have something done later that does not sleep."""
        heapq.heappush(self._due, (self.now_s + delay_s, next(self._order), work))

    def spawn(self, work: Callable[[], None]) -> None:
        """Begin a process; it runs when time next goes on."""
        process = _Process()
        thread = Thread(target=self._live, args=(process, work), daemon=True)
        self._threads.append(thread)
        heapq.heappush(self._due, (self.now_s, next(self._order), process))
        thread.start()

    def sleep(self, delay_s: float) -> None:
        """Let time go on for others until it is this process's turn again.

        Raises:
            WorldOver: The world ended meanwhile.
        """
        me = self._awake
        heapq.heappush(self._due, (self.now_s + max(0.0, delay_s), next(self._order), me))
        self._go_on(me)
        if self._is_over and me is not self._main:
            raise WorldOver

    def run(self, duration_s: float) -> None:
        """Let the world live so long; raise what any of its processes raised."""
        self.sleep(duration_s)
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """End every process."""
        self._is_over = True
        for _, _, due in sorted(self._due, key=lambda entry: entry[:2]):
            if isinstance(due, _Process) and due is not self._main:
                due.wake()
        for thread in self._threads:
            thread.join()

    def _go_on(self, me: _Process | None) -> None:
        """Do what is due until it is this process's turn, or another's: then wait."""
        while True:
            self.now_s, _, due = heapq.heappop(self._due)
            self.events += 1
            if isinstance(due, _Process):
                return self._hand_over(me, due)
            self._guard(due)
            if self._failure is not None:
                return self._hand_over(me, self._main)

    def _hand_over(self, me: _Process | None, to: _Process) -> None:
        self._awake = to
        if to is me:
            return
        to.wake()
        if me is not None:
            me.wait()

    def _live(self, me: _Process, work: Callable[[], None]) -> None:
        me.wait()
        if not self._is_over:
            self._guard(work)
            self._leave()

    def _leave(self) -> None:
        """Let time go on without the process that ended, unless it ended with the world."""
        if not self._is_over and self._failure is not None:
            self._hand_over(None, self._main)
        elif not self._is_over:
            self._go_on(None)

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except WorldOver:
            pass
        except BaseException as failure:  # noqa: BLE001 - a fault of the world itself belongs to whoever runs it
            self._failure = failure
