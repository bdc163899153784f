"""What a gate can notice, said before a phase starts: the smallest worsening it finds four times in five.

Computed from the same bets the gate makes: how many events among the updated robots would carry the evidence to the
halt if the others do as usual, and how much worse the release must be for that many to be likely. A guide, not a
guarantee: robots are taken as independent and evenly busy.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from surefoot.rollout import evidence, first_event, means, outcomes
from surefoot.rollout.first_event import FirstEvents, RiskSet
from surefoot.rollout.margins import NO_MARGINS, Margins, accepted_share
from surefoot.rollout.metrics import DEFINITIONS, Metric
from surefoot.rollout.outcomes import Outcomes

POWER = 0.8
_NORMAL_AT_POWER = 0.8416
RATIO_MAX = 1e4
RISE_MAX = 20.0
# The phase is gone through in steps that grow by the root of two, the first a thousandth of it.
_STEPS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How a metric would be watched: robots updated and not, for how long, at which share of the budget."""

    updated: int
    others: int
    hours: float
    alpha: float


def first_event_ratio(watch: Watch, usual_per_hour: float, times: float = 1.0) -> float | None:
    """Return the smallest rate ratio noticed, for events that a robot usually has so often; None when none is.

    Events `times` as frequent are accepted.
    """
    if watch.updated < 1 or watch.others < 1 or usual_per_hour <= 0:
        return None
    return _smallest(lambda ratio: _is_noticed(watch, usual_per_hour, ratio, times), times, RATIO_MAX)


def outcome_share(watch: Watch, metric: Metric, margins: Margins = NO_MARGINS) -> float | None:
    """Return the smallest share of failing updates noticed, above what is accepted; None when not even all would be."""
    state = outcomes.open_phase(Outcomes(), metric, watch.updated, watch.alpha, margins)

    def log_evidence(failed: int) -> float:
        return outcomes.log_evidence(outcomes.look(state, metric, failed, watch.updated, margins))

    needed = _fewest(watch.updated, log_evidence, watch.alpha)
    if needed is None:
        return None
    return _smallest(
        lambda share: outcomes.tail(watch.updated, share, needed) >= POWER, accepted_share(metric, margins), 1.0
    )


def mean_change(watch: Watch, deviation: float, log_margin: float = 0.0) -> float | None:
    """Return the smallest relative change of a mean noticed, when robots' logarithms deviate by `deviation`.

    A worsening up to `log_margin`, a logarithm, is accepted.
    """
    if min(watch.updated, watch.others) < means.ROBOTS_MIN:
        return None
    error = deviation * math.sqrt(1 / watch.updated + 1 / watch.others)
    rise = _smallest(
        lambda change: (
            means.log_evidence(change - log_margin - _NORMAL_AT_POWER * error, error) >= -math.log(watch.alpha)
        ),
        1e-6,
        RISE_MAX,
    )
    return None if rise is None else math.expm1(rise)


def sentence(watch: Watch, metric: Metric, usual_per_hour: float, who: str) -> str:
    """Say what a metric of first events can notice in a phase."""
    ratio = first_event_ratio(watch, usual_per_hour)
    start = f"With {'one robot' if watch.updated == 1 else f'{watch.updated} {who}'} in {watch.hours:g} h this gate"
    words = DEFINITIONS[metric].words
    if ratio is None:
        return f"{start} cannot notice that more robots {words}: widen the phase or lengthen the soak."
    return f"{start} can only notice that robots {words} {ratio:.{1 if ratio < 10 else 0}f} times as often as usual."


def _is_noticed(watch: Watch, usual_per_hour: float, ratio: float, times: float) -> bool:
    """Whether the gate halts when the updated robots have as few events as in the worst fifth of all such phases."""
    state, hours = FirstEvents(), 0.0
    for step in range(_STEPS, -1, -1):
        until = watch.hours * 2 ** (-step / 2)
        updated = _quantile(watch.updated, -math.expm1(-usual_per_hour * ratio * until))
        others = round(-math.expm1(-usual_per_hour * until) * watch.others)
        risk = RiskSet(
            updated=watch.updated - state.updated_events,
            others=watch.others - state.others_events,
            updated_events=updated - state.updated_events,
            others_events=others - state.others_events,
        )
        state = first_event.look(state, (risk,), until - hours, times)
        hours = until
        if evidence.log_total(state.capital) >= -math.log(watch.alpha):
            return True
    return False


def _quantile(robots: int, probability: float) -> int:
    """Return the largest count that so many robots reach with probability `POWER`."""
    deviation = math.sqrt(robots * probability * (1 - probability))
    if deviation > 10:
        return math.floor(robots * probability - _NORMAL_AT_POWER * deviation)
    count = 0
    while count < robots and outcomes.tail(robots, probability, count + 1) >= POWER:
        count += 1
    return count


def _fewest(count_max: int, log_evidence: Callable[[int], float], alpha: float) -> int | None:
    """Return the fewest events, of at most `count_max`, whose evidence halts; more events never weigh less."""
    if count_max < 1 or log_evidence(count_max) < -math.log(alpha):
        return None
    low, high = 0, count_max
    while high - low > 1:
        middle = (low + high) // 2
        if log_evidence(middle) >= -math.log(alpha):
            high = middle
        else:
            low = middle
    return high


def _smallest(is_noticed: Callable[[float], bool], low: float, high: float) -> float | None:
    """Return the smallest effect that is noticed, by bisection of its logarithm."""
    if not is_noticed(high):
        return None
    for _ in range(30):
        middle = math.sqrt(low * high)
        if is_noticed(middle):
            high = middle
        else:
            low = middle
    return high
