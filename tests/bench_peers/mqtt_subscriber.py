"""One who takes diagnostics off a broker for some seconds, and says how many: the server's ingest, or bare gmqtt.

`python mqtt_subscriber.py bare|ingest ORDER` with the order as JSON: `url`, `ca`, `certificate`, `folder`, `time_s`. It
prints as JSON how many messages it took, in how many seconds and by how much CPU time of its own.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gmqtt  # type: ignore[import-untyped]
import uvloop

from surefoot.server.composition import open_services
from surefoot.server.mqtt.broker_address import BrokerAddress
from surefoot.server.mqtt.client import GmqttClient
from surefoot.server.mqtt.connection import KEEPALIVE_S, UNACKNOWLEDGED_MAX, tls_of
from surefoot.server.mqtt.stream import Stream
from surefoot.server.settings import load_settings

# Until everything runs as it will: robots are known, caches are warm.
WARM_S = 2.0
FILTER = "$share/bench/fleet/+/diagnostics"


def address_of(order: dict[str, Any]) -> BrokerAddress:
    """Return where the broker is."""
    return BrokerAddress(
        url=order["url"],
        robot_url=order["url"],
        password_url=None,
        ca_path=order["ca"],
        certificate_path=order["certificate"],
        share_group="bench",
    )


async def measured(count: Any, time_s: float) -> dict[str, float]:
    """Count for so many seconds once all is warm."""
    await asyncio.sleep(WARM_S)
    taken, began_s, began_cpu_s = count(), time.perf_counter(), time.process_time()
    await asyncio.sleep(time_s)
    return {
        "messages": count() - taken,
        "time_s": time.perf_counter() - began_s,
        "cpu_s": time.process_time() - began_cpu_s,
    }


async def bare(order: dict[str, Any]) -> dict[str, float]:
    """Take messages with gmqtt and do nothing with them but count."""
    taken = 0

    def take(_client: object, _topic: str, _payload: bytes, _qos: int, _properties: object) -> int:
        nonlocal taken
        taken += 1
        return 0

    url = urlsplit(order["url"])
    client = gmqtt.Client("bench-bare", receive_maximum=UNACKNOWLEDGED_MAX)
    client.on_message = take
    await client.connect(url.hostname, url.port, ssl=tls_of(address_of(order)), keepalive=KEEPALIVE_S)
    client.subscribe(FILTER, 0)
    found = await measured(lambda: taken, order["time_s"])
    await client.disconnect()
    return found


async def ingest(order: dict[str, Any]) -> dict[str, float]:
    """Take messages as the server does: checked, folded, and stored once a minute."""
    services = open_services(load_settings(data_dir=Path(order["folder"]), broker="none"), "https://fleet.test")
    client = GmqttClient(address_of(order), "bench-ingest", 0)
    stream = Stream(services, client, "bench")
    await stream.subscribe("bench")
    counted = 0

    def take(topic: str, payload: bytes) -> None:
        nonlocal counted
        counted += 1
        stream.take(topic, payload)

    await client.connect(take, stream.connected)
    running = asyncio.create_task(stream.run())
    found = await measured(lambda: counted, order["time_s"])
    refused = sum(
        sample.value
        for family in services.metrics.mqtt.refused_messages.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    )
    if refused:
        raise AssertionError(f"{refused} messages were refused")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await client.close()
    services.store.close()
    return found


def main() -> None:
    """Measure and print."""
    how, order = sys.argv[1], json.loads(sys.argv[2])
    work = {"bare": bare, "ingest": ingest}[how]
    sys.stdout.write(json.dumps(uvloop.run(work(order))))


if __name__ == "__main__":
    main()
