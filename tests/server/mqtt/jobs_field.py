"""A real server process at a real Mosquitto, with a release and devices made for AWS IoT that are known to both."""

import base64
import hashlib
import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from live_server import LiveServer
from mosquitto import Mosquitto, mosquitto
from mqtt_peer import HOST, Peer
from surefoot.rollout.plan import Phase, Plan
from surefoot.rollout.plan_format import plan_to_object
from surefoot.signing.image import sign_image
from surefoot.signing.manifest import manifest_for, sign_manifest
from surefoot.signing.signers import FileSigner
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.manifest import signed_manifest_to_object
from surefoot.wire.version import Version

SKU = "standard"
VERSION = "0.2.1"
IMAGE = bytes(range(256)) * 400 + b"a last block that is short"
PLAN = Plan(phases=(Phase(name="all", percent=100, soak_s=0),), attempts_max=5, ramp=None, capacity=100)
# What a device in its self-test waits before it resets, and so goes back.
SELF_TEST_S = 16.0


@dataclass
class JobsField:
    """A server with its broker."""

    server: LiveServer
    broker: Mosquitto
    signer: FileSigner
    robot_ids: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Ask as the operator."""
        with self.server.operator() as operator:
            answer: httpx.Response = operator.request(method, f"/api/v1{path}", **options)
        assert answer.is_success, answer.text
        return answer.json()

    def enrol(self, robot_id: str) -> str:
        """Make a robot known to the fleet; the broker lets it in by its certificate."""
        self.ask("POST", "/robots", json={"robot_id": robot_id, "sku": SKU})
        return robot_id

    def publish(self) -> str:
        """Publish the release, and return its id."""
        key = {"name": "release", "der_base64": base64.b64encode(self.signer.public_key.der).decode()}
        self.ask("POST", "/keys", json=key)
        file = sign_image(IMAGE, Version.parse(VERSION), self.signer)
        manifest = sign_manifest(manifest_for(ImageHeader.parse(file[:HEADER_BYTES]), SKU), self.signer)
        sha256 = hashlib.sha256(file).hexdigest()
        self.ask("PUT", f"/images/{sha256}", content=file)
        body = {
            "sku": SKU,
            "sha256": sha256,
            "manifest": signed_manifest_to_object(manifest),
            "image_signature": self.signer.sign(IMAGE).hex(),
        }
        return str(self.ask("POST", "/releases", json=body)["release_id"])

    def roll_out(self) -> str:
        """Begin to bring it to all robots, and return the rollout's id."""
        body = {"release_id": self.publish(), "plan": plan_to_object(PLAN)}
        return str(self.ask("POST", "/rollouts", json=body)["rollout_id"])

    def status(self, robot_id: str) -> str:
        """Return what the fleet's record says of a robot."""
        return str(self.ask("GET", f"/robots/{robot_id}")["status"])

    @contextmanager
    def device(self, robot_id: str) -> Iterator["JobsPeer"]:
        """Be a device, connected by its certificate."""
        made = JobsPeer(self.broker, robot_id)
        try:
            yield made
        finally:
            made.leave()


class JobsPeer(Peer):
    """A device that subscribes to what it names, and asks."""

    def __init__(self, broker: Mosquitto, robot_id: str) -> None:
        self.robot_id = robot_id
        self.heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
        super().__init__(broker.port, broker.robot_tls(robot_id), robot_id)
        assert self.is_in, HOST

    def topic(self, suffix: str) -> str:
        return f"$aws/things/{self.robot_id}/{suffix}"

    def ask(self, suffix: str, body: dict[str, Any], timeout_s: float = SELF_TEST_S) -> dict[str, Any]:
        """Ask the Jobs service, and return the answer's body; fail as the device would, when none comes in time."""
        for word in ("accepted", "rejected"):
            self.subscribe(self.topic(f"jobs/{suffix}/{word}"))
        self.publish(self.topic(f"jobs/{suffix}"), json.dumps(body).encode())
        while True:
            topic, payload = self.heard.get(timeout=timeout_s)
            if topic.startswith(self.topic(f"jobs/{suffix}/")):
                value: dict[str, Any] = json.loads(payload)
                return value

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        super()._on_message(client, data, message)
        self.heard.put((message.topic, bytes(message.payload)))


@contextmanager
def jobs_field(folder: Path, signer: FileSigner, plugin: Path | None = None, **settings: str) -> Iterator[JobsField]:
    """Run broker and server; with settings of its own."""
    with mosquitto(folder, plugin=plugin) as broker:
        at_broker = {
            "broker": broker.server_url,
            "broker_ca": str(broker.ca_path),
            "broker_certificate": str(broker.server_identity_path),
        }
        with LiveServer(folder / "data", tick_s="0.2", **at_broker, **settings) as server:
            yield JobsField(server=server, broker=broker, signer=signer)
