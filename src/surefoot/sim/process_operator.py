"""An operator who brings one release after another to a fleet, through whichever server answers."""

import base64
import hashlib
import json
import random
import time
from collections.abc import Callable
from typing import Any

from surefoot.rollout.plan import Phase, Plan
from surefoot.rollout.plan_format import plan_to_object
from surefoot.signing.image import sign_image
from surefoot.signing.manifest import manifest_for, sign_manifest
from surefoot.signing.signers import Signer
from surefoot.sim.images import app_image
from surefoot.sim.light_client import LOST, LightClient
from surefoot.wire.errors import Interrupted
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.manifest import signed_manifest_to_object
from surefoot.wire.version import Version

TRY_S = 0.2
# Both servers may be starting at once on a machine that has other things to do.
GIVE_UP_S = 90.0
SOAK_S = 1.0


class ProcessOperator:
    """Does what an operator does, again until it was done.

    Args:
        sku: Of the robots.
        signer: Signs images and manifests.
        client: With an operator's token.
        chance: Decides what it does to a rollout, and when.
    """

    def __init__(self, sku: str, signer: Signer, client: LightClient, chance: random.Random) -> None:
        self.files: list[tuple[str, int]] = []
        self.finished = 0
        self._sku = sku
        self._signer = signer
        self._client = client
        self._chance = chance

    def introduce(self, webhook_url: str) -> str:
        """Let the fleet trust the key and tell this address of rollouts; return the webhook's id."""
        der = base64.b64encode(self._signer.public_key.der).decode()
        self._post("/api/v1/keys", {"name": "chaos", "der_base64": der})
        return str(self._post("/api/v1/webhooks", {"url": webhook_url})["webhook_id"])

    def enrol(self, robot_id: str, token: str) -> None:
        """Add a robot to the fleet."""
        body = {"robot_id": robot_id, "sku": self._sku, "token_sha256": hashlib.sha256(token.encode()).hexdigest()}
        self._post("/api/v1/robots", body)

    def publish(self, version: str, size_bytes: int, seed: int) -> str:
        """Publish an image; return its release's id."""
        file = sign_image(app_image(version, size_bytes=size_bytes, seed=seed), Version.parse(version), self._signer)
        sha256 = hashlib.sha256(file).hexdigest()
        manifest = manifest_for(ImageHeader.parse(file[:HEADER_BYTES]), self._sku).replace(protocol=1)
        envelope = signed_manifest_to_object(sign_manifest(manifest, self._signer))
        self._do("PUT", f"/api/v1/images/{sha256}", file, "application/octet-stream")
        body = {"sku": self._sku, "sha256": sha256, "manifest": envelope}
        found = self._post("/api/v1/releases", body, lambda: self._of("releases", "sha256", sha256))
        self.files.append((sha256, len(file)))
        return str(found["release_id"])

    def start(self, release_id: str, first: tuple[str, ...], capacity: int) -> str:
        """Start a rollout in three phases; return its id."""
        plan = Plan(
            phases=(
                Phase(name="internal", robots=first, soak_s=SOAK_S),
                Phase(name="half", percent=50, soak_s=SOAK_S),
                Phase(name="full", percent=100, soak_s=SOAK_S),
            ),
            capacity=capacity,
            # A run lasts for minutes, and robots settle for an hour.
            ramp=None,
        )
        body = {"release_id": release_id, "plan": plan_to_object(plan)}
        found = self._post("/api/v1/rollouts", body, lambda: self._of("rollouts", "release_id", release_id))
        return str(found["rollout_id"])

    def lead(self, rollout_id: str, goes_on: Callable[[], bool], *, pauses: bool) -> bool:
        """Watch a rollout until it is finished or `goes_on` says no, and pause it at times; return whether it is."""
        while goes_on():
            state = self._state(rollout_id)
            if state == "finished":
                self.finished += 1
                return True
            if pauses and state == "running" and self._chance.random() < 0.05:
                self._change(rollout_id, "pause", "paused")
                time.sleep(self._chance.random())
            if pauses and self._state(rollout_id) == "paused":
                self._change(rollout_id, "resume", "running")
            time.sleep(TRY_S)
        return False

    def _state(self, rollout_id: str) -> str:
        return str(self._do("GET", f"/api/v1/rollouts/{rollout_id}")["state"])

    def _change(self, rollout_id: str, change: str, state: str) -> None:
        def looks_done() -> Any:
            return self._state(rollout_id) in (state, "finished") or None

        self._post(f"/api/v1/rollouts/{rollout_id}/{change}", {"reason": "Chance wants it."}, looks_done)

    def _of(self, nouns: str, field: str, value: str) -> Any:
        return next((found for found in self._do("GET", f"/api/v1/{nouns}")[nouns] if found[field] == value), None)

    def _post(self, path: str, body: dict[str, Any], look: Callable[[], Any] = lambda: None) -> Any:
        return self._do("POST", path, json.dumps(body).encode(), "application/json", look)

    def _do(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        kind: str = "application/json",
        look: Callable[[], Any] = lambda: None,
    ) -> Any:
        """Ask until it is answered with a success; `look` tells whether what was not answered was done all the same."""
        deadline_s = time.monotonic() + GIVE_UP_S
        said = "nothing"
        while time.monotonic() < deadline_s:
            try:
                answer = self._client.ask(method, path, body, {"Content-Type": kind} if body is not None else {})
            except LOST as error:
                said = f"{type(error).__name__}: {error}"
            else:
                if answer.status < 300:
                    return json.loads(answer.body)
                said = f"{answer.status} {answer.body[:300]!r}"
                if answer.status >= 500 and answer.status != 503:
                    break
            found = look()
            if found is not None:
                return found
            # What is known already when it is sent again was done the first time.
            if b"-exists" in said.encode():
                return {}
            time.sleep(TRY_S)
        raise Interrupted("server-unreachable", f"{method} {path} was not done within {GIVE_UP_S:g} s: {said}.")
