"""The gate of a rollout as its page draws it: each metric's evidence over time against the line at which it halts."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from surefoot.fleet.gate_rows import Point
from surefoot.fleet.gate_view import GateView, MetricView
from surefoot.rollout.evidence import Answer, weighed
from surefoot.rollout.gate import Evidence
from surefoot.rollout.margins import NO_MARGINS, Margins
from surefoot.rollout.metrics import Metric
from surefoot.server.pages.gate_pairs import pairs
from surefoot.server.pages.telemetry import Twin
from surefoot.server.pages.words import BAD, GOOD, QUIET, Word

WIDTH, HEIGHT = 240.0, 64.0
DRAWN_MAX = 120
# A logarithm beyond which nobody reads the figure any more.
LOG_MAX = math.log(1e12)
# As much room above the line at which the gate halts.
ROOM = 1.2
ANSWERS = {
    Answer.PASSED: Word(text="nothing found", tone=GOOD),
    Answer.WAITING: Word(text="waiting", tone=QUIET),
    Answer.TRIPPED: Word(text="tripped", tone=BAD),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One metric: what it says, and its evidence as a path; `halt_y` is where the line is at which it halts.

    `pair` shows the updated robots beside those they are compared with.
    """

    name: str
    word: Word
    fact: str
    weight: str
    halts_at: float
    path: str
    halt_y: float
    pair: Twin | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePart:
    """The whole gate; `chart` are all metrics' evidence together as JSON for the page's script, "" without points."""

    word: Word
    sentence: str
    hears: bool
    fed_until_s: float | None
    halts_at: float
    curves: tuple[Curve, ...]
    chart: str


def gate_part(
    view: GateView | None, evidence: Evidence | None = None, margins: Margins = NO_MARGINS
) -> GatePart | None:
    """Return what the page draws, None where nothing is gated; `evidence` and `margins` are what made the view."""
    if view is None or not view.metrics:
        return None
    points = _thinned(view.points)
    known = {} if evidence is None else pairs(evidence, margins)
    return GatePart(
        word=ANSWERS[view.answer],
        sentence=view.sentence,
        hears=view.hears,
        fed_until_s=view.fed_until_s,
        halts_at=math.exp(view.halts_at_log),
        curves=tuple(_curve(metric, points, known.get(metric.metric)) for metric in view.metrics),
        chart=_chart(points, view.halts_at_log) if len(points) > 1 else "",
    )


def metric_name(metric: Metric) -> str:
    """Return a metric's name as a heading."""
    return metric.replace("-", " ").capitalize().replace("Dtls", "DTLS")


def _curve(metric: MetricView, points: Sequence[Point], pair: Twin | None) -> Curve:
    top = metric.halts_at_log * ROOM
    return Curve(
        name=metric_name(metric.metric),
        word=ANSWERS[metric.answer],
        fact=metric.fact,
        weight=weighed(metric.log_evidence),
        halts_at=math.exp(metric.halts_at_log),
        path=_path(points, lambda point: point.log_evidence.get(metric.metric, 0.0), top),
        halt_y=round(HEIGHT - HEIGHT / ROOM, 1),
        pair=pair,
    )


def _path(points: Sequence[Point], value: Callable[[Point], float], top: float) -> str:
    """Return the curve of a logarithm, from nothing at the bottom to `top`."""
    if len(points) < 2:
        return ""
    begin_s, length_s = points[0].at_s, max(1.0, points[-1].at_s - points[0].at_s)
    places = [
        (
            (point.at_s - begin_s) / length_s * WIDTH,
            HEIGHT - min(max(value(point), 0.0), top) / top * HEIGHT,
        )
        for point in points
    ]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)


def _chart(points: Sequence[Point], halts_at_log: float) -> str:
    pooled = [round(math.exp(min(max(point.log_pooled, math.log(0.1)), LOG_MAX)), 3) for point in points]
    return json.dumps(
        {"at_s": [round(point.at_s) for point in points], "times": pooled, "halt": math.exp(halts_at_log)}
    )


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    """Return at most so many points as can be told apart, the newest among them."""
    step = max(1, math.ceil(len(points) / DRAWN_MAX))
    return points[::-1][::step][::-1]
