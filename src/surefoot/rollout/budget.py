"""The budget of false halts: one probability for a whole rollout, shared by its metrics.

The weighted mean of fair bets is a fair bet whatever ties them together, so the rollout halts when the mean of the
metrics' evidence, each by its weight, reaches 1/alpha. That halts at least as early as each metric on its own share
of alpha would, since weight x evidence >= 1/alpha already carries the mean there.
"""

import math
from collections.abc import Mapping

from surefoot.rollout.evidence import log_sum
from surefoot.rollout.metrics import DEFINITIONS, Metric

ALPHA = 0.05


def weights(metrics: frozenset[Metric]) -> dict[Metric, float]:
    """Return the weights of the metrics that a plan watches, which sum to 1."""
    whole = sum(DEFINITIONS[metric].weight for metric in metrics)
    return {metric: DEFINITIONS[metric].weight / whole for metric in Metric if metric in metrics}


def shares(metrics: frozenset[Metric], alpha: float = ALPHA) -> dict[Metric, float]:
    """Return each metric's own share of the budget: alone it halts at 1/share."""
    return {metric: alpha * weight for metric, weight in weights(metrics).items()}


def log_pooled(log_evidence: Mapping[Metric, float]) -> float:
    """Return the logarithm of the metrics' evidence, pooled by weight: the rollout halts at 1/alpha."""
    if not log_evidence:
        return 0.0
    pooled = weights(frozenset(log_evidence))
    return log_sum([math.log(pooled[metric]) + value for metric, value in log_evidence.items()])
