"""Runs the rollouts in the one process that leads; the others wait for it to be gone.

Each transaction begins with `hold`: a process whose lease another one took writes nothing more.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

from surefoot.fleet.health_place import Counting
from surefoot.fleet.lease import LEADER, LOOK_S, RENEW_S, Lease, Sight, hold, is_free, let_go, look, take
from surefoot.fleet.look import look_at, to_look_at
from surefoot.fleet.ports import Rows
from surefoot.server.courier import Courier
from surefoot.server.delta_builder import DeltaBuilder
from surefoot.server.devices.metadata import Freshness
from surefoot.server.outage import Outage
from surefoot.server.services import Services
from surefoot.server.surveys import GateSurveys, Surveys
from surefoot.wire.errors import Interrupted, SurefootError

LOST = "interrupted-lease"
# A small fleet is surveyed within this; what takes longer must not keep the lease from being renewed.
SURVEY_WAIT_S = RENEW_S / 2
# After so long in one transaction the engine lets others write, and goes on with the rollouts that are left.
TURN_S = 0.1

log = logging.getLogger(__name__)


async def run_engine(services: Services) -> None:
    """Lead whenever nobody else does, until cancelled; then let the lease go, so that nobody has to wait for it."""
    engine, courier = Engine(services), Courier(services)
    beside = [asyncio.create_task(work) for work in (courier.run(), DeltaBuilder(services).run())]
    try:
        while True:
            pause_s = await engine.step()
            await asyncio.sleep(pause_s)
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await engine.stop()


class Engine:
    """One process's part in leading.

    Args:
        services: What it works with; `services.leadership` says whether it leads.
        monotonic_s: Seconds of a clock that never steps. It is not compared with anyone else's.
    """

    def __init__(self, services: Services, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._monotonic_s = monotonic_s
        self._holder = services.new_id()
        self._freshness = Freshness(services)
        self._surveys = Surveys(monotonic_s)
        self._gate_surveys = GateSurveys(monotonic_s)
        self._surveying: asyncio.Task[None] | None = None
        self._sight: Sight | None = None
        self._next_tick_s = 0.0
        self._outage = Outage(log, "tick-failed", logging.ERROR)

    async def step(self) -> float:
        """Do what is due, and return after how many seconds to come again.

        What fails is logged, undone by its transaction, and tried again by the next step.
        """
        leadership = self._services.leadership
        try:
            if leadership.lease is None:
                leadership.lease = await self._take()
            if leadership.lease is not None:
                await self._lead(leadership.lease)
        except Interrupted as error:
            if error.code == LOST:
                log.warning("lease-lost epoch=%d", leadership.epoch)
                leadership.lease, self._sight = None, None
            else:
                self._outage.met(error)
        except Exception:
            log.exception("tick-failed")
        else:
            self._outage.over()
        return LOOK_S if leadership.lease is None else min(RENEW_S, self._services.settings.tick_s)

    async def stop(self) -> None:
        """Let the lease go."""
        if self._surveying is not None:
            self._surveying.cancel()
            await asyncio.gather(self._surveying, return_exceptions=True)
        lease, self._services.leadership.lease = self._services.leadership.lease, None
        if lease is not None:
            try:
                await self._services.write(lambda rows: let_go(rows, lease))
            except SurefootError as error:
                log.warning("lease-kept code=%s", error.code)

    async def _take(self) -> Lease | None:
        found = await self._services.read(lambda rows: rows.get(Lease, LEADER))
        now_s = self._monotonic_s()
        sight = self._sight = look(self._sight, found, now_s)
        if not is_free(sight, now_s):
            return None
        lease = await self._services.write(lambda rows: take(rows, sight, self._holder))
        if lease is not None:
            log.info("leading epoch=%d", lease.epoch)
            self._next_tick_s = now_s
        return lease

    async def _lead(self, lease: Lease) -> None:
        services, now_s = self._services, self._monotonic_s()
        if now_s < self._next_tick_s:
            await services.write(lambda rows: hold(rows, lease))
            return
        self._next_tick_s = now_s + services.settings.tick_s
        await self._freshness.keep()

        left: list[str] | None = None
        while left is None or left:
            changes, left = await services.write(partial(self._look_on, lease=lease, left=left))
            for change in changes:
                log.info("rollout-changed %s", change)
        await self._survey()

    def _look_on(self, rows: Rows, lease: Lease, left: list[str] | None) -> tuple[list[str], list[str]]:
        """Look at what is left of the rollouts, all at first, for one turn; return what changed, and what is left then.

        What a person or a robot says must not wait for all rollouts.
        """
        hold(rows, lease)
        # A copy: the transaction may be tried again.
        ids, changes = to_look_at(rows) if left is None else list(left), []
        find, find_gate, url = self._surveys.find, self._gate_surveys.find, self._services.fleet.public_url
        now_s, counting, until_s = self._services.now_s(), Counting(rows), self._monotonic_s() + TURN_S
        while ids:
            change = look_at(rows, ids.pop(0), now_s, find, find_gate, public_url=url, counting=counting)
            if change is not None:
                changes.append(change)
            if self._monotonic_s() >= until_s:
                break
        return changes, ids

    async def _survey(self) -> None:
        """Take the surveys that were asked for; large ones go on beside the next steps, or the lease would run out."""
        surveying = self._surveying or asyncio.create_task(self._take_surveys())
        await asyncio.wait([surveying], timeout=SURVEY_WAIT_S)
        self._surveying = None if surveying.done() else surveying
        if surveying.done():
            surveying.result()

    async def _take_surveys(self) -> None:
        services = self._services
        for rollout_id in self._surveys.wanted():
            await services.read(partial(self._surveys.take, rollout_id=rollout_id, now_s=services.now_s()))
        for rollout_id in self._gate_surveys.wanted():
            await self._gate_surveys.take(services.read, rollout_id, services.now_s)
