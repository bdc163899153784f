"""Waiting for another process, as end-to-end tests must: until something is true, and never for a fixed time."""

import asyncio
import time
from collections.abc import Callable

GIVE_UP_S = 60.0


def wait_until(is_so: Callable[[], bool]) -> None:
    """Return when `is_so` is true; fail when it is still not after a minute."""
    give_up_at_s = time.monotonic() + GIVE_UP_S
    while not is_so():
        assert time.monotonic() < give_up_at_s, "it never came true"
        time.sleep(0.02)


async def until(is_so: Callable[[], bool]) -> None:
    """Do the same in an event loop."""
    async with asyncio.timeout(GIVE_UP_S):
        while not is_so():  # noqa: ASYNC110 - what it waits for happens elsewhere
            await asyncio.sleep(0.01)
