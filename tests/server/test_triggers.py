"""Every trigger halts by facts that come over HTTPS and by the same over MQTT, and its negative twin does not."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from fake_broker import FakeBroker
from server_bench import NOW_S, Bench, report
from surefoot.fleet.look import tick
from surefoot.fleet.model import Release, Rollout, RolloutState
from surefoot.server.composition import Application
from surefoot.server.mqtt.ingest import Ingest
from surefoot.server.mqtt.stream import Stream

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
UPDATED, OTHERS = ("robot-1", "robot-2"), ("robot-3", "robot-4")
PLAN = {
    "phases": [
        {"name": "internal", "robots": list(UPDATED), "soak": "24 h"},
        {"name": "full", "percent": 100, "soak": "1 h"},
    ],
    "rollback_on_halt": False,
}
QUIET_DAY = {"length_s": DAY_S, "ok_s": DAY_S, "battery_start_percent": 98, "battery_end_percent": 2}


@dataclass
class Field:
    """A server with four robots, of which two run the release of a rollout; they speak by one way, HTTPS or MQTT."""

    bench: Bench
    way: str
    now_s: float = NOW_S
    boots: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.services = replace(self.bench.services, now_s=lambda: self.now_s)
        self.bench = replace(self.bench, services=self.services, app=Application(self.services))
        client = FakeBroker().client()
        stream = Stream(self.services, client, "zero", lambda: self.now_s)
        self.ingest = Ingest(self.services, client, stream, lambda: self.now_s)
        self.bench.publish("0.2.1")
        for robot_id in (*UPDATED, *OTHERS):
            self.bench.enrol(robot_id)
            self.boots[robot_id] = 1
            self.report(robot_id)
            self.now_s += 1
        self.pass_time(DAY_S)
        for robot_id in (*UPDATED, *OTHERS):
            self.tell(robot_id, **QUIET_DAY)
        body = {"release_id": "release-0.2.1", "plan": PLAN}
        self.rollout_id = self.bench.operate("POST", "/rollouts", body).json["rollout_id"]
        for robot_id in UPDATED:
            self.report(robot_id)
            self.restart(robot_id)
        self.pass_time(2 * HOUR_S)

    def say(self, robot_id: str, leaf: str, body: bytes) -> None:
        """Say something by the way of this field."""
        if self.way == "mqtt":
            asyncio.run(self.ingest.take(f"fleet/{robot_id}/{leaf}", body))
        else:
            answer = self.bench.call("POST", f"/v1/{leaf}", token=f"token-of-{robot_id}", body=body)
            assert answer.status in (200, 204), answer.body

    def report(self, robot_id: str) -> None:
        """Let a robot report what it runs: the release from its second boot on."""
        release = self.services.store.read(lambda rows: rows.get(Release, "release-0.2.1"))
        assert release is not None
        running = {"slot": "ota_1", "version": "0.2.1", "digest": release.digest, "state": "confirmed"}
        more: dict[str, Any] = {"running": running} if self.boots[robot_id] > 1 else {}
        self.say(robot_id, "report", report(robot_id, boot=self.boots[robot_id], seq=self.number(robot_id), **more))

    def restart(self, robot_id: str) -> None:
        self.boots[robot_id] += 1
        self.report(robot_id)

    def tell(self, robot_id: str, **sums: Any) -> None:
        """Let a robot tell how its last minute was, or what is said of it."""
        told = {"length_s": 60, "ok_s": 60, **sums}
        place = {"robot_id": robot_id, "boot": self.boots[robot_id], "number": self.number(robot_id)}
        self.say(robot_id, "health", json.dumps(place | told).encode())

    def number(self, robot_id: str) -> int:
        self.counts[robot_id] = self.counts.get(robot_id, 0) + 1
        return self.counts[robot_id]

    def pass_time(self, time_s: float) -> None:
        self.now_s += time_s

    def look(self) -> Rollout:
        """Let the engine look, and return the rollout."""
        self.services.store.submit(lambda rows: tick(rows, self.now_s)).result()
        found = self.services.store.read(lambda rows: rows.get(Rollout, self.rollout_id))
        assert found is not None
        return found


def safety_stop(of: Field, *, by_operator: bool) -> None:
    of.tell("robot-1", **{"stops_operator" if by_operator else "stops_other": 1})


def boot_loop(of: Field, *, restarts: int) -> None:
    for _ in range(restarts):
        of.pass_time(60)
        of.restart("robot-1")


def dtls_failures(of: Field, *, failed: int) -> None:
    of.tell("robot-1", handshakes_tried=20, handshakes_failed=1)
    of.tell("robot-2", handshakes_tried=20, handshakes_failed=failed)


def battery_drain(of: Field, *, others_too: bool) -> None:
    fast = {"length_s": 2 * HOUR_S, "ok_s": 2 * HOUR_S, "battery_start_percent": 90, "battery_end_percent": 72}
    slow = fast | {"battery_end_percent": 82}
    for robot_id in UPDATED:
        of.tell(robot_id, **fast)
    for robot_id in OTHERS:
        of.tell(robot_id, **(fast if others_too else slow))


def silent(of: Field, *, speaks: bool) -> None:
    of.tell("robot-1")
    for _ in range(2):
        of.pass_time(60)
        # Offline it sends no window either: that is merely away.
        if speaks:
            of.tell("robot-1", ok_s=0)


CASES = [
    pytest.param(safety_stop, {"by_operator": False}, {"by_operator": True}, "made a safety stop", id="safety-stop"),
    pytest.param(boot_loop, {"restarts": 4}, {"restarts": 3}, "restarted 4 times within 5 minutes", id="boot-loop"),
    pytest.param(dtls_failures, {"failed": 2}, {"failed": 1}, "DTLS handshakes failed", id="dtls-failures"),
    pytest.param(battery_drain, {"others_too": False}, None, "drain", id="battery-drain"),
    pytest.param(silent, {"speaks": True}, {"speaks": False}, "has sent no diagnostics", id="silent"),
]


@pytest.mark.parametrize("way", ["https", "mqtt"])
@pytest.mark.parametrize(("story", "fires", "does_not", "words"), CASES)
def test_each_trigger_halts_whichever_way_its_facts_came_and_its_twin_does_not(
    bench: Bench,
    way: str,
    story: Callable[..., None],
    fires: dict[str, Any],
    does_not: dict[str, Any] | None,
    words: str,
) -> None:
    of = Field(bench, way)
    if does_not is not None:
        story(of, **does_not)
        assert of.look().state is RolloutState.RUNNING
        of.pass_time(HOUR_S)
    story(of, **fires)
    halted = of.look()
    assert halted.state is RolloutState.HALTED and words in halted.reason
    assert "robot-1" in halted.reason


@pytest.mark.parametrize("way", ["https", "mqtt"])
def test_batteries_that_drain_fast_on_all_robots_halt_nothing_whichever_way_that_came(bench: Bench, way: str) -> None:
    of = Field(bench, way)
    battery_drain(of, others_too=True)
    assert of.look().state is RolloutState.RUNNING
