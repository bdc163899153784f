"""What other rules say of the same windows: fixed thresholds, and a test at 5 % that is repeated at every look."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

from surefoot.rollout.gate import GateFacts
from surefoot.rollout.means import MeanStratum
from surefoot.rollout.metrics import DEFINITIONS, Metric
from surefoot.rollout.rates import Spread, dispersion

ENDED_MIN = 10
FAILED_SHARE_MAX = 0.05
EVENTS_MIN = 5
RATIO_MAX = 2.0
ROBOTS_MIN = 20
# One-sided, at 5 %; with twenty robots and more an arm, Student's t is the normal.
Z_MAX = 1.645


class Rival(StrEnum):
    """A rule that fleets use today."""

    FAILED_SHARE = "failed_installs_over_5pct"
    RATIO = "any_rate_doubled"
    T_TEST = "t_test_each_look"


@dataclass(slots=True, kw_only=True)
class Rivals:
    """The rules' running sums, and which of them have halted; who has is not asked again."""

    failed: int = 0
    ended: int = 0
    events: dict[Metric, list[float]] = field(default_factory=dict)
    done: set[Rival] = field(default_factory=set)

    def halted(self, facts: GateFacts) -> set[Rival]:
        """Take one window into account and return the rules that halt now for the first time."""
        if len(self.done) == len(Rival):
            return set()
        self._add(facts)
        found = set()
        if self.ended >= ENDED_MIN and self.failed > FAILED_SHARE_MAX * self.ended:
            found.add(Rival.FAILED_SHARE)
        robots = sum(risk.updated for risk in facts.first_events[Metric.SILENT])
        for updated, updated_time, others, others_time in self.events.values():
            enough = robots >= ROBOTS_MIN and updated >= EVENTS_MIN
            if enough and updated * others_time > RATIO_MAX * others * updated_time:
                found.add(Rival.RATIO)
        if Rival.T_TEST not in self.done and self._is_significant(facts):
            found.add(Rival.T_TEST)
        found -= self.done
        self.done |= found
        return found

    def _add(self, facts: GateFacts) -> None:
        for ended in facts.outcomes.values():
            self.failed += ended.failed
        self.ended += max(ended.ended for ended in facts.outcomes.values())
        for metric, strata in facts.first_events.items():
            sums = self.events.setdefault(metric, [0.0] * 4)
            for risk in strata:
                sums[0] += risk.updated_events
                sums[1] += risk.updated * facts.hours
                sums[2] += risk.others_events
                sums[3] += risk.others * facts.hours
        for metric, rate in facts.rates.items():
            sums = self.events.setdefault(metric, [0.0] * 4)
            for window in rate.windows:
                sums[0] += window.updated_count
                sums[1] += window.updated_usual
                sums[2] += window.others_count
                sums[3] += window.others_usual

    def _is_significant(self, facts: GateFacts) -> bool:
        means = (_z_of_means(strata, metric) for metric, strata in facts.means.items())
        rates = (_z_of_rates(self.events[metric], rate.spreads) for metric, rate in facts.rates.items())
        return max((*means, *rates), default=0.0) > Z_MAX


def _z_of_means(strata: tuple[MeanStratum, ...], metric: Metric) -> float:
    """Welch's statistic of all robots at once."""
    variance, means = 0.0, []
    for levels in ([stratum.updated for stratum in strata], [stratum.others for stratum in strata]):
        robots = sum(level.robots for level in levels)
        if robots < ROBOTS_MIN:
            return 0.0
        mean = sum(level.x for level in levels) / robots
        squares = sum(level.xx for level in levels) - robots * mean * mean
        variance += max(0.0, squares) / (robots - 1) / robots
        means.append(mean)
    difference = means[1] - means[0] if DEFINITIONS[metric].worse_when_lower else means[0] - means[1]
    return difference / math.sqrt(variance) if variance > 0 else 0.0


def _z_of_rates(events: list[float], spreads: tuple[Spread, ...]) -> float:
    """The two-sample statistic of robots' counts over what is usual for them, with the robots' own variance."""
    robots = [sum(arm.robots for arm in arms) for arms in zip(*((s.updated, s.others) for s in spreads), strict=True)]
    if min(robots) < ROBOTS_MIN or min(events[1], events[3]) <= 0:
        return 0.0
    expected = (events[0] + events[2]) * events[1] / (events[1] + events[3])
    # Poisson's variance times the robots' over-dispersion.
    variance = expected * events[3] / (events[1] + events[3]) * dispersion(spreads)
    return (events[0] - expected) / math.sqrt(variance) if variance > 0 else 0.0
