"""A demonstration fleet: a real server, simulated robots with real firmware, one staged rollout in compressed time.

Everything lives in one directory, so that a second start goes on where the first stopped.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from surefoot.rollout.plan import Phase, Plan
from surefoot.rollout.plan_format import plan_to_object
from surefoot.signing.image import sign_image
from surefoot.signing.manifest import manifest_for, sign_manifest
from surefoot.signing.signers import Signer, new_key, open_signer
from surefoot.sim.firmware import real_images
from surefoot.sim.ground import identity_of
from surefoot.sim.robot_pool import RobotPool
from surefoot.sim.server_process import ServerProcess
from surefoot.trust.keys import KeyRing
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.manifest import signed_manifest_to_object
from surefoot.wire.version import Version

SKU = "standard"
OLD_VERSION = "0.2.0"
NEW_VERSION = "0.2.1"
# The five days of the fleet strategy pass in half a minute, and the 6 h between two checks in a second.
SPEEDUP = 20_000
HOUR_S = 3600 / SPEEDUP
# Asking every minute of that time would be asking all the time.
SERVER_SETTINGS = {"busy_check_s": "3600", "tick_s": "0.2"}
LOOK_S = 0.2


class Operator(Protocol):
    """What the demonstration asks of an operator's client."""

    def get(self, path: str) -> Any:
        """Return an answer."""

    def get_all(self, path: str, key: str) -> list[Any]:
        """Return all rows of a paged list."""

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Ask for a change."""

    def put_bytes(self, path: str, data: bytes) -> Any:
        """Upload a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How a demonstration ended.

    `divergent` counts robots whose record names another image than the one that runs in their flash.
    """

    robots: int
    installed: int
    rolled_back: int
    silent: int
    divergent: int
    seconds: float
    rollout: str
    server_starts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at the fleet shows: the rollout as the server tells it, and its robots."""

    rollout: dict[str, Any]
    robots: list[dict[str, Any]]


def demo_plan(robot_ids: list[str]) -> Plan:
    """Return the fleet strategy in compressed time: two internal robots, 10 %, 50 %, 100 %."""
    return Plan(
        phases=(
            Phase(name="internal", robots=tuple(robot_ids[:2]), soak_s=24 * HOUR_S),
            Phase(name="canary", percent=10, soak_s=48 * HOUR_S),
            Phase(name="wider", percent=50, soak_s=24 * HOUR_S),
            Phase(name="full", percent=100, soak_s=24 * HOUR_S),
        )
    )


