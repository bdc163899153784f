"""What a rollout's gate says, over the operator plane, from windows that came over the device plane."""

from typing import Any

from fleet.health_case import QUIET
from server_bench import Bench, report
from surefoot.fleet.look import tick
from surefoot.fleet.model import Release
from surefoot.wire.health import HealthWindow, encode_health


def window(robot_id: str, boot: int, **changes: Any) -> bytes:
    sums = QUIET.replace(**changes)
    return encode_health(HealthWindow(robot_id=robot_id, epoch="0", boot=boot, number=1, sums=sums))


def test_a_rollout_shows_each_metric_of_its_gate_and_the_alarm_that_halted_it(bench: Bench) -> None:
    bench.publish("0.2.1")
    token = bench.enrol("robot-1")
    plan = {"phases": [{"name": "full", "percent": 100, "soak": "1 h"}]}
    started = bench.operate("POST", "/rollouts", {"release_id": "release-0.2.1", "plan": plan}).json
    path = f"/rollouts/{started['rollout_id']}"
    bench.call("POST", "/v1/report", token=token, body=report("robot-1", boot=17))
    assert bench.call("POST", "/v1/health", token=token, body=window("robot-1", 17)).status == 204
    release = bench.services.store.read(lambda rows: rows.get(Release, "release-0.2.1"))
    assert release is not None
    running = {"slot": "ota_1", "version": "0.2.1", "digest": release.digest, "state": "confirmed"}
    bench.call("POST", "/v1/report", token=token, body=report("robot-1", boot=18, running=running))
    assert bench.operate("GET", path).json["gates"]["alarms"] == []
    assert bench.call("POST", "/v1/health", token=token, body=window("robot-1", 18, stops_other=1)).status == 204
    bench.services.store.submit(lambda rows: tick(rows, bench.services.now_s())).result()
    shown = bench.operate("GET", path).json
    [alarm] = shown["gates"]["alarms"]
    assert (shown["state"], shown["reason"]) == ("halted", alarm["sentence"])
    assert (alarm["trigger"], alarm["robot_ids"], alarm["is_open"]) == ("safety-stop", ["robot-1"], True)
    assert len(shown["gates"]["metrics"]) == 10
    assert all(metric["log_evidence"] < metric["halts_at_log"] for metric in shown["gates"]["metrics"])
    assert bench.operate("GET", "/rollouts").json["rollouts"][0]["gates"] is None
