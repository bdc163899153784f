"""What a rollout's gate keeps: its evidence between looks, and how that grew, for whoever wants to see the curve."""

from dataclasses import dataclass

from surefoot.rollout.gate import Evidence
from surefoot.rollout.metrics import Metric

# Some five days of quarters of an hour. Beyond that the older half keeps every second point.
POINTS_MAX = 480


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutEvidence:
    """The evidence of one rollout.

    It covers the first `phases_opened` phases, and windows up to the quarter of an hour `quarter`
    (`fleet.health_sums`). `hears` tells that its robots send telemetry at all; it came in until `fed_until_s` (Unix
    seconds), 0 if never. `accepted` are robots that a phase names and whose failure a person accepted.
    """

    rollout_id: str
    evidence: Evidence
    phases_opened: int = 0
    quarter: int = -1
    hears: bool = False
    fed_until_s: float = 0.0
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The logarithms of the evidence at one time (Unix seconds): pooled, and by metric."""

    at_s: float
    log_pooled: float
    log_evidence: dict[Metric, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutCurve:
    """How a rollout's evidence grew, the oldest point first."""

    rollout_id: str
    points: tuple[Point, ...] = ()

    def plus(self, point: Point) -> "RolloutCurve":
        """Return the curve with one more point, and fewer old ones if there are too many."""
        points = (*self.points, point)
        if len(points) > POINTS_MAX:
            half = len(points) // 2
            points = (*points[:half:2], *points[half:])
        return RolloutCurve(rollout_id=self.rollout_id, points=points)
