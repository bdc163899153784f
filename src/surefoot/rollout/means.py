"""Means: battery drain, topic rates; each robot's level since the update as a multiple of its own before.

D is the difference of the arms' means, weighted over strata, and se its standard error from the robots' own spread
within strata: each arm's, because who was updated lately was watched for less time and is known less well (Welch 1947).
The bet "worse by delta" stands at exp(delta D / se^2 - delta^2 / (2 se^2)), the normal likelihood ratio against no
difference, and the capital is spread over several deltas (Robbins 1970; Howard, Ramdas, McAuliffe, Sekhon 2021). With
few robots se is itself uncertain: it is widened until the normal weighs no more than Student's t would. Valid for
many robots, not exactly: it speaks only with enough of them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from surefoot.rollout import evidence
from surefoot.rollout.evidence import Finding
from surefoot.rollout.metrics import DEFINITIONS, Metric

ROBOTS_MIN = 20
# Robots that all say the very same are known no better than to a percent; and what changed on all of them is seen.
VARIANCE_MIN = 0.01**2
_RISES = tuple(math.log(times) for times in (1.02, 1.05, 1.1, 1.2, 1.4, 2.0))
_DELTAS = (0.0, *_RISES)
_PRIOR = (0.30, *(0.70 / len(_RISES) for _ in _RISES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Sums over robots of x, the logarithm of a robot's level over its own level before the rollout."""

    robots: int
    x: float
    xx: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanStratum:
    """One stratum's robots that were watched long enough to have a level."""

    updated: Levels
    others: Levels


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """Where a metric stands: the difference of logarithms, its standard error, and the evidence."""

    updated: int = 0
    others: int = 0
    difference: float = 0.0
    standard_error: float = 0.0
    log_evidence: float = 0.0


def look(strata: Iterable[MeanStratum], *, worse_when_lower: bool = False, log_margin: float = 0.0) -> Means:
    """Return where the metric stands by these sums; a worsening up to `log_margin`, a logarithm, is accepted."""
    known = tuple(strata)
    updated = sum(stratum.updated.robots for stratum in known)
    others = sum(stratum.others.robots for stratum in known)
    if min(updated, others) < ROBOTS_MIN:
        return Means(updated=updated, others=others)
    spread_updated, freedom_updated = _variance([stratum.updated for stratum in known])
    spread_others, freedom_others = _variance([stratum.others for stratum in known])
    difference, of_updated, of_others, weight = 0.0, 0.0, 0.0, 0.0
    for stratum in known:
        here, there = stratum.updated, stratum.others
        if here.robots and there.robots:
            pairs = here.robots * there.robots / (here.robots + there.robots)
            difference += pairs * (here.x / here.robots - there.x / there.robots)
            of_updated += pairs * pairs * spread_updated / here.robots
            of_others += pairs * pairs * spread_others / there.robots
            weight += pairs
    variance = of_updated + of_others
    if variance <= 0:
        return Means(updated=updated, others=others)
    part = of_updated / variance
    freedom = 1 / (part**2 / freedom_updated + (1 - part) ** 2 / freedom_others)
    difference /= weight
    worsening = (-difference if worse_when_lower else difference) - log_margin
    standard_error = _widened(worsening, math.sqrt(variance) / weight, freedom)
    return Means(
        updated=updated,
        others=others,
        difference=difference,
        standard_error=standard_error,
        log_evidence=log_evidence(worsening, standard_error),
    )


def log_evidence(worsening: float, standard_error: float) -> float:
    """Return the logarithm of the evidence that a difference of logarithms carries."""
    information = standard_error**-2
    return evidence.log_mixture([(delta * worsening - delta * delta / 2) * information for delta in _DELTAS], _PRIOR)


def finding(metric: Metric, state: Means, alpha: float, soaked: bool, who: str) -> Finding:
    """Answer with the change in percent and its uncertainty."""
    change = f"{math.expm1(state.difference):+.1%} (give or take {math.expm1(2 * state.standard_error):.1%})"
    fact = f"{DEFINITIONS[metric].words}: {change} on {state.updated} {who} against {state.others} others"
    return evidence.conclude(metric, fact, state.log_evidence, alpha=alpha, soaked=soaked)


def _variance(arm: list[Levels]) -> tuple[float, int]:
    """Return the variance of an arm's robots within strata, and its degrees of freedom."""
    squares = sum(max(0.0, levels.xx - levels.x * levels.x / levels.robots) for levels in arm if levels.robots)
    freedom = max(1, sum(levels.robots - 1 for levels in arm if levels.robots))
    return max(VARIANCE_MIN, squares / freedom), freedom


def _widened(difference: float, standard_error: float, freedom: float) -> float:
    """Return the standard error with which the normal weighs the difference as Student's t weighs it."""
    t_squared = (difference / standard_error) ** 2
    if t_squared < 1e-9:
        return standard_error
    return abs(difference) / math.sqrt(freedom * math.log1p(t_squared / freedom))
