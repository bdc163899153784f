"""What people decide beside a plan, over the operator plane: approvals, pins and time zones, each in the audit log."""

from typing import Any

import pytest

from server.access_case import audit_log, make_token, send
from server_bench import Bench, report
from surefoot.fleet.access import Role

PLAN: dict[str, Any] = {
    "phases": [
        {"name": "first", "robots": ["robot-1"], "soak": "1 h"},
        {"name": "full", "percent": 100, "soak": "1 h", "approval": True},
    ],
    "exclude": ["robot-2"],
}


@pytest.fixture
def rollout_id(bench: Bench) -> str:
    """A rollout whose second phase needs an approval, among three robots of which one never said anything."""
    bench.publish("0.2.1")
    for robot_id in ("robot-1", "robot-2", "robot-3"):
        token = bench.enrol(robot_id)
        if robot_id != "robot-3":
            bench.call("POST", "/v1/report", token=token, body=report(robot_id))
    started = bench.operate("POST", "/rollouts", {"release_id": "release-0.2.1", "plan": PLAN})
    assert started.status == 201, started.body
    return str(started.json["rollout_id"])


def test_an_approver_lets_a_phase_open_and_an_operator_may_not(bench: Bench, rollout_id: str) -> None:
    path, body = f"/rollouts/{rollout_id}/approve", {"reason": "looks well"}
    operator, approver = make_token(bench, Role.OPERATOR), make_token(bench, Role.APPROVER)
    assert send(bench, "POST", path, body, token=operator).code == "refused-permission"
    assert send(bench, "POST", path, {"phase": "first", **body}, token=approver).code == "refused-approval"
    approved = send(bench, "POST", path, body, token=approver)
    assert [(it["phase"], it["approved_by"], it["reason"]) for it in approved.json["approvals"]] == [
        (1, "approver", "looks well")
    ]
    assert approved.json["changes"][-1]["action"] == "approved"
    entry = audit_log(bench)[-1]
    assert (entry.actor, entry.action, entry.target, entry.reason) == (
        "approver",
        "rollout.approve",
        rollout_id,
        "looks well",
    )


def test_who_waits_is_counted_with_the_reasons(bench: Bench, rollout_id: str) -> None:
    found = bench.operate("GET", f"/rollouts/{rollout_id}/robots/waiting").json
    assert {group["code"]: group["robot_ids"] for group in found["groups"]} == {
        "due": ["robot-1"],
        "excluded": ["robot-2"],
        "phase-closed": ["robot-3"],
    }
    assert (found["without_offer"], found["is_complete"]) == (3, True)
    assert all(group["why"].endswith(".") for group in found["groups"])
    assert bench.operate("GET", "/rollouts/none/robots/waiting").code == "not-found-rollout"


def test_a_rollout_tells_its_plan_as_it_was_understood(bench: Bench, rollout_id: str) -> None:
    shown = bench.operate("GET", f"/rollouts/{rollout_id}").json
    assert [phase["soak_s"] for phase in shown["plan"]["phases"]] == [3600.0, 3600.0]
    assert (shown["offers_max"], shown["soaked_s"], shown["approvals"]) == (20, 0.0, [])


def test_a_robot_is_pinned_listed_and_unpinned(bench: Bench, rollout_id: str) -> None:
    path, release_id = "/robots/robot-1/pin", "release-0.2.1"
    assert bench.operate("POST", path, {"reason": ""}).code == "refused-reason-missing"
    pinned = bench.operate("POST", path, {"release_id": release_id, "reason": "old arm"})
    assert (pinned.status, pinned.json["release_id"]) == (200, release_id)
    assert bench.operate("GET", "/pins").json == {"pins": [pinned.json]}
    assert bench.operate("DELETE", path).json == pinned.json
    assert bench.operate("GET", "/pins").json == {"pins": []}
    assert bench.operate("DELETE", path).code == "not-found-pin"
    assert [entry.action for entry in audit_log(bench)][-2:] == ["robot.pin", "robot.unpin"]


def test_a_robots_time_zone_is_set(bench: Bench, rollout_id: str) -> None:
    path = "/robots/robot-1/time-zone"
    assert bench.operate("POST", path, {"zone": "Mars/Olympus"}).code == "refused-time-zone"
    assert bench.operate("POST", path, {"zone": "Asia/Tokyo"}).json == {"zone": "Asia/Tokyo"}
    assert audit_log(bench)[-1].action == "robot.time_zone"
