"""Work that nobody waits for."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

_running: set[asyncio.Task[None]] = set()

log = logging.getLogger(__name__)


def in_background(work: Coroutine[Any, Any, None]) -> None:
    """Run it beside the event loop's other work; what fails is logged."""
    task = asyncio.get_running_loop().create_task(_logged(work))
    # The event loop itself would let it be collected.
    _running.add(task)
    task.add_done_callback(_running.discard)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        log.exception("background-failed")