class Demonstration:
    """A fleet in a directory.

    Args:
        directory: Where server, robots and the demonstration's key are kept.
        robots: How many there are.
        server: The server's process.
        operator: A client for it.
        log: Where lines of robots go.
    """

    def __init__(
        self,
        directory: Path,
        robots: int,
        server: ServerProcess,
        operator: Operator,
        log: Callable[[str, str], None] = lambda robot_id, text: None,
    ) -> None:
        self.robot_ids = [f"robot-{number:03d}" for number in range(1, robots + 1)]
        self.pool = RobotPool(SPEEDUP, log)
        self._directory = directory
        self._server = server
        self._operator = operator

    def prepare(self) -> str:
        """Make what is missing: key, robots, release, rollout; return the rollout's id."""
        signer = self._signer()
        old, new = real_images()
        self._operator.post(
            "/api/v1/keys", {"name": "demo", "der_base64": base64.b64encode(signer.public_key.der).decode()}
        )
        for robot_id in self.robot_ids:
            self._add_robot(robot_id, signer, old)
        release_id = self._publish(signer, new)
        for rollout in self._operator.get("/api/v1/rollouts")["rollouts"]:
            if rollout["release_id"] == release_id:
                return str(rollout["rollout_id"])
        plan = plan_to_object(demo_plan(self.robot_ids))
        return str(self._operator.post("/api/v1/rollouts", {"release_id": release_id, "plan": plan})["rollout_id"])

    def run(self, rollout_id: str, show: Callable[[Look], None], timeout_s: float | None = None) -> Summary:
        """Let the robots work until the rollout has ended; start the server again if it dies meanwhile.

        Raises:
            Interrupted: `demo-timeout` when the rollout has not ended in time.
        """
        started_s = time.monotonic()
        while True:
            look = self.look(rollout_id)
            if look is not None:
                show(look)
                # Robots of an earlier start have first to be switched on: what is off runs nothing.
                if look.rollout["state"] != "running" and self._is_every_robot_on():
                    break
            if timeout_s is not None and time.monotonic() - started_s > timeout_s:
                raise Interrupted("demo-timeout", f"The rollout did not end within {timeout_s:g} s: see server.log.")
            time.sleep(LOOK_S)
        return self._summary(look, time.monotonic() - started_s)

    def look(self, rollout_id: str) -> Look | None:
        """Return how things stand; None while the server does not answer."""
        self._server.revive()
        try:
            rollout = self._operator.get(f"/api/v1/rollouts/{rollout_id}")
            return Look(rollout=rollout, robots=self._operator.get_all("/api/v1/robots", "robots"))
        except Interrupted:
            return None

    def _is_every_robot_on(self) -> bool:
        return all(robot.running_digest is not None for robot in self.pool.robots.values())

    def _summary(self, look: Look, seconds: float) -> Summary:
        statuses = [robot["status"] for robot in look.robots]
        truth = {robot_id: robot.running_digest for robot_id, robot in self.pool.robots.items()}
        return Summary(
            robots=len(look.robots),
            installed=statuses.count("installed"),
            rolled_back=statuses.count("rolled_back"),
            silent=statuses.count("silent"),
            divergent=sum(robot["running_digest"] != truth.get(robot["robot_id"]) for robot in look.robots),
            seconds=round(seconds, 1),
            rollout=look.rollout["state"],
            server_starts=self._server.starts,
        )

    def _signer(self) -> Signer:
        path = self._directory / "demo-key.pem"
        if not path.exists():
            new_key(path)
        return open_signer(f"file:{path}")

    def _add_robot(self, robot_id: str, signer: Signer, image: bytes) -> None:
        folder = self._directory / "robots" / robot_id
        folder.mkdir(parents=True, exist_ok=True)
        token_path = folder / "token"
        if not token_path.exists():
            token_path.touch(mode=0o600)
        token = token_path.read_text().strip()
        if not token:
            token = secrets.token_urlsafe(32)
            token_path.write_text(token)
        body = {"robot_id": robot_id, "sku": SKU, "token_sha256": hashlib.sha256(token.encode()).hexdigest()}
        try:
            self._operator.post("/api/v1/robots", body)
        except Refused as refusal:
            if refusal.code not in ("refused-robot-exists", "refused-token-exists"):
                raise
        ca = self._directory / "tls" / "ca.pem"
        self.pool.add(
            identity_of(robot_id, KeyRing(keys=(signer.public_key,))),
            folder / "flash.bin",
            image,
            OLD_VERSION,
            self._server.url,
            token,
            ca,
        )

    def _publish(self, signer: Signer, firmware: bytes) -> str:
        # Signing anew would make another file of the same image: the published one is kept.
        path = self._directory / f"{SKU}-{NEW_VERSION}.json"
        if path.exists():
            return str(json.loads(path.read_text())["release_id"])
        image = sign_image(firmware, Version.parse(NEW_VERSION), signer)
        manifest = manifest_for(ImageHeader.parse(image[:HEADER_BYTES]), SKU).replace(
            protocol=1,
            version_floor=Version.parse(OLD_VERSION),
            notes="A real MicroPython build for the ESP32.",
        )
        sha256 = hashlib.sha256(image).hexdigest()
        self._operator.put_bytes(f"/api/v1/images/{sha256}", image)
        envelope = signed_manifest_to_object(sign_manifest(manifest, signer))
        release = self._operator.post("/api/v1/releases", {"sku": SKU, "sha256": sha256, "manifest": envelope})
        path.write_text(json.dumps(release))
        return str(release["release_id"])
