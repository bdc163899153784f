"""A server's bridge to AWS-style devices at a broker in memory, with a release and devices that ask."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fake_broker import FakeBroker
from fleet.aws_agent import AgentV3
from server_bench import FIRMWARE, NOW_S, Bench, SignedBuild
from surefoot.fleet.aws_delivery import parse_delivery
from surefoot.fleet.image_signatures import keep_signature
from surefoot.fleet.model import Release
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollouts import start_rollout
from surefoot.rollout.plan import Phase, Plan
from surefoot.server.composition import Application
from surefoot.server.mqtt.aws import AwsBridge
from surefoot.server.mqtt.aws_streams import decode
from surefoot.server.mqtt.aws_turns import Turns

T = TypeVar("T")

PLAN = Plan(phases=(Phase(name="all", percent=100, soak_s=0),), attempts_max=5, ramp=None)
OLD, NEW = 0x00020000, 0x00020001
IMAGE = FIRMWARE + b"0.2.1"


class OnlyProcess:
    """Keeps all devices. Fills `aws_turns.Keepers`."""

    def keeps(self, robot_id: str) -> bool:
        return True


@dataclass
class JobsCase:
    """A bridge with a fleet behind it."""

    bench: Bench
    broker: FakeBroker = field(default_factory=FakeBroker)

    def __post_init__(self) -> None:
        self.client = self.broker.client()
        self.bench.enrol("robot-1")

    def run(self, work: Callable[[Rows], T]) -> T:
        return self.bench.services.store.submit(work).result()

    def publish(self) -> SignedBuild:
        """Publish 0.2.1 with a signature over its image."""
        build = self.bench.publish("0.2.1")
        signature = self.bench.signer.sign(IMAGE)

        def work(rows: Rows) -> None:
            [release] = rows.find(Release)
            keep_signature(rows, release, signature)

        self.run(work)
        return build

    def roll_out(self) -> None:
        self.publish()
        self.run(lambda rows: start_rollout(rows, "release-0.2.1", PLAN, "rollout-1", b"salt", NOW_S))

    def say(self, topic: str, payload: bytes) -> list[tuple[str, bytes]]:
        """Publish as a device, and return what it is told."""
        before = len(self.broker.published)

        async def work() -> None:
            turns = Turns(OnlyProcess(), settle_s=0)
            turns.begin()
            await AwsBridge(self.bench.services, self.client, turns).take(topic, payload)

        asyncio.run(work())
        return self.broker.published[before:]

    def ask(self, suffix: str, body: dict[str, Any], robot_id: str = "robot-1") -> dict[str, Any]:
        told = self.say(f"$aws/things/{robot_id}/jobs/{suffix}", json.dumps(body).encode())
        value: dict[str, Any] = json.loads(told[0][1])
        return value

    def stream(self, job: dict[str, Any], payload: bytes, form: str, verb: str = "get") -> list[tuple[str, Any]]:
        """Ask a job's stream, and return the last but one part of each answer's topic, and its object."""
        name = job["jobDocument"]["afr_ota"]["streamname"]
        told = self.say(f"$aws/things/robot-1/streams/{name}/{verb}/{form}", payload)
        return [(topic.split("/")[-2], decode_any(answer, form)) for topic, answer in told]

    def device(self, robot_id: str = "robot-1", **device: Any) -> AgentV3:
        return AgentV3(ask=lambda suffix, body: self.ask(suffix, body, robot_id), running=OLD, offered=NEW, **device)

    def fetch(self, url: str, first: int, last: int) -> tuple[int, bytes]:
        """Fetch as a device does that has nothing but the address."""
        answer = self.bench.call("GET", urlsplit(url).path, headers={"range": f"bytes={first}-{last}"})
        return answer.status, answer.body


def over_https(bench: Bench, delivery: str = "*=HTTP", **changes: Any) -> Bench:
    """Return the bench with jobs whose files are fetched, and with other settings or services changed."""
    fleet = replace(bench.services.fleet, aws_delivery=parse_delivery(delivery), file_key=b"a key of sixteen bytes")
    services = replace(bench.services, fleet=fleet, **changes)
    return replace(bench, services=services, app=Application(services))


def decode_any(payload: bytes, form: str) -> dict[str, Any]:
    """Return an answer's object; the server's own reader bounds what requests may have."""
    return decode(payload, form) if len(payload) < 40_000 else decode_large(payload, form)


def decode_large(payload: bytes, form: str) -> dict[str, Any]:
    import cbor2

    value: dict[str, Any] = cbor2.loads(payload) if form == "cbor" else json.loads(payload)
    return value
