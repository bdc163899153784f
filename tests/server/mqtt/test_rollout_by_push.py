"""A rollout by push with nothing left out: real server, real Mosquitto it supervises, real agents, and a kill amid it.

The robots ask by themselves only every six hours: whatever happens sooner, somebody called them.
"""

import base64
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from live_server import LiveServer
from surefoot.rollout.plan import Phase, Plan
from surefoot.rollout.plan_format import plan_to_object
from surefoot.shell.agent_config import AgentConfig
from surefoot.shell.posix import make_companion
from surefoot.signing.image import sign_image
from surefoot.signing.manifest import manifest_for, sign_manifest
from surefoot.signing.signers import FileSigner
from surefoot.sim.images import app_image
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.manifest import signed_manifest_to_object
from surefoot.wire.version import Version
from waiting import wait_until

pytestmark = pytest.mark.mosquitto

SKU = "standard"
FACTORY, NEW = "0.1.0", "0.2.0"
ROBOTS = tuple(f"robot-{number}" for number in range(1, 5))
PLAN = Plan(phases=(Phase(name="all", percent=100, soak_s=0),), capacity=2)


@dataclass
class Field:
    """A server with its broker, and robots in directories, each with the process of its agent."""

    server: LiveServer
    operator: httpx.Client
    signer: FileSigner
    folder: Path
    agents: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self.operator.request(method, f"/api/v1{path}", **options)
        assert answer.is_success, answer.text
        return answer.json()

    def add_robots(self) -> None:
        key_file = self.folder / "release.der"
        key_file.write_bytes(self.signer.public_key.der)
        broker_url = json.loads((self.server.data_dir / "server.json").read_text())["broker_password_url"]
        for robot_id in ROBOTS:
            token_file = self.folder / f"{robot_id}.token"
            token_file.write_text(self.ask("POST", "/robots", json={"robot_id": robot_id, "sku": SKU})["token"])
            config = AgentConfig(
                robot_id=robot_id,
                sku=SKU,
                server=self.server.url,
                token_file=token_file,
                trusted_keys=(key_file,),
                ca_file=self.server.ca_path,
                mqtt=broker_url,
            )
            make_companion(self.folder / robot_id, config, image_of(FACTORY), Version.parse(FACTORY))

    def switch_on(self) -> None:
        """Start the agents, and return when the server knows that all of them are online."""
        for robot_id in ROBOTS:
            command = [sys.executable, "-m", "surefoot", "agent", "run", str(self.folder / robot_id)]
            with (self.folder / f"{robot_id}.log").open("wb") as log:
                self.agents.append(subprocess.Popen(command, stdout=log, stderr=log))
        wait_until(lambda: self.counted("online") >= len(ROBOTS))
        wait_until(lambda: self.arrived(FACTORY) == len(ROBOTS))

    def switch_off(self) -> None:
        for agent in self.agents:
            with suppress(ProcessLookupError):
                agent.kill()
            agent.wait()

    def counted(self, kind: str) -> float:
        """Return how many messages of a kind the server has taken over MQTT."""
        found = re.search(rf'surefoot_mqtt_messages_total{{kind="{kind}"}} (\S+)', self.operator.get("/metrics").text)
        return 0.0 if found is None else float(found[1])

    def robots(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.ask("GET", "/robots")["robots"]
        return listed

    def arrived(self, version: str) -> int:
        """Return how many robots run this version, by their records."""
        return sum(one["running_version"] == version for one in self.robots())

    def roll_out(self) -> str:
        """Publish the new version and start to bring it to all robots; return the rollout's id."""
        key = {"name": "release", "der_base64": base64.b64encode(self.signer.public_key.der).decode()}
        self.ask("POST", "/keys", json=key)
        file = sign_image(image_of(NEW), Version.parse(NEW), self.signer)
        manifest = sign_manifest(manifest_for(ImageHeader.parse(file[:HEADER_BYTES]), SKU), self.signer)
        sha256 = hashlib.sha256(file).hexdigest()
        self.ask("PUT", f"/images/{sha256}", content=file)
        body = {"sku": SKU, "sha256": sha256, "manifest": signed_manifest_to_object(manifest)}
        release_id = self.ask("POST", "/releases", json=body)["release_id"]
        started = self.ask("POST", "/rollouts", json={"release_id": release_id, "plan": plan_to_object(PLAN)})
        return str(started["rollout_id"])

    def kill_broker(self) -> None:
        os.kill(self.broker_pid(), signal.SIGKILL)

    def broker_pid(self) -> int:
        return int((self.server.data_dir / "mqtt" / "mosquitto.pid").read_text())

    def running_digest(self, robot_id: str) -> str:
        """Return what really is in the slot that a robot runs."""
        directory = self.folder / robot_id
        running = json.loads((directory / "boot.json").read_text())["running"]
        return hashlib.sha256((directory / f"slot.{running}").read_bytes()).hexdigest()


def image_of(version: str) -> bytes:
    return app_image(version, size_bytes=48_000, seed=1)


@pytest.fixture
def fleet(tmp_path: Path, signer: FileSigner) -> Iterator[Field]:
    ports = {"broker_port": "0", "broker_password_port": "0"}
    with LiveServer(tmp_path / "data", tick_s="0.1", broker="auto", **ports) as server, server.operator() as operator:
        field = Field(server=server, operator=operator, signer=signer, folder=tmp_path)
        try:
            yield field
        finally:
            field.switch_off()


def test_a_rollout_by_push_survives_the_death_of_the_broker(fleet: Field) -> None:
    fleet.add_robots()
    fleet.switch_on()
    rollout_id = fleet.roll_out()
    wait_until(lambda: fleet.arrived(NEW) >= 1)
    assert fleet.arrived(NEW) < len(ROBOTS)
    killed = fleet.broker_pid()
    fleet.kill_broker()
    wait_until(lambda: fleet.broker_pid() != killed)
    wait_until(lambda: fleet.arrived(NEW) == len(ROBOTS))
    wait_until(lambda: fleet.ask("GET", f"/rollouts/{rollout_id}")["state"] == "finished")
    for one in fleet.robots():
        assert (one["status"], one["running_version"]) == ("installed", NEW)
        assert one["running_digest"] == fleet.running_digest(one["robot_id"])
    assert fleet.counted("report") > 0
