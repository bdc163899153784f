"""First event per robot: a bet on whose robot is next.

As long as the release is no worse, the next robot to have its first event is any robot at risk of the stratum, so it
is an updated one with probability rho = n1 / (n1 + n0). The bet "theta times as often" multiplies its share by
theta / (1 + rho (theta - 1)) when it is, and by 1 / (1 + rho (theta - 1)) when it is not: the sequential log-rank bet
(ter Schure, Pérez-Ortiz, Ly, Grünwald: "The safe logrank test", 2020; Grünwald, Ly, Pérez-Ortiz, ter Schure, 2021).
A robot counts once however much it floods.

Several first events of one stratum in one window are ties. They are drawn without replacement; since the mean of a
convex function is no larger then than with replacement (Hoeffding 1963, theorem 4), paying each of them at the odds
of the window's start stays fair, needs no order among them and costs the same for a thousand events as for one.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from surefoot.rollout import evidence
from surefoot.rollout.evidence import RATIOS, Capital, Finding
from surefoot.rollout.metrics import DEFINITIONS, Metric

# The share of the capital that moves back to the prior in an hour.
SPREAD_PER_HOUR = 0.02
_LOG_RATIOS = tuple(math.log(ratio) for ratio in RATIOS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSet:
    """One stratum in one window: robots at risk when it began, and those of them whose first event fell into it.

    At risk is who had no such event since the rollout began and, if updated, is past the settling time. An event of a
    robot that came to risk within the window does not count, for either side.
    """

    updated: int
    others: int
    updated_events: int = 0
    others_events: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstEvents:
    """What a metric keeps between looks: its capital, events so far, and robots at risk in the last window.

    `updated_expected` is how many of the events the updated robots would have had if the release made no difference.
    Events of other robots count in strata and windows where there were updated ones to compare with.
    """

    capital: Capital = field(default_factory=evidence.start)
    updated_expected: float = 0.0
    updated_events: int = 0
    others_events: int = 0
    updated_at_risk: int = 0
    others_at_risk: int = 0


def look(state: FirstEvents, strata: Iterable[RiskSet], hours: float, times: float = 1.0) -> FirstEvents:
    """Take one window's strata into account, `hours` long; events `times` as frequent as the others' are accepted."""
    capital = state.capital
    updated_events, others_events, updated, others, expected = 0, 0, 0, 0, 0.0
    for risk in strata:
        updated += risk.updated - risk.updated_events
        others += risk.others - risk.others_events
        if risk.updated and (risk.updated_events or risk.others_events):
            expected += _share(risk) * (risk.updated_events + risk.others_events)
            capital = evidence.settle(capital, log_factors(risk, times))
            updated_events += risk.updated_events
            others_events += risk.others_events
    return FirstEvents(
        capital=evidence.spread(capital, 1 - (1 - SPREAD_PER_HOUR) ** hours),
        updated_expected=state.updated_expected + expected,
        updated_events=state.updated_events + updated_events,
        others_events=state.others_events + others_events,
        updated_at_risk=updated,
        others_at_risk=others,
    )


def log_factors(risk: RiskSet, times: float = 1.0) -> tuple[float, ...]:
    """Return what each bet wins or loses by the events of one stratum in one window."""
    events = risk.updated_events + risk.others_events
    share = _share(risk, times)
    return tuple(
        risk.updated_events * log_ratio - events * math.log1p(share * (ratio - 1))
        for ratio, log_ratio in zip(RATIOS, _LOG_RATIOS, strict=True)
    )


def _share(risk: RiskSet, times: float = 1.0) -> float:
    return risk.updated * times / (risk.updated * times + risk.others)


def open_phase(state: FirstEvents) -> FirstEvents:
    """Carry the evidence into the next phase with half the capital in reserve for what only shows there."""
    return replace(state, capital=evidence.spread(state.capital, 0.5))


def finding(metric: Metric, state: FirstEvents, alpha: float, soaked: bool, who: str) -> Finding:
    """Answer with "2 of 12 canaries …, 0 of 108 others: …"."""
    updated = f"{state.updated_events} of {state.updated_at_risk + state.updated_events} {who}"
    others = f"{state.others_events} of {state.others_at_risk + state.others_events} others"
    usual = f" ({state.updated_expected:.1f} would be usual in the same hours)" if state.others_events else ""
    fact = f"{updated} {DEFINITIONS[metric].words}, {others}{usual}"
    return evidence.conclude(metric, fact, evidence.log_total(state.capital), alpha=alpha, soaked=soaked)
