import math

import pytest

from surefoot.rollout import budget
from surefoot.rollout.metrics import DEFINITIONS, Kind, Metric

ALL = frozenset(Metric)


def test_every_metric_is_defined_and_the_weights_are_the_whole_budget() -> None:
    assert DEFINITIONS.keys() == set(Metric)
    assert math.isclose(sum(known.weight for known in DEFINITIONS.values()), 1.0)
    assert math.isclose(sum(budget.shares(ALL).values()), 0.05)


def test_a_robot_that_does_not_come_back_has_the_largest_share() -> None:
    shares = budget.shares(ALL)
    assert max(shares, key=lambda metric: shares[metric]) is Metric.NOT_RETURNED


def test_only_updates_ends_are_held_against_an_accepted_share() -> None:
    assert {metric for metric, known in DEFINITIONS.items() if known.accepted} == {
        metric for metric, known in DEFINITIONS.items() if known.kind is Kind.OUTCOME
    }


def test_a_plan_that_watches_less_has_the_same_budget() -> None:
    shares = budget.shares(frozenset({Metric.ERROR, Metric.SILENT}), 0.01)
    assert shares == pytest.approx({Metric.ERROR: 0.005, Metric.SILENT: 0.005})


def test_pooled_evidence_halts_whenever_one_metric_alone_would() -> None:
    for metric, share in budget.shares(ALL).items():
        alone = dict.fromkeys(Metric, -1000000000.0) | {metric: -math.log(share)}
        assert budget.log_pooled(alone) >= -math.log(0.05) - 1e-9


def test_without_metrics_there_is_no_evidence() -> None:
    assert budget.log_pooled({}) == 0.0
