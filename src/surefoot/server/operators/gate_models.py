"""What operators see of a rollout's gate."""

from dataclasses import asdict
from typing import Self

from surefoot.fleet.gate_view import GateView
from surefoot.rollout.evidence import Answer
from surefoot.rollout.metrics import Metric
from surefoot.rollout.triggers import Trigger
from surefoot.server.operators.models import Model


class MetricOut(Model):
    """One metric's finding: the fact, what it weighs, and the logarithm of the evidence at which it halts alone."""

    metric: Metric
    answer: Answer
    log_evidence: float
    halts_at_log: float
    fact: str
    sentence: str


class AlarmOut(Model):
    """A trigger that fired, at so many Unix seconds; it is open until a person resumes the rollout."""

    trigger: Trigger
    robot_ids: list[str]
    sentence: str
    at_s: float
    is_open: bool


class PointOut(Model):
    """The logarithms of the evidence at one time (Unix seconds), pooled and by metric."""

    at_s: float
    log_pooled: float
    log_evidence: dict[Metric, float]


class GateOut(Model):
    """A rollout's gate as it stands, the heaviest metric first, and how its evidence grew, the oldest point first."""

    answer: Answer
    sentence: str
    log_pooled: float
    halts_at_log: float
    hears: bool
    fed_until_s: float | None
    metrics: list[MetricOut]
    alarms: list[AlarmOut]
    points: list[PointOut]

    @classmethod
    def of(cls, view: GateView) -> Self:
        """Show a gate."""
        plain = ("answer", "sentence", "log_pooled", "halts_at_log", "hears", "fed_until_s")
        return cls(
            metrics=[MetricOut(**asdict(metric)) for metric in view.metrics],
            alarms=[
                AlarmOut(
                    trigger=alarm.trigger,
                    robot_ids=list(alarm.robot_ids),
                    sentence=alarm.sentence,
                    at_s=alarm.at_s,
                    is_open=alarm.is_open,
                )
                for alarm in view.alarms
            ],
            points=[PointOut(**asdict(point)) for point in view.points],
            **{name: getattr(view, name) for name in plain},
        )
