"""What both planes work with, put together once by the composition root."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from surefoot.fleet.ports import Blobs, Rows, Store
from surefoot.fleet.settings import FleetSettings
from surefoot.server.settings import ServerSettings

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The filled ports, the settings, the clock (Unix seconds) and the source of ids."""

    store: Store
    blobs: Blobs
    settings: ServerSettings
    fleet: FleetSettings
    operator_token_sha256: str
    now_s: Callable[[], float]
    new_id: Callable[[], str]

    async def read(self, work: Callable[[Rows], T]) -> T:
        """Run a reading transaction without holding up the event loop."""
        return await asyncio.to_thread(self.store.read, work)

    async def write(self, work: Callable[[Rows], T]) -> T:
        """Run a transaction; return once it is durable."""
        return await asyncio.wrap_future(self.store.submit(work))
