"""What a rollout's gate says, over the operator plane, from windows that came over the device plane."""

import math
import re
from typing import Any

import pytest

from fleet.health_case import QUIET
from server_bench import OPERATOR_TOKEN, Bench, report
from surefoot.fleet.alarms import raise_alarm
from surefoot.fleet.gate_rows import RolloutEvidence
from surefoot.fleet.look import tick
from surefoot.fleet.model import Release
from surefoot.fleet.ports import Rows
from surefoot.rollout import gate
from surefoot.rollout.gate import Ended, GateFacts
from surefoot.rollout.metrics import Metric
from surefoot.rollout.outcomes import log_evidence
from surefoot.rollout.triggers import Trigger, Tripped
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
    assert (shown["state"], shown["reason"]) == ("halted", f"{alarm['sentence']} Halted.")
    assert (alarm["trigger"], alarm["robot_ids"], alarm["is_open"]) == ("safety-stop", ["robot-1"], True)
    assert len(shown["gates"]["metrics"]) == 10
    assert all(metric["log_evidence"] < metric["halts_at_log"] for metric in shown["gates"]["metrics"])
    assert bench.operate("GET", "/rollouts").json["rollouts"][0]["gates"] is None


def test_prometheus_is_told_how_near_a_rollout_is_to_a_halt_and_of_its_alarms(bench: Bench) -> None:
    bench.publish("0.2.1")
    token = bench.enrol("robot-1")
    plan = {
        "phases": [{"name": "full", "percent": 100, "soak": "1 h"}],
        "gates": {"metrics": ["not-returned", "error"]},
    }
    rollout_id = bench.operate("POST", "/rollouts", {"release_id": "release-0.2.1", "plan": plan}).json["rollout_id"]
    ungated = {"phases": plan["phases"], "gates": {"metrics": []}}
    other_id = bench.operate("POST", "/rollouts", {"release_id": "release-0.2.1", "plan": ungated}).json["rollout_id"]
    bench.call("POST", "/v1/report", token=token, body=report("robot-1", boot=17))
    evidence = gate.look(
        gate.start(frozenset({Metric.NOT_RETURNED, Metric.ERROR})),
        GateFacts(hours=0.0, outcomes={Metric.NOT_RETURNED: Ended(failed=1, ended=2)}),
    )
    tripped = Tripped(trigger=Trigger.SAFETY_STOP, robot_ids=("robot-1",), sentence="It stopped.")

    def judged(rows: Rows) -> None:
        rows.put(RolloutEvidence(rollout_id=rollout_id, evidence=evidence))
        raise_alarm(rows, rollout_id, tripped, bench.services.now_s())

    bench.services.store.submit(judged).result()
    text = bench.call("GET", "/metrics", token=OPERATOR_TOKEN).body.decode()
    figures = {name: float(value) for name, value in re.findall(r"^(surefoot_\S+) (\S+)$", text, re.MULTILINE)}
    assert figures[f'surefoot_rollout_alarms{{rollout="{rollout_id}"}}'] == 1
    assert figures[f'surefoot_rollout_alarms{{rollout="{other_id}"}}'] == 0
    # Alone it halts at the budget times its weight, which is three parts of four.
    alone = log_evidence(evidence.outcomes[Metric.NOT_RETURNED]) / -math.log(0.05 * 0.75)
    name = f'surefoot_rollout_gate_evidence{{metric="not-returned",rollout="{rollout_id}"}}'
    assert figures[name] == pytest.approx(alone) and 0 < alone < 1
    assert figures[name.replace("not-returned", "error")] == 0
    pooled = gate.log_pooled(evidence) / -math.log(0.05)
    assert figures[f'surefoot_rollout_gate{{rollout="{rollout_id}"}}'] == pytest.approx(pooled)
    assert sum(name.startswith("surefoot_rollout_gate") for name in figures) == 3
