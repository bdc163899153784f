"""Margins: how much worse than the others a plan accepts a release to be, metric by metric.

Of outcomes a margin is the share of updates that may end so, in place of the usual one; of all other metrics it is
relative: 0.2 accepts events that are a fifth more frequent, or a mean that is a fifth worse. "No worse" then means no
worse than that: bets are made against a release that just reaches its margin, and are fair or better for it below.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType

from surefoot.rollout.metrics import DEFINITIONS, Kind, Metric

Margins = Mapping[Metric, float]

NO_MARGINS: Margins = MappingProxyType({})
OUTCOME_MAX = 0.5
LOWER_MAX = 0.9
RELATIVE_MAX = 10.0


def margin_max(metric: Metric) -> float:
    """Return the largest margin that makes sense: half of the updates, nine tenths less, or ten times more."""
    known = DEFINITIONS[metric]
    return OUTCOME_MAX if known.kind is Kind.OUTCOME else LOWER_MAX if known.worse_when_lower else RELATIVE_MAX


def accepted_share(metric: Metric, margins: Margins) -> float:
    """Return the share of updates that may end so, of outcomes."""
    return margins.get(metric, DEFINITIONS[metric].accepted)


def log_margin(metric: Metric, margins: Margins) -> float:
    """Return the logarithm of how many times worse than the others is accepted, of all but outcomes; 0 for no worse."""
    margin = margins.get(metric, 0.0)
    return -math.log1p(-margin) if DEFINITIONS[metric].worse_when_lower else math.log1p(margin)


def margin_text(metric: Metric, margins: Margins) -> str:
    """Return what the margin accepts, such as `20 % more`, "" where it is not in the plan."""
    if metric not in margins:
        return ""
    percent = f"{margins[metric] * 100:g} %"
    if DEFINITIONS[metric].kind is Kind.OUTCOME:
        return f"{percent} of updates"
    return f"{percent} {'less' if DEFINITIONS[metric].worse_when_lower else 'more'}"
