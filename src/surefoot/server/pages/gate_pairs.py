"""Updated robots beside those they are compared with, metric by metric, from the evidence that a gate keeps."""

import math

from surefoot.rollout.first_event import FirstEvents
from surefoot.rollout.gate import Evidence
from surefoot.rollout.margins import NO_MARGINS, Margins, accepted_share
from surefoot.rollout.means import Means
from surefoot.rollout.metrics import Metric
from surefoot.rollout.outcomes import Outcomes
from surefoot.rollout.rates import Rates
from surefoot.server.pages.telemetry import Reading, Twin
from surefoot.server.pages.words import percent, plural

UPDATED = "Updated"
NOTHING = Reading(value=None, text="too few")


def pairs(evidence: Evidence, margins: Margins = NO_MARGINS) -> dict[Metric, Twin]:
    """Return each watched metric's two sides; of outcomes one is the share that the plan's margins accept."""
    return (
        {
            metric: _outcomes(metric, known, accepted_share(metric, margins))
            for metric, known in evidence.outcomes.items()
        }
        | {metric: _first_events(metric, known) for metric, known in evidence.first_events.items()}
        | {metric: _rates(metric, known) for metric, known in evidence.rates.items()}
        | {metric: _means(metric, known) for metric, known in evidence.means.items()}
    )


def _outcomes(metric: Metric, known: Outcomes, accepted: float) -> Twin:
    share = Reading(value=accepted, text=percent(accepted))
    return Twin(name=metric, before=share, since=_of(known.failed, known.ended), labels=("Accepted", UPDATED))


def _first_events(metric: Metric, known: FirstEvents) -> Twin:
    others = _of(known.others_events, known.others_at_risk + known.others_events)
    updated = _of(known.updated_events, known.updated_at_risk + known.updated_events)
    return Twin(name=metric, before=others, since=updated, labels=("Others", UPDATED))


def _rates(metric: Metric, known: Rates) -> Twin:
    labels = ("Predicted", UPDATED)
    if known.updated_expected <= 0:
        return Twin(name=metric, before=NOTHING, since=NOTHING, labels=labels)
    predicted = Reading(value=1.0, text="1.00 times")
    times = known.updated_observed / known.updated_expected
    return Twin(name=metric, before=predicted, since=Reading(value=times, text=f"{times:.2f} times"), labels=labels)


def _means(metric: Metric, known: Means) -> Twin:
    labels = ("Others", UPDATED)
    if known.standard_error <= 0:
        others, updated = (Reading(value=None, text=plural(count)) for count in (known.others, known.updated))
        return Twin(name=metric, before=others, since=updated, labels=labels)
    times = math.exp(known.difference)
    others, updated = Reading(value=1.0, text="as before"), Reading(value=times, text=f"{times - 1:+.1%}")
    return Twin(name=metric, before=others, since=updated, labels=labels)


def _of(part: int, whole: int) -> Reading:
    return Reading(value=part / whole if whole else None, text=f"{part:,} of {whole:,}")
