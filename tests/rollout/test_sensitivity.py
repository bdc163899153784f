import math

import pytest

from surefoot.rollout import sensitivity
from surefoot.rollout.metrics import Metric
from surefoot.rollout.sensitivity import Watch

USUAL = 1 / 96


def watch(updated: int, others: int = 900, hours: float = 48.0) -> Watch:
    return Watch(updated=updated, others=others, hours=hours, alpha=0.005)


def ratio(watched: Watch, usual: float = USUAL) -> float:
    found = sensitivity.first_event_ratio(watched, usual)
    return math.inf if found is None else found


def test_more_canaries_notice_less() -> None:
    ratios = [ratio(watch(updated)) for updated in (5, 20, 100, 1000)]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-1] < 2 < ratios[1] < ratios[0] < 100


def test_a_longer_soak_notices_less() -> None:
    assert ratio(watch(50, hours=96), 1 / 1000) < ratio(watch(50, hours=12), 1 / 1000)


def test_two_canaries_prove_little_and_it_is_said() -> None:
    assert sensitivity.sentence(watch(2), Metric.ERROR, USUAL, "canaries").startswith(
        "With 2 canaries in 48 h this gate can only notice that robots reported an error "
    )
    assert sensitivity.sentence(watch(1), Metric.ERROR, USUAL, "canaries") == (
        "With one robot in 48 h this gate cannot notice that more robots reported an error: "
        "widen the phase or lengthen the soak."
    )


@pytest.mark.parametrize("watched", [watch(0), watch(10, others=0)])
def test_without_both_arms_nothing_is_noticed(watched: Watch) -> None:
    assert sensitivity.first_event_ratio(watched, USUAL) is None


def test_the_sentence_has_a_figure() -> None:
    assert sensitivity.sentence(watch(100), Metric.ERROR, USUAL, "canaries") == (
        "With 100 canaries in 48 h this gate can only notice that robots reported an error 2.1 times as often as usual."
    )


def test_the_share_of_lost_robots_that_is_noticed_shrinks_with_their_number() -> None:
    shares = [sensitivity.outcome_share(watch(updated), Metric.NOT_RETURNED) for updated in (2, 12, 100, 10_000)]
    assert shares == sorted((share or 1.0 for share in shares), reverse=True)
    assert 0.001 < (shares[-1] or 1.0) < 0.01


def test_a_change_of_a_mean_is_noticed_by_many_robots_only() -> None:
    few, some, many = (sensitivity.mean_change(watch(updated), 0.3) for updated in (19, 100, 900))
    assert few is None
    assert some is not None and many is not None and 0 < many < some < 0.5
