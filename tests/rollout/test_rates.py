import math
import random
from collections.abc import Sequence

import pytest

from surefoot.rollout import rates
from surefoot.rollout.evidence import Answer
from surefoot.rollout.metrics import Metric
from surefoot.rollout.rates import Rates, RateWindow, Spread, Sums


def sums_of(counts: Sequence[float], usual: float = 1.0) -> Sums:
    """Sum what each robot counted, where `usual` was usual for every one."""
    return Sums(
        robots=len(counts),
        with_event=sum(count > 0 for count in counts),
        y=sum(counts),
        m=usual * len(counts),
        yy=sum(count * count for count in counts),
        ym=sum(count * usual for count in counts),
        mm=usual * usual * len(counts),
    )


def spread_of(updated: Sequence[float], others: Sequence[float], usual: float = 1.0) -> Spread:
    return Spread(updated=sums_of(updated, usual), others=sums_of(others, usual))


def look_at(updated: Sequence[float], others: Sequence[float], usual: float = 1.0) -> Rates:
    window = RateWindow(
        updated_count=sum(updated),
        others_count=sum(others),
        updated_usual=usual * len(updated),
        others_usual=usual * len(others),
    )
    return rates.look(Rates(), [window], [spread_of(updated, others, usual)])


def poisson(dice: random.Random, mean: float) -> int:
    count, product = 0, dice.random()
    while product > math.exp(-mean):
        count, product = count + 1, product * dice.random()
    return count


def test_twice_the_rate_on_many_robots_halts_with_its_figures() -> None:
    dice = random.Random(1)
    state = look_at([poisson(dice, 4) for _ in range(100)], [poisson(dice, 2) for _ in range(900)], usual=2.0)
    found = rates.finding(Metric.WARNING_TIME, state, 0.003, soaked=False, who="canaries")
    assert found.answer is Answer.TRIPPED
    assert found.fact.startswith("Time with warnings or errors: 1.")
    assert found.fact.endswith(" times on the canaries what the other robots' same hours predict")


def test_the_same_rate_passes() -> None:
    found = rates.finding(Metric.DTLS_FAILURES, look_at([2] * 100, [2] * 900), 0.003, soaked=True, who="canaries")
    assert found.answer is Answer.PASSED
    assert found.fact.startswith("Failed DTLS handshakes: 1.00 times")


def test_one_robot_that_floods_weighs_little_however_much_it_floods() -> None:
    quiet = [1.0] * 99
    flooded = [look_at([*quiet, flood], [1.0] * 900).log_evidence for flood in (100.0, 1e4, 1e6)]
    assert max(flooded) < math.log(20)
    spread_out = look_at([2.0] * 100, [1.0] * 900).log_evidence
    assert spread_out > math.log(1e3), "the same count from a hundred robots is evidence"


def test_few_robots_do_not_speak() -> None:
    assert look_at([50.0] * (rates.ROBOTS_MIN - 1), [1.0] * 900).log_evidence == 0.0
    assert look_at([50.0] * rates.ROBOTS_MIN, [1.0] * 900).log_evidence > 0.0


def test_robots_that_are_usually_busy_are_expected_to_be() -> None:
    window = RateWindow(updated_count=500, others_count=900, updated_usual=500, others_usual=900)
    both = Spread(updated=sums_of([5.0] * 100, 5.0), others=sums_of([1.0] * 900))
    state = rates.look(Rates(), [window], [both])
    assert state.updated_observed == pytest.approx(state.updated_expected)
    assert state.log_evidence < 0


def test_only_the_same_hours_are_compared() -> None:
    """Everybody has ten times as much by day, when most updated robots came."""
    night = RateWindow(updated_count=1, others_count=100, updated_usual=10, others_usual=1000)
    day = RateWindow(updated_count=1000, others_count=1000, updated_usual=1000, others_usual=1000)
    state = rates.look(rates.look(Rates(), [night], ()), [day], ())
    assert state.updated_observed / state.updated_expected == pytest.approx(1.0, abs=0.01)


def test_a_window_without_one_arm_teaches_nothing() -> None:
    lone = RateWindow(updated_count=9, others_count=0, updated_usual=5, others_usual=0)
    assert rates.look(Rates(), [lone], ()) == Rates()


def test_chance_events_have_no_over_dispersion_and_bursts_have() -> None:
    dice = random.Random(3)
    chance = [[float(poisson(dice, 3)) for _ in range(2000)] for _ in range(2)]
    bursts = [[10.0 * poisson(dice, 0.3) for _ in range(2000)] for _ in range(2)]
    assert rates.dispersion([spread_of(chance[0], chance[1])]) == pytest.approx(1.0, abs=0.1)
    assert rates.dispersion([spread_of(bursts[0], bursts[1])]) == pytest.approx(10.0, rel=0.15)
    assert rates.dispersion(()) == 1.0


def test_a_good_release_on_bursty_robots_is_halted_no_more_often_than_the_budget_allows() -> None:
    dice, halted = random.Random(11), 0
    for _ in range(300):
        counts, state = [0.0] * 200, Rates()
        for _ in range(30):
            hits = [dice.randrange(200) for _ in range(poisson(dice, 10))]
            sizes = [(robot, dice.expovariate(0.2)) for robot in hits]
            for robot, size in sizes:
                counts[robot] += size
            window = RateWindow(
                updated_count=sum(size for robot, size in sizes if robot < 50),
                others_count=sum(size for robot, size in sizes if robot >= 50),
                updated_usual=50.0,
                others_usual=150.0,
            )
            state = rates.look(state, [window], [spread_of(counts[:50], counts[50:])])
            if state.log_evidence >= math.log(20):
                halted += 1
                break
    assert halted <= 300 * 0.05 + 3 * math.sqrt(300 * 0.05 * 0.95)
