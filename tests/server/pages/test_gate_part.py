"""The gate as its page draws it, and approvals."""

import json
import math
from dataclasses import replace

import pytest

from server.pages.page_case import browser, start, tell
from server_bench import NOW_S, Bench
from surefoot.fleet.access import Role
from surefoot.fleet.alarms import raise_alarm
from surefoot.fleet.gate_rows import Point, RolloutCurve
from surefoot.fleet.gate_view import GateView, MetricView
from surefoot.fleet.model import RolloutState
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollout_history import RolloutAction, note_change
from surefoot.fleet.rollouts import find_rollout
from surefoot.rollout import gate
from surefoot.rollout.evidence import Answer
from surefoot.rollout.first_event import FirstEvents
from surefoot.rollout.means import Means
from surefoot.rollout.metrics import Metric
from surefoot.rollout.outcomes import Outcomes
from surefoot.rollout.rates import Rates
from surefoot.rollout.triggers import Trigger, Tripped
from surefoot.server.pages.gate_pairs import pairs
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


def test_updated_robots_stand_beside_those_they_are_compared_with() -> None:
    known = gate.start()
    known.outcomes[Metric.INSTALL_FAILED] = Outcomes(failed=1, ended=20)
    known.first_events[Metric.ERROR] = FirstEvents(
        updated_events=3, updated_at_risk=9, others_events=1, others_at_risk=107
    )
    known.rates[Metric.DTLS_FAILURES] = Rates(updated_observed=6.0, updated_expected=4.0)
    known.means[Metric.BATTERY_DRAIN] = Means(updated=30, others=40, difference=math.log(1.2), standard_error=0.05)
    found = pairs(known)
    assert set(found) == set(Metric)
    said = {metric: (pair.labels[0], pair.before.text, pair.since.text) for metric, pair in found.items()}
    assert said[Metric.INSTALL_FAILED] == ("Accepted", "2 %", "1 of 20")
    assert said[Metric.ERROR] == ("Others", "1 of 108", "3 of 12")
    assert said[Metric.DTLS_FAILURES] == ("Predicted", "1.00 times", "1.50 times")
    assert said[Metric.BATTERY_DRAIN] == ("Others", "as before", "+20.0%")
    others, updated = found[Metric.ERROR].bars
    assert updated[0].width == 1000 and others[0].width == pytest.approx(1000 / 27, abs=0.1)
    # What is not known yet is said in words and draws nothing.
    assert said[Metric.TOPIC_RATE][1:] == ("0 robots", "0 robots")
    assert said[Metric.WARNING_TIME][1:] == ("too few", "too few")
    assert drawn_with(known) == "3 of 12"


def test_of_outcomes_the_share_that_the_plan_s_margins_accept_is_shown() -> None:
    known = gate.start()
    found = pairs(known, {Metric.INSTALL_FAILED: 0.05})
    accepted = {metric: found[metric].before for metric in (Metric.INSTALL_FAILED, Metric.NOT_RETURNED)}
    assert {metric: (reading.value, reading.text) for metric, reading in accepted.items()} == {
        Metric.INSTALL_FAILED: (0.05, "5 %"),
        Metric.NOT_RETURNED: (0.001, "0.1 %"),
    }


def drawn_with(known: gate.Evidence) -> str:
    part = gate_part(view(count=3, metric=0.0), known)
    assert part is not None and part.curves[0].pair is not None
    return part.curves[0].pair.since.text


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


def test_an_alarm_that_came_too_late_is_not_said_to_be_accepted(bench: Bench) -> None:
    rollout_id = start(bench, "0.2.1")
    robots, ended_s = ("robot-1", "robot-2"), NOW_S - 30 * 86400

    def work(rows: Rows) -> None:
        finished = find_rollout(rows, rollout_id)
        note_change(rows, replace(finished, state=RolloutState.FINISHED), RolloutAction.FINISHED, "engine", ended_s)
        for robot_id, at_s in zip(robots, (ended_s - 60, ended_s + 8 * 86400), strict=True):
            tripped = Tripped(trigger=Trigger.SAFETY_STOP, robot_ids=(robot_id,), sentence=f"{robot_id} stopped.")
            raise_alarm(rows, rollout_id, tripped, at_s, is_open=False)

    bench.services.store.submit(work).result()
    text = browser(bench, Role.VIEWER).see(f"/rollouts/{rollout_id}").text
    accepted, late = text.index("accepted by whoever resumed"), text.index("too long after the end of the rollout")
    assert text.index("robot-1 stopped.") < accepted < text.index("robot-2 stopped.") < late
    assert text.count("accepted by whoever resumed") == 1


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
