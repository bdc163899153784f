"""The connection to a real Mosquitto: kept, acknowledged only for what is done, and never in the way of others."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mosquitto import Mosquitto, mosquitto
from surefoot.server.mqtt.broker_address import BrokerAddress
from surefoot.server.mqtt.client import GmqttClient
from surefoot.server.mqtt.connection import Handler
from surefoot.wire.errors import Interrupted
from waiting import until

pytestmark = pytest.mark.mosquitto


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


def server_address(broker: Mosquitto) -> BrokerAddress:
    return address(broker, broker.server_url, broker.server_identity_path)


def address(broker: Mosquitto, url: str, certificate: Path) -> BrokerAddress:
    return BrokerAddress(
        url=url,
        robot_url=broker.url,
        password_url=broker.password_url,
        ca_path=str(broker.ca_path),
        certificate_path=str(certificate),
        share_group="group",
    )


class Heard:
    """A handler that remembers what it heard, and can be made to fail."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.before: Callable[[bytes], Awaitable[None]] | None = None

    async def __call__(self, payload: bytes) -> None:
        if self.before is not None:
            await self.before(payload)
        self.payloads.append(payload)


class Changes:
    """Whether there is a connection, to wait for."""

    def __init__(self) -> None:
        self.now = False
        self.seen: list[bool] = []

    def __call__(self, is_connected: bool) -> None:
        self.now = is_connected
        self.seen.append(is_connected)


async def connected(
    broker: Mosquitto, name: str, handler: Handler, *filters: str, qos: int = 1, session_s: int = 60
) -> tuple[GmqttClient, Changes]:
    client, changes = GmqttClient(server_address(broker), name, session_s, chance=lambda: 0.0), Changes()
    for topic_filter in filters:
        await client.subscribe(topic_filter, qos)
    await client.connect(handler, changes)
    await until(lambda: changes.now)
    return client, changes


def keeping(heard: Heard) -> Handler:
    async def handle(_topic: str, payload: bytes) -> None:
        await heard(payload)

    return handle


def test_what_is_published_arrives_and_the_publisher_hears_that_the_broker_has_it(broker: Mosquitto) -> None:
    async def work() -> None:
        heard = Heard()
        client, _ = await connected(broker, "one", keeping(heard), "test/1/+")
        await asyncio.gather(*(client.publish(f"test/1/{number}", b"%d" % number) for number in range(300)))
        await until(lambda: len(heard.payloads) == 300)
        await client.close()

    asyncio.run(work())


def test_what_was_not_handled_comes_again_with_the_next_connection(broker: Mosquitto) -> None:
    async def work() -> None:
        heard, stuck = Heard(), asyncio.Event()

        async def never(_payload: bytes) -> None:
            stuck.set()
            await asyncio.Event().wait()

        heard.before = never
        client, _ = await connected(broker, "two", keeping(heard), "test/2")
        other, _ = await connected(broker, "two-other", keeping(Heard()))
        await other.publish("test/2", b"not lost")
        await stuck.wait()
        await client.close()
        await other.publish("test/2", b"meanwhile")
        heard = Heard()
        client, _ = await connected(broker, "two", keeping(heard), "test/2")
        await until(lambda: heard.payloads == [b"not lost", b"meanwhile"])
        # What was handled does not come a third time.
        await other.publish("test/2", b"last")
        await until(lambda: len(heard.payloads) == 3)
        await client.close()
        heard = Heard()
        client, _ = await connected(broker, "two", keeping(heard), "test/2")
        await other.publish("test/2", b"new")
        await until(lambda: heard.payloads == [b"new"])
        await asyncio.gather(client.close(), other.close())

    asyncio.run(work())


def test_a_handler_that_is_interrupted_is_asked_again_and_others_go_on_meanwhile(broker: Mosquitto) -> None:
    async def work() -> None:
        heard, failures = Heard(), [Interrupted("interrupted-store", "away"), Interrupted("interrupted-store", "away")]

        async def fail(payload: bytes) -> None:
            if payload == b"slow" and failures:
                raise failures.pop()
            if payload == b"bug":
                raise RuntimeError

        heard.before = fail
        client, _ = await connected(broker, "three", keeping(heard), "test/3")
        for payload in (b"slow", b"bug", b"quick"):
            await client.publish("test/3", payload)
        await until(lambda: heard.payloads == [b"quick", b"slow"])
        await client.close()

    asyncio.run(work())


def test_a_broker_that_was_killed_is_found_again(tmp_path: Path) -> None:
    async def work() -> None:
        heard = Heard()
        client, changes = await connected(mortal, "four", keeping(heard), "test/4")
        mortal.kill()
        await until(lambda: not changes.now)
        with pytest.raises(Interrupted) as refused:
            await client.publish("test/4", b"lost")
        assert refused.value.code == "interrupted-broker"
        await asyncio.to_thread(mortal.start)
        await until(lambda: changes.now)
        await client.publish("test/4", b"found")
        await until(lambda: heard.payloads == [b"found"])
        assert changes.seen == [True, False, True]
        await client.close()

    with mosquitto(tmp_path) as mortal:
        asyncio.run(work())


def test_who_waits_for_an_acknowledgement_hears_that_none_will_come(tmp_path: Path) -> None:
    async def work() -> None:
        client, _ = await connected(mortal, "five", keeping(Heard()))
        publishing = [client.publish("test/5", b"x" * 50_000) for _ in range(200)]
        await asyncio.sleep(0)
        mortal.kill()
        async with asyncio.timeout(60):
            done = await asyncio.gather(*publishing, return_exceptions=True)
        assert any(isinstance(one, Interrupted) for one in done)
        assert all(isinstance(one, bool | Interrupted) for one in done)
        await client.close()

    with mosquitto(tmp_path) as mortal:
        asyncio.run(work())


def test_a_broker_with_another_certificate_is_not_entered(
    broker: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        changes, wrong = Changes(), replace(server_address(broker), ca_path=str(stranger.ca_path))
        client = GmqttClient(wrong, "six", 0, chance=lambda: 0.0)
        await client.connect(keeping(Heard()), changes)
        await until(lambda: "broker-away" in caplog.text)
        assert changes.seen == []
        await client.close()

    stranger = Mosquitto(tmp_path, {})
    asyncio.run(work())
    assert "certificate" in caplog.text


def test_the_stream_is_handled_at_once_and_survives_a_handler_that_fails(broker: Mosquitto) -> None:
    async def work() -> None:
        heard: list[bytes] = []

        def handle(_topic: str, payload: bytes) -> None:
            if payload == b"bug":
                raise RuntimeError
            heard.append(payload)

        client, _ = await connected(broker, "seven", handle, "$share/group/test/7", qos=0, session_s=0)
        for payload in (b"bug", b"good"):
            await client.publish("test/7", payload, qos=0)
        await until(lambda: heard == [b"good"])
        await client.close()

    asyncio.run(work())
