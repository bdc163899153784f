"""A fleet worth looking at, made through the server's own doors: what the browser tests and the pictures show."""

import base64
import json
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from live_server import LiveServer
from server_bench import SignedBuild, build
from surefoot.signing.signers import FileSigner

PASSWORD = "a long sentence to sign in with"
# Looked at often, and no broker: what the pages show comes over HTTPS.
SETTINGS = {"tick_s": "0.1", "broker": "none"}
AT_ONCE = [{"name": "full", "percent": 100, "soak_s": 0}]
UNWATCHED = {"failures_max": 0, "gates": {"metrics": []}, "ramp": "off"}


@dataclass(slots=True)
class ToldRobot:
    """A robot that says what the test wants it to have done."""

    robot_id: str
    sku: str
    token: str
    version: str
    trusted_keys: list[str] = field(default_factory=list)
    seq: int = 0
    offer: dict[str, Any] | None = None
    windows: int = 0

    @property
    def digest(self) -> str:
        return digest_of(self.version)

    def offer_of(self, release_id: str) -> bool:
        """Whether the newest offer is of this release."""
        return self.offer is not None and self.offer["release"] == release_id


def digest_of(version: str) -> str:
    """Return the digest of the image that `Showcase.publish` makes of a version."""
    return sha256(version.encode() * 1000).hexdigest()


def signed_build(signer: FileSigner, version: str, sku: str) -> SignedBuild:
    """Return the image of a version, whose digest `digest_of` tells, with its manifest."""
    firmware = version.encode() * 1000
    # `build` puts the version behind the firmware.
    return build(signer, version, sku, firmware[: -len(version)])


class Showcase:
    """A server's operator and its robots.

    Args:
        server: The server, started.
    """

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.api = server.operator()
        self.devices = httpx.Client(base_url=server.url, verify=server.tls, timeout=60)
        self.signer = FileSigner(ec.generate_private_key(ec.SECP256R1()))
        self.robots: dict[str, ToldRobot] = {}

    def close(self) -> None:
        self.api.close()
        self.devices.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the operator plane."""
        answer = self.api.request(method, f"/api/v1{path}", json=body)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json()

    def account(self, name: str, role: str) -> None:
        self.ask("POST", "/accounts", {"name": name, "role": role, "password": PASSWORD})

    def trust(self, name: str, signer: FileSigner) -> str:
        """Have the server trust a key; return its id."""
        der = base64.b64encode(signer.public_key.der).decode()
        return str(self.ask("POST", "/keys", {"name": name, "der_base64": der})["key_id"])

    def publish(self, version: str, sku: str = "standard") -> str:
        """Sign and publish an image; return the release's id."""
        signed = signed_build(self.signer, version, sku)
        answer = self.api.put(f"/api/v1/images/{signed.sha256}", content=signed.data)
        assert answer.is_success, answer.text
        return str(self.ask("POST", "/releases", signed.release_body(sku))["release_id"])

    def files(self, folder: Path, version: str, sku: str = "standard") -> tuple[Path, Path]:
        """Write what a person would upload: the signed image, and its signed manifest."""
        signed = signed_build(self.signer, version, sku)
        image, manifest = folder / "robot.img", folder / "manifest.json"
        image.write_bytes(signed.data)
        manifest.write_text(json.dumps(signed.release_body(sku)["manifest"]))
        return image, manifest

    def roll_out(self, release_id: str, **plan: Any) -> str:
        """Start a rollout; return its id."""
        body = {"release_id": release_id, "plan": {"phases": AT_ONCE, **UNWATCHED, **plan}}
        return str(self.ask("POST", "/rollouts", body)["rollout_id"])

    def change(self, rollout_id: str, change: str, reason: str) -> None:
        self.ask("POST", f"/rollouts/{rollout_id}/{change}", {"reason": reason})

    def enrol(self, robot_id: str, version: str, sku: str = "standard", trusted_keys: list[str] | None = None) -> None:
        """Enrol a robot and have it report what it runs."""
        token = self.ask("POST", "/robots", {"robot_id": robot_id, "sku": sku})["token"]
        self.robots[robot_id] = ToldRobot(robot_id, sku, token, version, trusted_keys or [])
        self.report(robot_id)

    def report(self, robot_id: str, **changes: Any) -> Any:
        """Have a robot report; return what it is told, and keep what it is offered."""
        robot = self.robots[robot_id]
        robot.seq += 1
        running = {"slot": "ota_0", "version": robot.version, "digest": robot.digest, "state": "confirmed"}
        said = {
            "robot_id": robot_id,
            "sku": robot.sku,
            "boot": 1,
            "seq": robot.seq,
            "running": running,
            "trusted_keys": robot.trusted_keys,
            **changes,
        }
        answer = self.devices.post("/v1/report", headers={"Authorization": f"Bearer {robot.token}"}, json=said)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        robot.offer = told.get("order") or robot.offer
        return told

    def update(self, *robot_ids: str, to: str) -> None:
        """Have robots ask, install what they are offered, and say so."""
        for robot_id in robot_ids:
            self.report(robot_id)
            self.robots[robot_id].version = to
            self.report(robot_id)

    def tell_health(self, robot_id: str, **sums: Any) -> None:
        """Have a robot tell how it was for the last minute."""
        robot = self.robots[robot_id]
        robot.windows += 1
        window = {"robot_id": robot_id, "boot": 1, "number": robot.windows, "length_s": 60, **sums}
        answer = self.devices.post("/v1/health", headers={"Authorization": f"Bearer {robot.token}"}, json=window)
        assert answer.status_code == 204, answer.text

    def fail(self, robot_id: str, code: str = "trial-failed") -> None:
        """Have a robot ask, try what it is offered, and go back."""
        self.report(robot_id)
        offer = self.robots[robot_id].offer
        assert offer is not None
        ended = {"id": offer["id"], "state": "rolled_back", "attempts": 3, "received_bytes": 8000, "code": code}
        self.report(robot_id, assignment=ended)
