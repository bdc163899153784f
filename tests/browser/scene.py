"""A fleet in the middle of its life: a rollout under way, one that a trigger halted, a rotation with stragglers."""

import base64
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from browser.showcase import Showcase
from surefoot.fleet.gate_rows import Point, RolloutCurve
from surefoot.fleet.model import Rollout
from surefoot.fleet.ports import Rows
from surefoot.rollout.metrics import Metric
from surefoot.signing.signers import FileSigner
from surefoot.store.sql_store import SqlStore
from waiting import wait_until

QUARTER_S = 900
POINTS = 96


def set_scene(stage: Showcase) -> dict[str, str]:
    """Fill a fresh server; return the ids of what is on it, by what it is."""
    key = stage.trust("release-2026", stage.signer)
    old_key = stage.trust("release-2025", FileSigner(ec.generate_private_key(ec.SECP256R1())))
    walkers = [f"walker-{number:02}" for number in range(1, 25)]
    arms = [f"arm-{number:02}" for number in range(1, 9)]
    for robot_id in walkers:
        stage.enrol(robot_id, "0.2.0", "walker", [key, *([old_key] if robot_id > "walker-21" else [])])
    for robot_id in arms:
        stage.enrol(robot_id, "1.0.0", "arm", [key])
    usual = {"ok_s": 58, "warn_s": 1, "topics": {"odom": 49.5, "joint_states": 98}}
    for robot_id in arms:
        for percent in (90.0, 89.8, 89.6):
            battery = {"battery_start_percent": percent, "battery_end_percent": percent - 0.2}
            stage.tell_health(robot_id, **usual, **battery, handshakes_tried=40, handshakes_failed=1)
    first = stage.roll_out(stage.publish("0.2.0", "walker"))
    stage.roll_out(stage.publish("1.0.0", "arm"))
    stage.update(*walkers, to="0.2.0")
    stage.update(*arms, to="1.0.0")
    halted = stage.roll_out(stage.publish("1.1.0", "arm"), failures_max=1)
    stage.update(*arms[:4], to="1.1.0")
    stage.fail(arms[4])
    worse = {"ok_s": 40, "warn_s": 15, "error_s": 4, "topics": {"odom": 38.0, "joint_states": 80}}
    for robot_id in arms[:4]:
        battery = {"battery_start_percent": 88.0, "battery_end_percent": 87.5}
        stage.tell_health(robot_id, **worse, **battery, handshakes_tried=40, handshakes_failed=2)
    stage.tell_health(arms[1], ok_s=50, stops_other=1)
    wait_until(lambda: stage.ask("GET", f"/rollouts/{halted}")["state"] == "halted")
    running = _staged(stage, walkers)
    stage.robots[walkers[-1]].version = "0.1.9"
    stage.report(walkers[-1])
    rotation = stage.ask("POST", "/rotations", {"key_id": old_key, "reason": "The build server was broken into."})
    der = base64.b64encode(stage.signer.public_key.der).decode()
    named = {"name": "release-2026", "der_base64": der}
    stage.ask("POST", f"/rotations/{rotation['rotation_id']}/new-key", named)
    return {
        "finished": first,
        "halted": halted,
        "incident": f"{halted}-2",
        "running": running["rollout_id"],
        "release": running["release_id"],
        "rotation": rotation["rotation_id"],
        "robot": arms[1],
        "key": key,
    }


def _staged(stage: Showcase, walkers: list[str]) -> dict[str, str]:
    """Start a rollout in phases, and bring it into the middle of its second one."""
    release_id = stage.publish("0.2.1", "walker")
    phases = [
        {"name": "internal", "robots": walkers[:2], "soak_s": 0},
        {"name": "canary", "percent": 30, "soak_s": 172_800},
        {"name": "wider", "percent": 50, "soak_s": 86_400},
        {"name": "full", "percent": 100, "soak_s": 86_400, "approval": True},
    ]
    rollout_id = stage.roll_out(release_id, phases=phases, gates={}, failures_max=None)
    stage.update(*walkers[:2], to="0.2.1")
    wait_until(lambda: stage.ask("GET", f"/rollouts/{rollout_id}")["phase_name"] == "canary")
    for robot_id in walkers[2:]:
        stage.report(robot_id)
    reached = [robot_id for robot_id in walkers[2:] if stage.robots[robot_id].offer_of(release_id)]
    stage.update(*reached[:-1], to="0.2.1")
    return {"release_id": release_id, "rollout_id": rollout_id}


def draw_evidence(data_dir: Path, rollout_id: str) -> None:
    """Give a rollout a day of evidence, as if it had been watched for so long."""
    store = SqlStore(f"sqlite:///{data_dir / 'surefoot.db'}")

    def work(rows: Rows) -> None:
        rollout = rows.get(Rollout, rollout_id)
        assert rollout is not None
        rows.put(RolloutCurve(rollout_id=rollout_id, points=tuple(_points(rollout.looked_at_s))))

    store.submit(work).result()
    store.close()


def _points(until_s: float) -> list[Point]:
    found = []
    for number in range(POINTS):
        share = number / POINTS
        wave = (number * 37 % 11) / 11
        log_evidence = {metric: 0.4 * wave * (1 + index % 3) - 0.3 for index, metric in enumerate(Metric)}
        log_evidence[Metric.ERROR] = 3.6 * share**2 + 0.2 * wave
        log_evidence[Metric.WARNING_TIME] = 2.2 * share - 0.3 * wave
        at_s = until_s - (POINTS - number) * QUARTER_S
        found.append(Point(at_s=at_s, log_pooled=1.6 * share**2 + 0.15 * wave - 0.1, log_evidence=log_evidence))
    return found
