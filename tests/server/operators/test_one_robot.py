"""One robot that is updated alone, over the operator plane."""

from typing import Any

from server.access_case import audit_log
from server_bench import Bench

PATH = "/robots/robot-1/install"
BODY: dict[str, Any] = {"release_id": "release-0.2.1", "reason": "trial in the lab"}


def two_robots(bench: Bench) -> None:
    bench.publish("0.2.1")
    for robot_id in ("robot-1", "robot-2"):
        bench.enrol(robot_id)


def test_a_release_is_brought_to_one_robot_alone(bench: Bench) -> None:
    two_robots(bench)
    started = bench.operate("POST", PATH, BODY)
    assert started.status == 201
    assert (started.json["only_robot_id"], started.json["force"]) == ("robot-1", False)
    assert started.json["plan"]["phases"] == [
        {"name": "one-robot", "robots": ["robot-1"], "percent": 0.0, "soak_s": 0, "approval": False}
    ]
    assert started.json["changes"][0]["reason"] == "trial in the lab"
    entry = audit_log(bench)[-1]
    assert (entry.action, entry.target, entry.reason) == (
        "rollout.start",
        started.json["rollout_id"],
        "trial in the lab",
    )


def test_force_is_the_operators_to_set_and_stands_in_the_audit_log(bench: Bench) -> None:
    two_robots(bench)
    alone = bench.operate("POST", PATH, BODY | {"force": True})
    whole = bench.operate("POST", "/rollouts", {"release_id": "release-0.2.1", "force": True})
    assert alone.json["force"] and whole.json["force"] and whole.json["only_robot_id"] is None
    assert not bench.operate("POST", "/rollouts", {"release_id": "release-0.2.1"}).json["force"]
    started = [entry for entry in audit_log(bench) if entry.action == "rollout.start"]
    assert [entry.after["force"] for entry in started] == [True, True, False]


def test_what_cannot_be_is_refused_and_nothing_starts(bench: Bench) -> None:
    two_robots(bench)
    assert bench.operate("POST", PATH, BODY | {"reason": " "}).code == "refused-reason-missing"
    assert bench.operate("POST", PATH, {"release_id": "release-0.2.1"}).code == "refused-request-format"
    unknown = bench.operate("POST", PATH, BODY | {"release_id": "none"})
    assert (unknown.status, unknown.code) == (404, "not-found-release")
    nobody = bench.operate("POST", "/robots/none/install", BODY)
    assert (nobody.status, nobody.code) == (404, "not-found-robot")
    # Whoever names a robot wrote no plan to correct.
    assert "plan" not in nobody.json["detail"]
    bench.operate("POST", "/robots/robot-1/pin", {"reason": "on loan"})
    pinned = bench.operate("POST", PATH, BODY)
    assert (pinned.status, pinned.code, "on loan" in pinned.json["detail"]) == (409, "refused-pin-state", True)
    assert bench.operate("GET", "/rollouts").json == {"rollouts": []}


def test_a_plan_of_ones_own_may_be_for_one_robot(bench: Bench) -> None:
    two_robots(bench)
    plan = {"phases": [{"name": "lab", "robots": ["robot-1"], "soak": "1 h"}]}
    body = {"release_id": "release-0.2.1", "plan": plan}
    assert bench.operate("POST", "/rollouts", body).json["only_robot_id"] == "robot-1"
    plan["phases"][0]["robots"] = ["robot-1", "robot-2"]
    refused = bench.operate("POST", "/rollouts", body)
    assert refused.code == "refused-plan-format" and "one phase that names one robot" in refused.json["detail"]
