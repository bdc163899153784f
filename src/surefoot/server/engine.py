"""Runs the rollouts: one look at them every tick, for as long as the server lives."""

import asyncio
import logging

from surefoot.fleet.rollouts import tick
from surefoot.server.services import Services

log = logging.getLogger(__name__)


async def run_engine(services: Services) -> None:
    """Tick until cancelled; a tick that fails is logged, undone by its transaction, and tried again by the next."""
    while True:
        try:
            for change in await services.write(lambda rows: tick(rows, services.now_s())):
                log.info("rollout-changed %s", change)
        except Exception:
            log.exception("tick-failed")
        await asyncio.sleep(services.settings.tick_s)
