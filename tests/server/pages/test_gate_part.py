"""The gate as its page draws it, and approvals."""

import json
import math

import pytest

from server.pages.page_case import browser, start, tell
from server_bench import NOW_S, Bench
from surefoot.fleet.access import Role
from surefoot.fleet.gate_rows import Point, RolloutCurve
from surefoot.fleet.gate_view import GateView, MetricView
from surefoot.rollout.evidence import Answer
from surefoot.rollout.metrics import Metric
from surefoot.server.pages.gate_part import DRAWN_MAX, HEIGHT, gate_part


def points(count: int, **log_evidence: float) -> tuple[Point, ...]:
    found = {metric: log_evidence.get(metric.name, 0.0) for metric in Metric}
    return tuple(Point(at_s=NOW_S + 900 * n, log_pooled=0.0, log_evidence=found) for n in range(count))


def view(*, count: int, metric: float) -> GateView:
    shown = MetricView(
        metric=Metric.ERROR,
        answer=Answer.TRIPPED,
        log_evidence=metric,
        halts_at_log=math.log(200),
        fact="3 of 12 canaries reported an error, 0 of 108 others",
        sentence="",
    )
    return GateView(
        answer=Answer.TRIPPED,
        sentence="Halted.",
        log_pooled=metric,
        halts_at_log=math.log(20),
        hears=True,
        fed_until_s=NOW_S,
        metrics=(shown,),
        alarms=(),
        points=points(count, ERROR=metric),
    )


def test_a_curve_stays_in_its_frame_and_meets_the_line_where_it_halts() -> None:
    drawn = gate_part(view(count=500, metric=math.log(200)))
    assert drawn is not None
    [curve] = drawn.curves
    places = [tuple(map(float, place.split(" "))) for place in curve.path.removeprefix("M").split("L")]
    assert len(places) <= DRAWN_MAX and places[-1] == (240.0, curve.halt_y)
    beyond = gate_part(view(count=3, metric=1e9))
    below = gate_part(view(count=3, metric=-5.0))
    assert beyond is not None and beyond.curves[0].path.endswith(" 0.0")
    assert below is not None and below.curves[0].path.endswith(f" {HEIGHT}")
    assert json.loads(beyond.chart)["halt"] == pytest.approx(20)


def test_without_two_points_there_is_no_curve_and_without_a_gate_no_part() -> None:
    drawn = gate_part(view(count=1, metric=0.0))
    assert drawn is not None and (drawn.chart, drawn.curves[0].path) == ("", "")
    assert gate_part(None) is None


def test_the_page_draws_the_gate_with_what_it_found(bench: Bench) -> None:
    rollout_id = start(bench, "0.2.1")
    curve = RolloutCurve(rollout_id=rollout_id, points=points(3, ERROR=1.0))
    bench.services.store.submit(lambda rows: rows.put(curve)).result()
    page = browser(bench, Role.VIEWER).see(f"/rollouts/{rollout_id}")
    [chart] = [attributes["data-chart"] for _, attributes in page.tags if "data-chart" in attributes]
    assert json.loads(chart)["times"] == [1.0, 1.0, 1.0]
    assert "Safety stop" in page.text and "alone it halts at" in page.text
    ungated = start(bench, "0.2.2", gates={"metrics": []})
    assert "gates on no metric" in browser(bench, name="bo").see(f"/rollouts/{ungated}").text


def test_an_approver_lets_a_phase_open(bench: Bench) -> None:
    phases = [{"name": "canary", "percent": 10, "soak_s": 60}, {"name": "full", "percent": 100, "approval": True}]
    rollout_id = start(bench, "0.2.1", phases=phases)
    tell(bench, "robot-1")
    approver, operator = browser(bench, Role.APPROVER), browser(bench, Role.OPERATOR)
    path = f"/rollouts/{rollout_id}/approve"
    assert path not in operator.see(f"/rollouts/{rollout_id}").links and operator.get(path).status == 403
    assert path in approver.see(f"/rollouts/{rollout_id}").links
    assert "Phase full may open" in approver.see(path).text
    assert approver.send(path, reason="looked at the canaries").status == 303
    page = approver.see(f"/rollouts/{rollout_id}")
    assert "Approved by the-approver: looked at the canaries" in page.text and path not in page.links
