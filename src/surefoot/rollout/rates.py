"""Rates: time with warnings per hour, failed handshakes; observed against expected, with the robot as unit.

Within a stratum and window, the updated robots' part of all that was counted is expected to be
rho = m1 / (m1 + m0), where a robot's m is its exposure times its own rate before the update. The bet "theta times the
rate" gains O1 ln theta - O ln(1 + rho (theta - 1)), summed over windows, so that only the same hours are compared.

Counts come in bursts, and robots differ: both make the sum vary more than chance events would. The whole is therefore
divided by the over-dispersion phi, the variance of robots about what their arm makes usual for them, over what
Poisson counts would have (McCullagh and Nelder, chapter 9; the bet is then valid for many robots, not exactly). So it
speaks only with enough robots. Mixture of ratios: Robbins 1970.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from surefoot.rollout import evidence
from surefoot.rollout.evidence import PRIOR, RATIOS, Finding
from surefoot.rollout.metrics import DEFINITIONS, Metric

ROBOTS_MIN = 20
ROBOTS_WITH_EVENT_MIN = 20
EXPECTED_MIN = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RateWindow:
    """One stratum in one window: what was counted, and the sums of exposure times each robot's own earlier rate."""

    updated_count: float
    others_count: float
    updated_usual: float
    others_usual: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Sums over the robots of one stratum and arm: y is what a robot counted in all, m what is usual for it."""

    robots: int
    with_event: int
    y: float
    m: float
    yy: float
    ym: float
    mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One stratum's robots since the rollout began.

    A robot that was updated is in both arms: in the others' with what it had before, which grows no more.
    """

    updated: Sums
    others: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a metric keeps between looks: each bet's gain before dispersion, and what was observed and expected."""

    log_gains: tuple[float, ...] = (0.0,) * len(RATIOS)
    observed: float = 0.0
    updated_observed: float = 0.0
    updated_expected: float = 0.0
    log_evidence: float = 0.0


def look(state: Rates, windows: Iterable[RateWindow], spreads: Sequence[Spread], times: float = 1.0) -> Rates:
    """Take one window's strata into account; `spreads` are the robots' sums at its end.

    Events `times` as frequent as the others' are accepted.
    """
    gains, observed = list(state.log_gains), state.observed
    updated_observed, updated_expected = state.updated_observed, state.updated_expected
    for window in windows:
        count = window.updated_count + window.others_count
        usual = window.updated_usual + window.others_usual
        if count <= 0 or window.updated_usual <= 0 or window.others_usual <= 0:
            continue
        share = window.updated_usual / usual
        observed += count
        updated_observed += window.updated_count
        updated_expected += count * share
        accepted = window.updated_usual * times
        share = accepted / (accepted + window.others_usual)
        for bet, ratio in enumerate(RATIOS):
            gains[bet] += window.updated_count * math.log(ratio) - count * math.log1p(share * (ratio - 1))
    return Rates(
        log_gains=tuple(gains),
        observed=observed,
        updated_observed=updated_observed,
        updated_expected=updated_expected,
        log_evidence=_log_evidence(gains, updated_expected, spreads),
    )


def dispersion(spreads: Sequence[Spread]) -> float:
    """Return phi: how many times more robots vary about what is usual for them than chance events would, at least 1.

    Each arm varies about its own rate, so that a release that is much worse does not pass for one on which robots
    differ much; the arm that varies more counts.
    """
    return max(
        1.0, _dispersion([spread.updated for spread in spreads]), _dispersion([spread.others for spread in spreads])
    )


def _dispersion(arm: Sequence[Sums]) -> float:
    known = [sums for sums in arm if sums.robots and sums.m > 0]
    robots, y = sum(sums.robots for sums in known), sum(sums.y for sums in known)
    freedom = robots - len(known)
    return sum(_squares(sums) for sums in known) / y * robots / freedom if y > 0 and freedom > 0 else 1.0


def _squares(sums: Sums) -> float:
    rate = sums.y / sums.m
    return max(0.0, sums.yy - 2 * rate * sums.ym + rate * rate * sums.mm)


def finding(metric: Metric, state: Rates, alpha: float, soaked: bool, who: str) -> Finding:
    """Answer with how often it happened against how often is usual."""
    times = state.updated_observed / state.updated_expected if state.updated_expected > 0 else 1.0
    fact = f"{DEFINITIONS[metric].words}: {times:.2f} times on the {who} what the other robots' same hours predict"
    return evidence.conclude(metric, fact, state.log_evidence, alpha=alpha, soaked=soaked)


def _log_evidence(gains: Sequence[float], updated_expected: float, spreads: Sequence[Spread]) -> float:
    if (
        min(sum(spread.updated.robots for spread in spreads), sum(spread.others.robots for spread in spreads))
        < ROBOTS_MIN
    ):
        return 0.0
    phi = dispersion(spreads)
    with_event = sum(spread.updated.with_event + spread.others.with_event for spread in spreads)
    if with_event < ROBOTS_WITH_EVENT_MIN or updated_expected / phi < EXPECTED_MIN:
        return 0.0
    return evidence.log_mixture([gain / phi for gain in gains], PRIOR)
