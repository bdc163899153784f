"""The gate of a rollout: every metric's evidence together, looked at as often as one likes.

`look` takes one window's facts into account and `judge` answers. The facts are sums over robots of one stratum (sku,
version before, activity), so a look costs metrics times strata. Compared are robots that the release was offered to,
updated or not, with robots it was not offered to yet, in the same hours; a robot counts as updated only after its
settling time, because its own reboot and first connection are no evidence.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from surefoot.rollout import budget, evidence, first_event, means, outcomes, rates
from surefoot.rollout.evidence import Answer, Finding
from surefoot.rollout.first_event import FirstEvents, RiskSet
from surefoot.rollout.margins import NO_MARGINS, Margins, log_margin, margin_text
from surefoot.rollout.means import Means, MeanStratum
from surefoot.rollout.metrics import DEFINITIONS, Kind, Metric
from surefoot.rollout.outcomes import Outcomes
from surefoot.rollout.rates import Rates, RateWindow, Spread
from surefoot.wire.errors import Damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Updates whose end became known in a window."""

    failed: int
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RateFacts:
    """One rate in a window, a `RateWindow` and a `Spread` for each stratum."""

    windows: tuple[RateWindow, ...]
    spreads: tuple[Spread, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFacts:
    """What one window of `hours` showed. A metric that is left out had no evidence, as when telemetry was away."""

    hours: float
    outcomes: Mapping[Metric, Ended] = field(default_factory=dict)
    first_events: Mapping[Metric, tuple[RiskSet, ...]] = field(default_factory=dict)
    rates: Mapping[Metric, RateFacts] = field(default_factory=dict)
    means: Mapping[Metric, tuple[MeanStratum, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a gate keeps between looks, small enough to be stored with each: a state for every watched metric."""

    outcomes: dict[Metric, Outcomes]
    first_events: dict[Metric, FirstEvents]
    rates: dict[Metric, Rates]
    means: dict[Metric, Means]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The gate's answer, the sentence to tell the operator, and every metric's finding, the heaviest first."""

    answer: Answer
    sentence: str
    findings: tuple[Finding, ...]
    log_pooled: float


def start(metrics: frozenset[Metric] = frozenset(Metric)) -> Evidence:
    """Return the evidence of a rollout that watches these metrics and has seen nothing."""
    return Evidence(
        outcomes={metric: Outcomes() for metric in _of(Kind.OUTCOME, metrics)},
        first_events={metric: FirstEvents() for metric in _of(Kind.FIRST_EVENT, metrics)},
        rates={metric: Rates() for metric in _of(Kind.RATE, metrics)},
        means={metric: Means() for metric in _of(Kind.MEAN, metrics)},
    )


def open_phase(state: Evidence, robots: int, alpha: float = budget.ALPHA, margins: Margins = NO_MARGINS) -> Evidence:
    """Begin a phase that reaches so many robots more, the first phase too."""
    share = budget.shares(watched(state), alpha)
    return Evidence(
        outcomes={
            metric: outcomes.open_phase(known, metric, robots, share[metric], margins)
            for metric, known in state.outcomes.items()
        },
        first_events={metric: first_event.open_phase(known) for metric, known in state.first_events.items()},
        rates=state.rates,
        means=state.means,
    )


def look(state: Evidence, facts: GateFacts, margins: Margins = NO_MARGINS) -> Evidence:
    """Take one window's facts into account; `margins` are the plan's, the same at every look."""
    ended = facts.outcomes
    log_margins = {metric: log_margin(metric, margins) for metric in margins}
    times = {metric: math.exp(log_margins.get(metric, 0.0)) for metric in watched(state)}
    return Evidence(
        outcomes={
            metric: outcomes.look(known, metric, ended[metric].failed, ended[metric].ended, margins)
            if metric in ended
            else known
            for metric, known in state.outcomes.items()
        },
        first_events={
            metric: first_event.look(known, facts.first_events[metric], facts.hours, times[metric])
            if metric in facts.first_events
            else known
            for metric, known in state.first_events.items()
        },
        rates={
            metric: rates.look(known, facts.rates[metric].windows, facts.rates[metric].spreads, times[metric])
            if metric in facts.rates
            else known
            for metric, known in state.rates.items()
        },
        means={
            metric: means.look(
                facts.means[metric],
                worse_when_lower=DEFINITIONS[metric].worse_when_lower,
                log_margin=log_margins.get(metric, 0.0),
            )
            if metric in facts.means
            else known
            for metric, known in state.means.items()
        },
    )


def log_evidence(state: Evidence) -> dict[Metric, float]:
    """Return the logarithm of every watched metric's evidence."""
    return (
        {metric: outcomes.log_evidence(known) for metric, known in state.outcomes.items()}
        | {metric: evidence.log_total(known.capital) for metric, known in state.first_events.items()}
        | {metric: known.log_evidence for metric, known in state.rates.items()}
        | {metric: known.log_evidence for metric, known in state.means.items()}
    )


def log_pooled(state: Evidence, missing: int = 0, margins: Margins = NO_MARGINS) -> float:
    """Return the logarithm of all evidence pooled, as if `missing` more robots had not come back.

    Robots that are away since their trial boot may only be switched off: the ramp waits for them, but nothing halts.
    """
    found = log_evidence(state)
    returned = state.outcomes.get(Metric.NOT_RETURNED)
    if missing and returned:
        failed = outcomes.look(returned, Metric.NOT_RETURNED, missing, missing, margins)
        found[Metric.NOT_RETURNED] = outcomes.log_evidence(failed)
    return budget.log_pooled(found)


def is_tripped(state: Evidence, alpha: float = budget.ALPHA) -> bool:
    """Whether the evidence halts the rollout; `judge` says why."""
    return log_pooled(state) >= -math.log(alpha)


def judge(
    state: Evidence,
    *,
    soaked: bool,
    who: str = "updated robots",
    alpha: float = budget.ALPHA,
    margins: Margins = NO_MARGINS,
) -> Reading:
    """Answer whether the rollout halts, waits or, once `soaked`, passes; `who` names the updated robots, in plural."""
    share = budget.shares(watched(state), alpha)
    compared = (
        *(
            first_event.finding(metric, known, share[metric], soaked, who)
            for metric, known in state.first_events.items()
        ),
        *(rates.finding(metric, known, share[metric], soaked, who) for metric, known in state.rates.items()),
        *(means.finding(metric, known, share[metric], soaked, who) for metric, known in state.means.items()),
    )
    findings = (
        *(outcomes.finding(metric, known, share[metric], soaked, margins) for metric, known in state.outcomes.items()),
        *(_with_margin(found, margin_text(found.metric, margins)) for found in compared),
    )
    weight = budget.weights(watched(state))
    heaviest_first = sorted(
        findings, key=lambda found: math.log(weight[found.metric]) + found.log_evidence, reverse=True
    )
    pooled = budget.log_pooled({found.metric: found.log_evidence for found in findings})
    answer, sentence = _answer(heaviest_first, pooled, alpha)
    return Reading(answer=answer, sentence=sentence, findings=tuple(heaviest_first), log_pooled=pooled)


def watched(state: Evidence) -> frozenset[Metric]:
    """Return the metrics that this evidence is about."""
    return frozenset((*state.outcomes, *state.first_events, *state.rates, *state.means))


def to_object(state: Evidence) -> dict[str, Any]:
    """Return the evidence as a JSON object."""
    found: dict[str, Any] = msgspec.to_builtins(state)
    return found


def from_object(source: object) -> Evidence:
    """Build the evidence from a stored JSON object; raise `Damaged` (`damaged-row`) when it is none."""
    try:
        return msgspec.convert(source, Evidence)
    except msgspec.ValidationError as error:
        raise Damaged(
            "damaged-row", f"The stored evidence of a gate is malformed ({error}): restore a backup."
        ) from error


def _answer(heaviest_first: list[Finding], pooled: float, alpha: float) -> tuple[Answer, str]:
    if not heaviest_first:
        return Answer.PASSED, "The plan gates on nothing."
    heaviest = heaviest_first[0]
    if pooled >= -math.log(alpha):
        if heaviest.answer is Answer.TRIPPED:
            return Answer.TRIPPED, heaviest.sentence
        facts = "; ".join(found.fact for found in heaviest_first[:3] if found.log_evidence > 0)
        return Answer.TRIPPED, f"{facts}: together {evidence.weighed(pooled)}. Halted."
    waiting = next((found for found in heaviest_first if found.answer is Answer.WAITING), None)
    return (Answer.PASSED, heaviest.sentence) if waiting is None else (Answer.WAITING, waiting.sentence)


def _with_margin(found: Finding, text: str) -> Finding:
    if not text:
        return found
    fact = f"{found.fact}, where {text} is accepted"
    return replace(found, fact=fact, sentence=fact + found.sentence.removeprefix(found.fact))


def _of(kind: Kind, metrics: frozenset[Metric]) -> tuple[Metric, ...]:
    return tuple(metric for metric in Metric if metric in metrics and DEFINITIONS[metric].kind is kind)
