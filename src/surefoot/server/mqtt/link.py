"""One process's place at the broker: it takes what robots say, and pushes to them while it leads.

It has two connections. On the first comes what must not be lost, acknowledged once it is durable, in a session that
waits while the process is away. On the second comes the stream of diagnostics, which nothing waits for. A broker that
is away disturbs neither HTTPS nor the engine.
"""

import asyncio
import logging
from contextlib import suppress

from surefoot.fleet.aws_requests import ROOT as AWS_ROOT
from surefoot.server.mqtt.aws import FILTERS, AwsBridge
from surefoot.server.mqtt.aws_turns import Turns
from surefoot.server.mqtt.broker_address import BrokerAddress
from surefoot.server.mqtt.client import GmqttClient
from surefoot.server.mqtt.ingest import Ingest
from surefoot.server.mqtt.process_ids import process_id
from surefoot.server.mqtt.push import Pusher
from surefoot.server.mqtt.stream import Stream
from surefoot.server.services import Services
from surefoot.wire.topics import ANY_ROBOT, HEALTH, ONLINE, REPORT, topic_of

# A process that does not come back leaves its share of the messages with the broker for so long.
SESSION_S = 300

log = logging.getLogger(__name__)


async def run_mqtt(services: Services) -> None:
    """Stay at the broker until cancelled; without a broker do nothing."""
    address = services.broker
    if address is None:
        return
    try:
        with process_id(services.settings.data_dir) as name:
            await Link(services, address, name).run()
    except Exception:
        # Robots are served over HTTPS all the same.
        log.exception("mqtt-ended")


class Link:
    """The two connections of a process, and what is done with them.

    Args:
        services: What it works with.
        address: The broker.
        name: The process's name at the broker.
    """

    def __init__(self, services: Services, address: BrokerAddress, name: str) -> None:
        self._services = services
        self._share_group = address.share_group
        self._facts_client = GmqttClient(address, f"surefoot-{name}", SESSION_S)
        self._stream_client = GmqttClient(address, f"surefoot-{name}-stream", 0)
        self._stream = Stream(services, self._stream_client, name)
        self._ingest = Ingest(services, self._facts_client, self._stream)
        self._turns = Turns(self._stream)
        self._aws = AwsBridge(services, self._facts_client, self._turns)
        self._pusher = Pusher(services, self._facts_client, self._ingest)

    async def run(self) -> None:
        """Connect, and work until cancelled."""
        await self._stream.subscribe(self._share_group)
        for leaf in (REPORT, HEALTH):
            await self._facts_client.subscribe(f"$share/{self._share_group}/{topic_of(ANY_ROBOT, leaf)}", 1)
        # Each process has to know of every robot whether it is online; a shared subscription is not told what is
        # retained.
        await self._facts_client.subscribe(topic_of(ANY_ROBOT, ONLINE), 1)
        for topic_filter in FILTERS:
            await self._facts_client.subscribe(topic_filter, 1)
        await self._stream_client.connect(self._stream.take, self._stream.connected)
        await self._facts_client.connect(self._take, self._connected)
        tasks = [asyncio.create_task(work) for work in (self._stream.run(), self._pusher.run(), self._aws.run())]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await asyncio.gather(self._facts_client.close(), self._stream_client.close())

    async def _take(self, topic: str, payload: bytes) -> None:
        taker = self._aws if topic.startswith(AWS_ROOT) else self._ingest
        await taker.take(topic, payload)

    def _connected(self, is_connected: bool) -> None:
        self._services.mqtt.is_connected = is_connected
        self._services.metrics.mqtt.connected.set(is_connected)
        if is_connected:
            self._turns.begin()
            self._services.mqtt.decided.ring()
