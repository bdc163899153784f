"""What both planes work with, put together once by the composition root."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from surefoot.fleet.documents import OnlineKey
from surefoot.fleet.ports import Blobs, Rows, Store
from surefoot.fleet.settings import FleetSettings
from surefoot.server.arrivals import Arrivals
from surefoot.server.certificates import FleetCa
from surefoot.server.devices.poll_cache import PollCache
from surefoot.server.leadership import Leadership
from surefoot.server.metrics import Metrics
from surefoot.server.mqtt.broker_address import BrokerAddress
from surefoot.server.mqtt.state import MqttState
from surefoot.server.operators.oidc import IdentityProvider
from surefoot.server.operators.passwords import Passwords
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
    passwords: Passwords = field(default_factory=Passwords)
    polls: PollCache = field(default_factory=PollCache)
    ca: FleetCa | None = None
    broker: BrokerAddress | None = None
    mqtt: MqttState = field(default_factory=MqttState)
    identity_provider: IdentityProvider | None = None
    metadata_key: OnlineKey | None = None
    leadership: Leadership = field(default_factory=Leadership)
    metrics: Metrics = field(default_factory=Metrics)
    arrivals: Arrivals = field(default_factory=Arrivals)

    async def read(self, work: Callable[[Rows], T]) -> T:
        """Run a reading transaction without holding up the event loop."""
        return await asyncio.to_thread(self.store.read, work)

    async def write(self, work: Callable[[Rows], T], *, about: str | None = None) -> T:
        """Run a transaction, about this robot if one is named; return once it is durable."""
        return await self.arrivals.wait(self.store.submit(work, about=about))
