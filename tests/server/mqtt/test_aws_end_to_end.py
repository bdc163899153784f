"""Devices made for AWS IoT at a real server and a real Mosquitto: called, streamed to, stopped."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import cbor2
import pytest

from fleet.aws_agent import AgentV3
from server.mqtt.jobs_field import IMAGE, JobsField, JobsPeer, jobs_field
from surefoot.signing.signers import FileSigner
from waiting import wait_until

pytestmark = pytest.mark.mosquitto

OLD, NEW = 0x00020000, 0x00020001
# Block size, blocks asked for at once, whether a bitmap says which.
WINDOWS = [(256, 512, True), (4096, 4, True), (4096, 32, False), (16_384, 1, False), (100_000, 1, True)]


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory, signer: FileSigner) -> Iterator[JobsField]:
    with jobs_field(tmp_path_factory.mktemp("field"), signer) as made:
        yield made


class Streaming:
    """A device that streams its job's file."""

    def __init__(self, peer: JobsPeer, stream: str, form: str) -> None:
        self.peer, self.form = peer, form
        self.root = peer.topic(f"streams/{stream}")
        for word in ("data", "description", "rejected"):
            peer.subscribe(f"{self.root}/{word}/{form}")

    def ask(self, verb: str, request: dict[str, Any], answers: int = 1) -> list[tuple[str, dict[str, Any]]]:
        before = len(self.peer.messages)
        self.peer.publish(f"{self.root}/{verb}/{self.form}", self.encoded(request))
        wait_until(lambda: len(self.told(before)) >= answers)
        return self.told(before)

    def told(self, before: int) -> list[tuple[str, dict[str, Any]]]:
        decode = cbor2.loads if self.form == "cbor" else json.loads
        return [
            (topic.split("/")[-2], decode(payload))
            for topic, payload in self.peer.messages[before:]
            if topic.startswith(self.root)
        ]

    def encoded(self, request: dict[str, Any]) -> bytes:
        if self.form == "json":
            bitmap = request.get("b")
            return json.dumps(request | ({} if bitmap is None else {"b": bitmap.hex()})).encode()
        # Firmware writes maps without saying how long they are.
        return b"\xbf" + b"".join(cbor2.dumps(name) + cbor2.dumps(value) for name, value in request.items()) + b"\xff"

    def payload(self, block: dict[str, Any]) -> bytes:
        return base64.b64decode(block["p"]) if self.form == "json" else bytes(block["p"])

    def fetch(self, block_bytes: int, count: int, *, by_bitmap: bool) -> bytes:
        total, found = -(-len(IMAGE) // block_bytes), b""
        for first in range(0, total, count):
            expected = range(first, min(first + count, total))
            request: dict[str, Any] = {"c": "t", "s": 1, "f": 0, "l": block_bytes, "o": first, "n": count}
            if by_bitmap:
                request["b"] = (2 ** len(expected) - 1).to_bytes(-(-count // 8), "little")
            blocks = self.ask("get", request, len(expected))
            assert [(word, block["i"]) for word, block in blocks] == [("data", number) for number in expected]
            found += b"".join(self.payload(block) for _, block in blocks)
        return found


def test_a_device_that_waits_is_called_streams_and_updates(field: JobsField) -> None:
    for robot_id in ("robot-1", "robot-2"):
        field.enrol(robot_id)
    with field.device("robot-1") as peer, field.device("robot-2") as other:
        for waiting in (peer, other):
            waiting.subscribe(waiting.topic("jobs/notify-next"))
            assert "execution" not in waiting.ask("$next/get", {})
        rollout_id = field.roll_out()
        for waiting in (peer, other):
            wait_until(lambda waiting=waiting: next_job(waiting) is not None)  # type: ignore[misc]
        job = next_job(peer)
        assert job is not None
        stream = job["jobDocument"]["afr_ota"]["streamname"]
        for form in ("json", "cbor"):
            streaming = Streaming(peer, stream, form)
            [(_, described)] = streaming.ask("describe", {"c": "t"})
            assert described["r"] == [{"f": 0, "z": len(IMAGE)}]
            for block_bytes, count, by_bitmap in WINDOWS:
                assert streaming.fetch(block_bytes, count, by_bitmap=by_bitmap) == IMAGE
            last = {"f": 0, "l": 4096, "o": len(IMAGE) // 4096, "n": 3}
            [(_, block)] = streaming.ask("get", last if form == "json" else last | {"b": b"MQ=="})
            assert streaming.payload(block) == IMAGE[len(IMAGE) // 4096 * 4096 :]
            [(word, refusal)] = streaming.ask("get", {"f": 0, "l": 4096, "o": 10_000, "c": "t"})
            assert (word, refusal["code"], refusal["c"]) == ("rejected", "OffsetOutOfBounds", "t")
        device = AgentV3(ask=peer.ask, running=OLD, offered=NEW)
        device.live()
        assert (device.running, field.status("robot-1")) == (NEW, "installed")
        # The other one has begun, and is stopped.
        begun = other.ask("start-next", {})["execution"]["jobId"]
        field.ask("POST", f"/rollouts/{rollout_id}/halt", json={"reason": "smoke"})
        wait_until(lambda: next_job(other) is None)
        assert other.ask(f"{begun}/get", {})["execution"]["status"] == "CANCELED"


def next_job(peer: JobsPeer) -> dict[str, Any] | None:
    """Return the job that the device was told last to be next."""
    told = [payload for topic, payload in list(peer.messages) if topic.endswith("/notify-next")]
    job: dict[str, Any] | None = json.loads(told[-1]).get("execution") if told else None
    return job
