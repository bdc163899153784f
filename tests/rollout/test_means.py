import math
import random
from collections.abc import Sequence

import pytest

from surefoot.rollout import means
from surefoot.rollout.evidence import Answer
from surefoot.rollout.means import Levels, Means, MeanStratum
from surefoot.rollout.metrics import Metric


def levels(values: Sequence[float]) -> Levels:
    return Levels(robots=len(values), x=sum(values), xx=sum(value * value for value in values))


def drawn(dice: random.Random, robots: int, mean: float = 0.0, deviation: float = 0.2) -> Levels:
    return levels([dice.gauss(mean, deviation) for _ in range(robots)])


def test_a_battery_that_drains_half_as_fast_again_halts_with_its_figures() -> None:
    dice = random.Random(5)
    state = means.look([MeanStratum(updated=drawn(dice, 100, math.log(1.5)), others=drawn(dice, 900))])
    found = means.finding(Metric.BATTERY_DRAIN, state, 0.003, soaked=False, who="canaries")
    assert found.answer is Answer.TRIPPED
    assert found.fact.startswith("Battery drain: +5") or found.fact.startswith("Battery drain: +4")
    assert found.fact.endswith(" on 100 canaries against 900 others")


def test_worse_has_a_direction() -> None:
    dice = random.Random(5)
    strata = [MeanStratum(updated=drawn(dice, 100, -0.3), others=drawn(dice, 900))]
    assert means.look(strata).log_evidence < 0
    assert means.look(strata, worse_when_lower=True).log_evidence > math.log(1000)


def test_the_same_level_passes() -> None:
    dice = random.Random(6)
    state = means.look([MeanStratum(updated=drawn(dice, 300), others=drawn(dice, 300))])
    assert means.finding(Metric.TOPIC_RATE, state, 0.003, soaked=True, who="canaries").answer is Answer.PASSED


def test_few_robots_do_not_speak() -> None:
    few = means.look([MeanStratum(updated=levels([9.0, 8.0] * 9), others=levels([0.0, 0.1] * 50))])
    assert few == Means(updated=18, others=100)


def test_robots_that_all_say_the_very_same_speak_against_a_release_that_changed_it_and_for_none_other() -> None:
    changed = MeanStratum(updated=levels([1.0] * 30), others=levels([0.0] * 30))
    same = MeanStratum(updated=levels([1.0] * 30), others=levels([1.0] * 30))
    assert means.look([changed]).log_evidence > math.log(1e6)
    assert means.look([same]).log_evidence <= 0.0


def test_spreads_too_small_for_a_float_are_no_fault() -> None:
    tiny = Levels(robots=20, x=0.0, xx=2.2250738585e-313)
    assert means.look([MeanStratum(updated=tiny, others=tiny)]).log_evidence <= 0.0


def test_strata_at_different_levels_are_not_compared_with_each_other() -> None:
    dice = random.Random(8)
    high = MeanStratum(updated=drawn(dice, 200, 1.0), others=drawn(dice, 50, 1.0))
    low = MeanStratum(updated=drawn(dice, 50), others=drawn(dice, 200))
    state = means.look([high, low])
    assert abs(state.difference) < 4 * state.standard_error < 0.3
    assert means.look([low, high]).log_evidence == pytest.approx(state.log_evidence)


def test_robots_known_less_well_weigh_less() -> None:
    """Updated robots were watched for an hour, the others for days: their own spread counts."""
    dice = random.Random(9)
    others = drawn(dice, 900, 0.0, 0.05)
    narrow = levels([0.1 + 0.05 * math.sin(number) for number in range(30)])
    wide = levels([0.1 + 0.8 * math.sin(number) for number in range(30)])
    assert means.look([MeanStratum(updated=narrow, others=others)]).log_evidence > math.log(1000)
    assert means.look([MeanStratum(updated=wide, others=others)]).log_evidence < math.log(3)


def test_a_good_release_is_halted_no_more_often_than_the_budget_allows() -> None:
    dice, halted = random.Random(12), 0
    for _ in range(500):
        arms: list[list[float]] = [[], []]
        for _ in range(40):
            arms[0] += [dice.gauss(0, 0.3)]
            arms[1] += [dice.gauss(0, 0.3) for _ in range(3)]
            state = means.look([MeanStratum(updated=levels(arms[0]), others=levels(arms[1]))])
            if state.log_evidence >= math.log(20):
                halted += 1
                break
    assert halted <= 500 * 0.05 + 3 * math.sqrt(500 * 0.05 * 0.95)


def test_the_evidence_is_one_on_average_when_the_error_is_known() -> None:
    error, steps = 0.05, 4000
    width = 16 * error / steps
    total = 0.0
    for step in range(steps):
        difference = -8 * error + (step + 0.5) * width
        density = math.exp(-0.5 * (difference / error) ** 2) / error / math.sqrt(2 * math.pi)
        total += density * width * math.exp(means.log_evidence(difference, error))
    # The largest delta is beyond the eight deviations that are summed here.
    assert 0.7 < total < 1.0 + 1e-9
