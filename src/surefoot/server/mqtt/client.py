"""A connection to an MQTT 5 broker that is kept: the four methods the server needs, filled by gmqtt.

What comes with QoS 1 is acknowledged once its handler is done, in the order it came, so nothing that was acknowledged
is lost: what was not is told again at the next connection, as the session outlives it. How many handlers run side by
side is bounded by what the broker may send without an acknowledgement.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Protocol

from surefoot.server.mqtt.broker_address import BrokerAddress
from surefoot.server.mqtt.connection import RETRY_S, RETRY_S_MAX, Connection, Handler, away

log = logging.getLogger(__name__)


class MqttClient(Protocol):
    """What the server needs of MQTT."""

    async def connect(self, handler: Handler, on_change: Callable[[bool], None]) -> None:
        """Connect now and whenever the connection ends, until `close`; `on_change` hears whether there is one.

        An awaitable handler is asked again while it raises `Interrupted` and the connection lasts. Whatever else it
        raises is logged, and the message counts as handled.
        """

    async def subscribe(self, topic_filter: str, qos: int) -> None:
        """Hear what is published under this filter, on every connection from now on."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, expiry_s: int | None = None) -> Awaitable[bool]:
        """Publish; awaited it ends once the broker has it, with QoS 0 at once.

        After `expiry_s` the broker may forget it.

        Returns:
            Awaited: False if the broker says that nobody has subscribed to it.

        Raises:
            Interrupted: `interrupted-broker` when the broker is away, or went before it acknowledged.
        """

    async def close(self) -> None:
        """Leave; the session stays for its time."""


class GmqttClient:
    """Fills `MqttClient`.

    Args:
        address: The broker.
        client_id: Names the session.
        session_s: How long the broker keeps the session without a connection; 0 for none.
        chance: Numbers in [0, 1) that spread reconnects.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        session_s: int,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._address = address
        self._client_id = client_id
        self._session_s = session_s
        self._chance = chance
        self._filters: dict[str, int] = {}
        self._connection: Connection | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def connect(self, handler: Handler, on_change: Callable[[bool], None]) -> None:
        """Begin to connect; see `MqttClient`."""
        self._keeper = asyncio.create_task(self._keep(handler, on_change))

    async def subscribe(self, topic_filter: str, qos: int) -> None:
        """Hear a filter; see `MqttClient`."""
        self._filters[topic_filter] = qos
        if self._connection is not None:
            await self._connection.subscribe({topic_filter: qos})

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, expiry_s: int | None = None) -> Awaitable[bool]:
        """Publish; see `MqttClient`."""
        if self._connection is None:
            raise away()
        return self._connection.publish(topic, payload, qos, expiry_s)

    async def close(self) -> None:
        """Leave; see `MqttClient`."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def _keep(self, handler: Handler, on_change: Callable[[bool], None]) -> None:
        failures = 0
        while True:
            connection: Connection | None = None
            try:
                connection = Connection(self._address, self._client_id, self._session_s, handler)
                await connection.open()
                await connection.subscribe(self._filters)
                self._connection, failures = connection, 0
                log.info("broker-connected url=%s", self._address.url)
                on_change(True)
                await connection.lost()
                log.warning("broker-lost url=%s", self._address.url)
            except Exception as error:  # noqa: BLE001 - whatever keeps it from connecting, it tries again
                # Once for an outage, however long it lasts.
                if failures == 0:
                    log.warning("broker-away url=%s: %s", self._address.url, error)
                failures += 1
            finally:
                was_connected, self._connection = self._connection is not None, None
                if was_connected:
                    on_change(False)
                if connection is not None:
                    await connection.close()
            pause_s = min(RETRY_S_MAX, RETRY_S * 2.0 ** min(failures, 10))
            await asyncio.sleep(pause_s * (0.5 + self._chance() / 2))
