"""Figures of rollouts' gates for Prometheus: how near each is to a halt, from what the engine's looks keep."""

import math
from collections import Counter as Counts
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily

from surefoot.fleet.alarms import Alarm
from surefoot.fleet.gate_rows import RolloutEvidence
from surefoot.fleet.gates import is_gated
from surefoot.fleet.model import Rollout
from surefoot.fleet.ports import Rows
from surefoot.rollout import budget, gate
from surefoot.rollout.metrics import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFigures:
    """One rollout: logarithms of evidence, each as a share of the one that halts, and alarms that nobody accepted.

    `pooled` is all metrics' together, None where nothing is gated.
    """

    rollout_id: str
    pooled: float | None
    metrics: dict[Metric, float]
    alarms: int


def gate_figures(rows: Rows, rollouts: Iterable[Rollout]) -> tuple[GateFigures, ...]:
    """Return the figures of those of the rollouts that may halt by evidence: all but those that lead robots back."""
    alarms = Counts(alarm.rollout_id for alarm in rows.find(Alarm, is_open=True))
    watched = [rollout for rollout in rollouts if rollout.rolls_back is None]
    return tuple(_figures(rows, rollout, alarms[rollout.rollout_id]) for rollout in watched)


def families(figures: Iterable[GateFigures]) -> Iterator[GaugeMetricFamily]:
    """Yield the figures as Prometheus wants them."""
    pooled = GaugeMetricFamily(
        "surefoot_rollout_gate",
        "Logarithm of all evidence against a release, as a share of the one that halts: 1 halts, below 0 is for it.",
        labels=("rollout",),
    )
    by_metric = GaugeMetricFamily(
        "surefoot_rollout_gate_evidence",
        "Logarithm of one metric's evidence against a release, as a share of the one that halts alone.",
        labels=("rollout", "metric"),
    )
    alarms = GaugeMetricFamily(
        "surefoot_rollout_alarms", "Triggers that fired and that nobody has accepted.", labels=("rollout",)
    )
    for one in figures:
        if one.pooled is not None:
            pooled.add_metric((one.rollout_id,), one.pooled)
        alarms.add_metric((one.rollout_id,), one.alarms)
        for metric, share in one.metrics.items():
            by_metric.add_metric((one.rollout_id, metric), share)
    yield from (pooled, by_metric, alarms)


def _figures(rows: Rows, rollout: Rollout, alarms: int) -> GateFigures:
    known = rows.get(RolloutEvidence, rollout.rollout_id) if is_gated(rollout) else None
    if known is None:
        return GateFigures(rollout_id=rollout.rollout_id, pooled=None, metrics={}, alarms=alarms)
    alpha = rollout.plan.gates.false_halt_budget
    shares = budget.shares(gate.watched(known.evidence), alpha)
    return GateFigures(
        rollout_id=rollout.rollout_id,
        pooled=gate.log_pooled(known.evidence) / -math.log(alpha),
        metrics={
            metric: found / -math.log(shares[metric]) for metric, found in gate.log_evidence(known.evidence).items()
        },
        alarms=alarms,
    )
