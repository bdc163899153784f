"""What a plan means for a fleet, said before anything starts: how many robots, how long, and what each gate can notice.

Nobody knows yet how often this fleet's robots do what gates watch. So the figures say what they assume: that a robot
does it once in so many hours, and that batteries and topics vary from robot to robot by so much.
"""

import math
from dataclasses import dataclass, replace

from surefoot.rollout import budget, means, rates, sensitivity
from surefoot.rollout.margins import Margins, log_margin, margin_text
from surefoot.rollout.metrics import DEFINITIONS, Kind, Metric
from surefoot.rollout.plan import Phase, Plan
from surefoot.rollout.sensitivity import Watch

USUAL_ONCE_IN_H = 168.0
USUAL_DEVIATION = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one metric's gate notices in a phase: the least worsening in short, None where it notices nothing."""

    metric: Metric
    least: str | None
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """One phase: its new robots, all robots reached with it and those left, and when it ends at the earliest."""

    phase: Phase
    new: int
    reached: int
    others: int
    ends_after_s: float
    notices: tuple[Notice, ...]


def explain(plan: Plan, robots: int) -> list[Outlook]:
    """Return what each phase of the plan means for a fleet of so many robots of the sku."""
    fleet = max(0, robots - len(plan.exclude))
    share = budget.shares(plan.gates.metrics, plan.gates.false_halt_budget)
    outlooks: list[Outlook] = []
    reached, ends_after_s = 0, 0.0
    for phase in plan.phases:
        before = reached
        named = len(phase.robots) if phase.robots else round(fleet * phase.percent / 100)
        # A percentage of a small fleet may be less than the robots that were named before.
        reached = min(fleet, before + named if phase.robots else max(before, named))
        ends_after_s += phase.soak_s
        new, others = reached - before, fleet - reached
        notices = tuple(
            _notice(
                metric,
                new,
                Watch(updated=reached, others=others, hours=phase.soak_s / 3600, alpha=share[metric]),
                plan.gates.margins,
            )
            for metric in Metric
            if metric in plan.gates.metrics
        )
        outlooks.append(
            Outlook(phase=phase, new=new, reached=reached, others=others, ends_after_s=ends_after_s, notices=notices)
        )
    return outlooks


def _notice(metric: Metric, new: int, watch: Watch, margins: Margins) -> Notice:
    words, least, sentence = DEFINITIONS[metric].words, None, ""
    beyond = 0.0 if DEFINITIONS[metric].kind is Kind.OUTCOME else log_margin(metric, margins)
    match DEFINITIONS[metric].kind:
        case Kind.OUTCOME:
            # Robots of earlier phases have come to their ends before.
            alone = replace(watch, updated=new)
            if (found := sensitivity.outcome_share(alone, metric, margins)) is not None:
                least = _percent(found)
                sentence = f"once {least} of the updated robots {words}"
        case Kind.FIRST_EVENT:
            if (found := sensitivity.first_event_ratio(watch, 1 / USUAL_ONCE_IN_H, math.exp(beyond))) is not None:
                least = f"{found:.{1 if found < 10 else 0}f} x"
                sentence = f"when robots {words} {least.removesuffix(' x')} times as often as the others"
        case Kind.MEAN:
            if (found := sensitivity.mean_change(watch, USUAL_DEVIATION, beyond)) is not None:
                lower = DEFINITIONS[metric].worse_when_lower
                least = f"{'-' if lower else '+'}{_percent(found / (1 + found) if lower else found)}"
                sentence = f"{words} {least[1:]} {'lower' if lower else 'higher'}"
        case Kind.RATE:
            if min(watch.updated, watch.others) >= rates.ROBOTS_MIN:
                least = f"in {rates.ROBOTS_WITH_EVENT_MIN} robots"
                sentence = f"{words}, once {rates.ROBOTS_WITH_EVENT_MIN} robots had some"
    if sentence and (accepted := margin_text(metric, margins)):
        sentence = f"{sentence}; the plan accepts {accepted}"
    return Notice(metric=metric, least=least, sentence=sentence or f"nothing: {_why_nothing(metric, new, watch)}")


def _why_nothing(metric: Metric, new: int, watch: Watch) -> str:
    kind = DEFINITIONS[metric].kind
    if kind is Kind.OUTCOME:
        return "too few robots" if new else "no robot is new in this phase"
    if watch.others == 0:
        return "no robot is left to compare with"
    if watch.updated == 0:
        return "no robot is reached"
    least = {Kind.RATE: rates.ROBOTS_MIN, Kind.MEAN: means.ROBOTS_MIN}.get(kind)
    if least is not None and min(watch.updated, watch.others) < least:
        return f"it takes {least} robots on either side"
    return "widen the phase or lengthen the soak"


def _percent(share: float) -> str:
    percent = share * 100
    return f"{percent:.{1 if percent < 10 else 0}f} %"
