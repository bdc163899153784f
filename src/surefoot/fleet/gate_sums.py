"""Sums over the robots of one stratum, by metric and arm: what a window of the gates is made of.

What is usual for a robot is its own earlier rate, drawn towards its stratum's by the weight of a day, as short pasts
say little: b = (y + r H) / (h + H). The stratum's rate r is known only when all its robots were seen, so every sum
over b is kept in powers of r.
"""

import math

from surefoot.fleet.health_sums import Quarter, Totals
from surefoot.rollout.first_event import RiskSet
from surefoot.rollout.means import Levels
from surefoot.rollout.metrics import Metric
from surefoot.rollout.rates import RateWindow, Spread, Sums

FIRST_EVENTS = (Metric.SAFETY_STOP, Metric.SILENT, Metric.ERROR, Metric.REBOOT)
RATES = (Metric.WARNING_TIME, Metric.DTLS_FAILURES)
MEANS = (Metric.BATTERY_DRAIN, Metric.TOPIC_RATE)
HOUR_S = 3600.0
# How many hours of its stratum a robot's own past is drawn towards.
DRAWN_H = 24.0
# A metric that nobody ever had compares by exposure alone, at whatever rate.
RATE_MIN = 1e-6
# Nothing is so frequent; whoever tells of next to no time must not make a rate that no sum could hold.
RATE_MAX = 1e9
# From so long a time on, a level is one; short ones are drawn towards the robot's own by an hour.
BEFORE_MIN_S = 3 * HOUR_S
LEVEL_MIN_S = HOUR_S
LEVEL_TIMES_MAX = 10.0


def counted(metric: Metric, totals: Totals | Quarter) -> float:
    """Return what a rate counts."""
    return totals.warn_s if metric is Metric.WARNING_TIME else totals.failed


class RateSums:
    """One rate in one stratum: index 0 of each pair is the updated robots', 1 the others'."""

    __slots__ = ("before_h", "before_y", "counts", "spreads", "usual")

    def __init__(self) -> None:
        self.before_y = self.before_h = 0.0
        self.counts = [0.0, 0.0]
        # Exposure times usual rate in the window, by powers of r.
        self.usual = [[0.0, 0.0], [0.0, 0.0]]
        # robots, with event, y, yy; m, ym by powers of r; mm by powers of r.
        self.spreads = [[0.0] * 11, [0.0] * 11]

    def know(self, y: float, hours: float) -> None:
        """Take a robot's past into account."""
        self.before_y += y
        self.before_h += hours

    def count(self, arm: int, y: float, hours: float, own: float, drawn: float) -> None:
        """Take what a robot told in the window into account."""
        self.counts[arm] += y
        self.usual[arm][0] += hours * own
        self.usual[arm][1] += hours * drawn

    def spread(self, arm: int, y: float, hours: float, own: float, drawn: float) -> None:
        """Take what a robot told since the rollout began into account."""
        sums, m, n = self.spreads[arm], hours * own, hours * drawn
        added = (1, y > 0, y, y * y, m, n, y * m, y * n, m * m, 2 * m * n, n * n)
        for index, value in enumerate(added):
            sums[index] += value

    def window(self) -> RateWindow:
        """Return the window, once all robots are in."""
        rate = self._rate()
        return RateWindow(
            updated_count=self.counts[0],
            others_count=self.counts[1],
            updated_usual=self.usual[0][0] + rate * self.usual[0][1],
            others_usual=self.usual[1][0] + rate * self.usual[1][1],
        )

    def both(self) -> Spread:
        """Return the spread, once all robots are in."""
        return Spread(updated=self._sums(0), others=self._sums(1))

    def _sums(self, arm: int) -> Sums:
        robots, with_event, y, yy, m, n, ym, yn, mm, mn, nn = self.spreads[arm]
        r = self._rate()
        return Sums(
            robots=int(robots),
            with_event=int(with_event),
            y=y,
            m=m + r * n,
            yy=yy,
            ym=ym + r * yn,
            mm=mm + r * mn + r * r * nn,
        )

    def _rate(self) -> float:
        return min(RATE_MAX, max(RATE_MIN, self.before_y / self.before_h if self.before_h else 0.0))


class StratumSums:
    """Everything of one stratum."""

    __slots__ = ("levels", "rates", "risks")

    def __init__(self) -> None:
        # Of each metric: updated and others at risk, and their events.
        self.risks = {metric: [0, 0, 0, 0] for metric in FIRST_EVENTS}
        self.rates = {metric: RateSums() for metric in RATES}
        self.levels = {metric: [[0, 0.0, 0.0], [0, 0.0, 0.0]] for metric in MEANS}

    def risk(self, metric: Metric, arm: int, *, had_event: bool) -> None:
        """Count a robot that was at risk when the window began."""
        self.risks[metric][arm] += 1
        self.risks[metric][2 + arm] += had_event

    def level(self, metric: Metric, arm: int, x: float) -> None:
        """Count a robot's level."""
        sums = self.levels[metric][arm]
        sums[0] += 1
        sums[1] += x
        sums[2] += x * x

    def risk_set(self, metric: Metric) -> RiskSet:
        """Return who was at risk, and to whom it happened."""
        updated, others, updated_events, others_events = self.risks[metric]
        return RiskSet(updated=updated, others=others, updated_events=updated_events, others_events=others_events)

    def arms(self, metric: Metric) -> tuple[Levels, Levels]:
        """Return the levels of the updated robots and of the others."""
        updated, others = (Levels(robots=int(n), x=x, xx=xx) for n, x, xx in self.levels[metric])
        return updated, others


def drain_per_hour(totals: Totals, least_s: float) -> float | None:
    """Return how fast a robot's battery drains, in points of charge an hour; None where too little is known."""
    if totals.discharging_s < least_s:
        return None
    return totals.drained_percent / (totals.discharging_s / HOUR_S)


def drain_level(before: Totals, since: Totals) -> float | None:
    """Return the logarithm of a robot's drain over its own before; None where too little is known."""
    own = drain_per_hour(before, BEFORE_MIN_S)
    if own is None or own <= 0 or since.discharging_s < LEVEL_MIN_S:
        return None
    times = (since.drained_percent / own + 1.0) / (since.discharging_s / HOUR_S + 1.0)
    return math.log(min(max(times, 1 / LEVEL_TIMES_MAX), LEVEL_TIMES_MAX))


def topic_level(before: Totals, since: Totals) -> float | None:
    """Return the mean logarithm of a robot's topic rates over its own before; None where too little is known."""
    if before.topics_s < BEFORE_MIN_S or since.topics_s < LEVEL_MIN_S or not before.topics_count_s:
        return None
    difference = since.topics_log_s / since.topics_s - before.topics_log_s / before.topics_s
    x = difference / (before.topics_count_s / before.topics_s)
    return min(max(x, -math.log(LEVEL_TIMES_MAX)), math.log(LEVEL_TIMES_MAX))
