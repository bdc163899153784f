"""What a companion hears: a queue that threads and signal handlers may put into."""

import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from secrets import randbelow

from surefoot.shell.attention import Attention

# While an update keeps the agent from listening, no more than these is kept: the next check says it all anyway.
HEARD_MAX = 64


class Ear:
    """Keeps what is told until the agent hears it. Fills `shell.ports.Hear`."""

    def __init__(self) -> None:
        # Of the library's queues the only one whose `put` may interrupt its own `get`, as a signal handler does.
        self._told: SimpleQueue[bytes | str] = SimpleQueue()

    def tell(self, what: bytes | str) -> None:
        """Let the agent hear this."""
        if self._told.qsize() < HEARD_MAX:
            self._told.put(what)

    def __call__(self, timeout_ms: int) -> bytes | str | None:
        """Return the next that was told within so many milliseconds, None in silence."""
        with suppress(Empty):
            return self._told.get(timeout=timeout_ms / 1000)
        return None

    def attention(self, log_line: Callable[[str], None]) -> Attention:
        """Return the attention of this ear's robot."""
        return Attention(self, lambda: time.monotonic_ns() // 1_000_000, jitter_ms, log_line)


def jitter_ms(limit_ms: int) -> int:
    """Return a random whole number from 0 to this one."""
    return randbelow(limit_ms + 1)
