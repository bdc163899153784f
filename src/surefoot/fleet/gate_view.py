"""What a rollout's gate says, for whoever wants to see it: each metric's finding, the alarms, and how evidence grew."""

import math
from dataclasses import dataclass

from surefoot.fleet.alarms import Alarm
from surefoot.fleet.gate_rows import Point, RolloutCurve
from surefoot.fleet.gates import evidence_of
from surefoot.fleet.model import Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.rollout import budget, gate
from surefoot.rollout.evidence import Answer
from surefoot.rollout.metrics import Metric
from surefoot.wire.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricView:
    """One metric's finding; alone it halts the rollout when `log_evidence` reaches `halts_at_log`."""

    metric: Metric
    answer: Answer
    log_evidence: float
    halts_at_log: float
    fact: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateView:
    """A rollout's gate as it stands, the heaviest metric first; logarithms are natural.

    All metrics together halt the rollout when `log_pooled` reaches `halts_at_log`. `hears` tells that its robots send
    telemetry; it came in until `fed_until_s` (Unix seconds), None if never.
    """

    answer: Answer
    sentence: str
    log_pooled: float
    halts_at_log: float
    hears: bool
    fed_until_s: float | None
    metrics: tuple[MetricView, ...]
    alarms: tuple[Alarm, ...]
    points: tuple[Point, ...]


def gate_view(rows: Rows, rollout_id: str) -> GateView | None:
    """Return what a rollout's gate says, None on the way back; `Refused` (`not-found-rollout`).

    A plan that gates on no metric has no findings; its triggers' alarms are there all the same.
    """
    rollout = rows.get(Rollout, rollout_id)
    if rollout is None:
        raise Refused("not-found-rollout", f"There is no rollout {rollout_id}: list the rollouts.")
    if rollout.rolls_back is not None:
        return None
    known, alpha = evidence_of(rows, rollout), rollout.plan.gates.false_halt_budget
    has_soaked = rollout.soaked_s >= rollout.plan.phases[rollout.phase].soak_s
    is_soaked = has_soaked or rollout.state is RolloutState.FINISHED
    reading = gate.judge(known.evidence, soaked=is_soaked, alpha=alpha, margins=rollout.plan.gates.margins)
    shares = budget.shares(gate.watched(known.evidence), alpha)
    curve = rows.get(RolloutCurve, rollout_id)
    return GateView(
        answer=reading.answer,
        sentence=reading.sentence,
        log_pooled=reading.log_pooled,
        halts_at_log=-math.log(alpha),
        hears=known.hears,
        fed_until_s=known.fed_until_s or None,
        metrics=tuple(
            MetricView(
                metric=found.metric,
                answer=found.answer,
                log_evidence=found.log_evidence,
                halts_at_log=-math.log(shares[found.metric]),
                fact=found.fact,
                sentence=found.sentence,
            )
            for found in reading.findings
        ),
        alarms=tuple(rows.find(Alarm, rollout_id=rollout_id)),
        points=() if curve is None else curve.points,
    )
