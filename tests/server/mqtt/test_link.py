"""A process's place at a real broker: its connections come and go, what they carry does not get lost, HTTPS goes on."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mosquitto import Mosquitto, mosquitto
from server_bench import Bench, report
from surefoot.fleet.health import RobotHealth
from surefoot.server.mqtt.broker_address import BrokerAddress
from surefoot.server.mqtt.client import GmqttClient
from surefoot.server.mqtt.link import Link, run_mqtt
from surefoot.server.mqtt.process_ids import process_id
from surefoot.wire.command import Command, parse_command
from surefoot.wire.topics import command_topic
from waiting import until

pytestmark = pytest.mark.mosquitto


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


def address(broker: Mosquitto, url: str = "", identity: Path | None = None, group: str = "group") -> BrokerAddress:
    return BrokerAddress(
        url=url or broker.server_url,
        robot_url=broker.url,
        password_url=broker.password_url,
        ca_path=str(broker.ca_path),
        certificate_path=str(identity or broker.server_identity_path),
        share_group=group,
    )


class Robot:
    """A robot at the broker, with its own certificate: what it hears, and a way to say things."""

    def __init__(self, broker: Mosquitto, robot_id: str) -> None:
        self.robot_id = robot_id
        self.heard: list[Command] = []
        self.is_connected = False
        own = address(broker, broker.url, broker.robot_certificate_path(robot_id))
        self._client = GmqttClient(own, robot_id, 60, chance=lambda: 0.0)

    async def connect(self) -> None:
        async def hear(_topic: str, payload: bytes) -> None:
            self.heard.append(parse_command(payload))

        await self._client.subscribe(command_topic(self.robot_id), 1)
        await self._client.connect(hear, self._changed)
        await until(lambda: self.is_connected)

    async def say(self, leaf: str, payload: bytes) -> None:
        await self._client.publish(f"fleet/{self.robot_id}/{leaf}", payload)

    async def leave(self) -> None:
        await self._client.close()

    def _changed(self, is_connected: bool) -> None:
        self.is_connected = is_connected


async def ended(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_two_processes_share_the_reports_and_every_one_is_answered(bench: Bench, broker: Mosquitto) -> None:
    bench.enrol("robot-1")
    both = [replace(bench.services, mqtt=type(bench.services.mqtt)()) for _ in range(2)]

    async def work() -> None:
        links = [
            asyncio.create_task(Link(services, address(broker, group="two"), f"process-{number}").run())
            for number, services in enumerate(both)
        ]
        await until(lambda: all(services.mqtt.is_connected for services in both))
        robot = Robot(broker, "robot-1")
        await robot.connect()
        for seq in range(1, 21):
            await robot.say("report", report("robot-1", seq=seq))
        await until(lambda: len(robot.heard) == 20)
        assert sorted(command.seq or 0 for command in robot.heard) == list(range(1, 21))
        await robot.leave()
        await ended(*links)

    asyncio.run(work())
    facts = bench.services.store.read(lambda rows: rows.facts("robot-1"))
    assert facts is not None and facts.report.seq == 20


def test_what_is_said_while_the_process_is_away_waits_for_it(bench: Bench, broker: Mosquitto) -> None:
    bench.enrol("robot-2")
    services = bench.services

    async def work() -> None:
        link = asyncio.create_task(Link(services, address(broker, group="one"), "comes-back").run())
        await until(lambda: services.mqtt.is_connected)
        await ended(link)
        robot = Robot(broker, "robot-2")
        await robot.connect()
        await robot.say("online", b"1")
        window = {"robot_id": "robot-2", "boot": 1, "number": 0, "length_s": 60, "ok_s": 60}
        await robot.say("health", json.dumps(window).encode())
        link = asyncio.create_task(Link(services, address(broker, group="one"), "comes-back").run())
        await until(is_stored)
        await robot.leave()
        await ended(link)

    def is_stored() -> bool:
        health = services.store.read(lambda rows: rows.get(RobotHealth, "robot-2"))
        return health is not None and health.sums.before.told_s == 60 and health.signs.online_since_s is not None

    asyncio.run(work())


def test_a_broker_that_is_away_disturbs_nothing_else(bench: Bench, broker: Mosquitto) -> None:
    """The process says so, answers, and stops as ever."""
    nowhere = replace(bench.services, broker=address(broker, "mqtts://127.0.0.1:1"))

    async def work() -> None:
        link = asyncio.create_task(run_mqtt(nowhere))
        await asyncio.sleep(0)
        token = bench.enrol("robot-3")
        answer = await asyncio.to_thread(bench.call, "POST", "/v1/report", token=token, body=report("robot-3"))
        assert answer.status == 200
        assert not nowhere.mqtt.is_connected
        await ended(link)

    asyncio.run(work())


def test_without_a_broker_there_is_nothing_to_do(bench: Bench) -> None:
    asyncio.run(run_mqtt(bench.services))


def test_a_process_finds_its_name_again_and_two_never_have_the_same(tmp_path: Path) -> None:
    with process_id(tmp_path) as first, process_id(tmp_path) as second:
        assert first != second
    with process_id(tmp_path) as again:
        assert again == first
    (tmp_path / "mqtt-names" / "0").write_text("torn")
    with process_id(tmp_path) as fresh:
        assert fresh not in (first, second) and len(fresh) == 32
