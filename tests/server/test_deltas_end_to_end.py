"""Deltas with nothing left out: a real server that builds them by itself, and whole robots that download them."""

import base64
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from live_server import LiveServer
from surefoot.agent.values import Identity
from surefoot.rollout.plan import Phase, Plan
from surefoot.rollout.plan_format import plan_to_object
from surefoot.shell.https import HttpsDownload, HttpsTransport
from surefoot.signing.delta import make_delta
from surefoot.signing.image import sign_image
from surefoot.signing.manifest import manifest_for, sign_manifest
from surefoot.signing.signers import FileSigner
from surefoot.sim.flash import Flash
from surefoot.sim.images import app_image
from surefoot.sim.partitions import SMALL
from surefoot.sim.robot import SimRobot, make_flash
from surefoot.trust import p256
from surefoot.trust.keys import KeyRing
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.manifest import signed_manifest_to_object
from surefoot.wire.version import Version

SKU = "standard"
IMAGE_BYTES = 48_000
FACTORY, FIRST, SECOND = "0.1.0", "0.2.0", "0.2.1"
EVERYONE = Plan(phases=(Phase(name="full", percent=100, soak_s=0),))
PATIENCE_S = 60.0


def image_of(version: str) -> bytes:
    return app_image(version, size_bytes=IMAGE_BYTES, seed=1)


class CountingTransport(HttpsTransport):
    """The agent's own way to its server, which counts what it opens, by file."""

    def __init__(self, server_url: str, token: str, ca_file: Path, opened: Counter[str]) -> None:
        super().__init__(server_url, token, ca_file)
        self._opened = opened

    def open(self, url: str, sha256: str, first_byte: int) -> HttpsDownload:
        self._opened[sha256] += 1
        return super().open(url, sha256, first_byte)


@dataclass(kw_only=True)
class Field:
    """A running server with robots out of the factory."""

    server: LiveServer
    operator: httpx.Client
    signer: FileSigner
    robots: dict[str, SimRobot] = field(default_factory=dict)
    opened: Counter[str] = field(default_factory=Counter)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self.operator.request(method, f"/api/v1{path}", **options)
        assert answer.is_success, answer.text
        return answer.json()

    def add_robot(self, robot_id: str) -> None:
        token = f"token-of-{robot_id}"
        token_sha256 = hashlib.sha256(token.encode()).hexdigest()
        self.ask("POST", "/robots", json={"robot_id": robot_id, "sku": SKU, "token_sha256": token_sha256})
        flash = Flash(SMALL.flash_size_bytes)
        make_flash(flash, SMALL, image_of(FACTORY), FACTORY)
        identity = Identity(
            robot_id=robot_id,
            sku=SKU,
            ring=KeyRing(keys=(self.signer.public_key,)),
            verify=p256.verify,
            version_floor=Version.parse(FACTORY),
            protocol=1,
            companion_version="0.1.4",
            chip_id=0,
            attempts_max=3,
            needs_manifest=True,
        )
        transport = CountingTransport(self.server.url, token, self.server.ca_path, self.opened)
        self.robots[robot_id] = SimRobot(identity, flash, transport)

    def publish(self, version: str) -> tuple[dict[str, Any], bytes]:
        file = sign_image(image_of(version), Version.parse(version), self.signer)
        manifest = sign_manifest(manifest_for(ImageHeader.parse(file[:HEADER_BYTES]), SKU), self.signer)
        sha256 = hashlib.sha256(file).hexdigest()
        self.ask("PUT", f"/images/{sha256}", content=file)
        body = {"sku": SKU, "sha256": sha256, "manifest": signed_manifest_to_object(manifest)}
        return self.ask("POST", "/releases", json=body), file

    def roll_out(self, release: dict[str, Any]) -> None:
        self.ask("POST", "/rollouts", json={"release_id": release["release_id"], "plan": plan_to_object(EVERYONE)})

    def bring_everyone_to(self, version: str) -> None:
        """Let every robot check until its record says that it runs this version."""

        def arrived() -> bool:
            for robot in self.robots.values():
                robot.check()
            records = self.ask("GET", "/robots")["robots"]
            return all((one["status"], one["running_version"]) == ("installed", version) for one in records)

        until(arrived)

    def divergent(self) -> list[str]:
        """Return the robots whose record names another image than the one that runs in their flash."""
        records = self.ask("GET", "/robots")["robots"]
        return [
            one["robot_id"] for one in records if one["running_digest"] != self.robots[one["robot_id"]].running_digest
        ]

    def wait_for_delta(self, release: dict[str, Any]) -> None:
        def is_there() -> bool:
            releases = self.ask("GET", "/releases")["releases"]
            return [one["deltas"] for one in releases if one["release_id"] == release["release_id"]] == [1]

        until(is_there)


def until(holds: Callable[[], bool]) -> None:
    """Ask the server again and again; each question takes its time, so there is nothing to sleep for."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s, "it never came to that"


@pytest.fixture
def fleet(tmp_path: Path, signer: FileSigner) -> Iterator[Field]:
    with LiveServer(tmp_path / "data", tick_s="0.1") as server, server.operator() as operator:
        field = Field(server=server, operator=operator, signer=signer)
        key = {"name": "release", "der_base64": base64.b64encode(signer.public_key.der).decode()}
        field.ask("POST", "/keys", json=key)
        for robot_id in ("robot-1", "robot-2"):
            field.add_robot(robot_id)
        yield field


def on_the_way_to_the_second(fleet: Field) -> tuple[dict[str, Any], bytes]:
    """Bring all robots to the first release; return the second with its delta, as the server built it by itself."""
    release, first_file = fleet.publish(FIRST)
    fleet.roll_out(release)
    fleet.bring_everyone_to(FIRST)
    release, second_file = fleet.publish(SECOND)
    fleet.wait_for_delta(release)
    fleet.opened.clear()
    return release, make_delta(first_file, second_file)


def test_robots_download_the_delta_that_the_server_built_and_their_records_are_true(fleet: Field) -> None:
    release, delta = on_the_way_to_the_second(fleet)
    fleet.roll_out(release)
    fleet.bring_everyone_to(SECOND)

    assert fleet.opened == {hashlib.sha256(delta).hexdigest(): len(fleet.robots)}, "nobody asked for the full file"
    assert len(delta) < release["size_bytes"] / 4
    assert fleet.divergent() == []


def test_a_delta_that_the_disk_spoilt_costs_robots_nothing_but_the_full_download(fleet: Field) -> None:
    release, delta = on_the_way_to_the_second(fleet)
    sha256 = hashlib.sha256(delta).hexdigest()
    [stored] = (fleet.server.data_dir / "images").glob(f"*/*/{sha256}")
    stored.write_bytes(delta[:-20] + bytes(byte ^ 0xFF for byte in delta[-20:]))
    fleet.roll_out(release)
    fleet.bring_everyone_to(SECOND)

    assert fleet.opened[sha256] >= len(fleet.robots) <= fleet.opened[release["sha256"]]
    assert [fleet.ask("GET", f"/robots/{name}")["assignment"]["attempt"] for name in fleet.robots] == [1, 1]
    assert fleet.divergent() == []


def test_a_server_killed_while_it_builds_builds_the_delta_after_its_restart(fleet: Field) -> None:
    release, _ = fleet.publish(FIRST)
    fleet.roll_out(release)
    fleet.bring_everyone_to(FIRST)
    release, _ = fleet.publish(SECOND)
    fleet.server.kill9()
    fleet.server.start()
    with fleet.server.operator() as fleet.operator:
        fleet.wait_for_delta(release)
