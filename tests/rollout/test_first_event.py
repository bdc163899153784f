import math
import random
from dataclasses import replace
from itertools import product

import pytest

from surefoot.rollout import evidence, first_event
from surefoot.rollout.evidence import PRIOR, RATIOS, Answer
from surefoot.rollout.first_event import FirstEvents, RiskSet
from surefoot.rollout.metrics import Metric


def wealth(state: FirstEvents) -> float:
    return math.exp(evidence.log_total(state.capital))


def factor(risk: RiskSet) -> list[float]:
    return [math.exp(value) for value in first_event.log_factors(risk)]


def test_two_silent_canaries_halt_with_the_sentence_an_operator_needs() -> None:
    state = first_event.look(FirstEvents(), [RiskSet(updated=12, others=108, updated_events=1)], 0.25)
    state = first_event.look(state, [RiskSet(updated=11, others=108, updated_events=1)], 0.25)
    found = first_event.finding(Metric.SILENT, state, 1 / 15, soaked=False, who="canaries")
    assert found.answer is Answer.TRIPPED
    assert found.sentence == (
        "2 of 12 canaries stopped sending diagnostics, 0 of 108 others: "
        "17 times likelier if the release is worse. Halted."
    )


def test_one_event_pays_as_the_log_rank_bet_says() -> None:
    for ratio, paid in zip(RATIOS, factor(RiskSet(updated=3, others=9, updated_events=1)), strict=True):
        chance = ratio * 3 / (ratio * 3 + 9)
        assert math.isclose(paid, chance / (3 / 12))
    for ratio, paid in zip(RATIOS, factor(RiskSet(updated=3, others=9, others_events=1)), strict=True):
        chance = ratio * 3 / (ratio * 3 + 9)
        assert math.isclose(paid, (1 - chance) / (9 / 12))


def test_no_bet_neither_wins_nor_loses() -> None:
    assert factor(RiskSet(updated=5, others=5, updated_events=5, others_events=1))[0] == 1.0


@pytest.mark.parametrize("risk", [RiskSet(updated=0, others=9, others_events=4), RiskSet(updated=9, others=0)])
def test_without_both_arms_nothing_is_learned(risk: RiskSet) -> None:
    assert math.isclose(wealth(first_event.look(FirstEvents(), [risk], 1.0)), 1.0)


def test_only_updated_robots_left_teach_nothing() -> None:
    risk = RiskSet(updated=9, others=0, updated_events=9)
    assert math.isclose(wealth(first_event.look(FirstEvents(), [risk], 1.0)), 1.0)


@pytest.mark.parametrize(("updated", "others"), [(1, 1), (2, 3), (5, 4), (1, 9), (8, 2)])
def test_ties_are_fair_or_worse_under_every_bet(updated: int, others: int) -> None:
    """Enumerates which of the robots at risk have the window's events: all draws are equally likely."""
    for events in range(updated + others + 1):
        draws = math.comb(updated + others, events)
        expected = [0.0] * len(RATIOS)
        for hit in range(max(0, events - others), min(updated, events) + 1):
            chance = math.comb(updated, hit) * math.comb(others, events - hit) / draws
            risk = RiskSet(updated=updated, others=others, updated_events=hit, others_events=events - hit)
            expected = [sum(pair) for pair in zip(expected, (chance * paid for paid in factor(risk)), strict=True)]
        assert max(expected) <= 1 + 1e-12
        if events <= 1:
            assert expected == pytest.approx([1.0] * len(RATIOS))


def test_the_expected_capital_after_any_number_of_looks_is_one() -> None:
    """All sequences of four first events among five robots, spread between looks."""
    total = 0.0
    for sequence in product((True, False), repeat=4):
        state, updated, others, chance = FirstEvents(), 2, 3, 1.0
        for is_updated in sequence:
            chance *= (updated if is_updated else others) / (updated + others)
            if not chance:
                break
            risk = RiskSet(
                updated=updated, others=others, updated_events=int(is_updated), others_events=int(not is_updated)
            )
            state = first_event.look(state, [risk], 6.0)
            updated, others = updated - is_updated, others - (not is_updated)
        total += chance * wealth(state) if chance else 0.0
    assert math.isclose(total, 1.0)


def test_a_good_release_is_halted_no_more_often_than_the_budget_allows() -> None:
    """Ville's inequality, watched to the last event: 2,000 fleets whose robots differ but not by the release."""
    dice, halted = random.Random(7), 0
    for _ in range(2000):
        order = [True] * 10 + [False] * 30
        dice.shuffle(order)
        state, updated, others = FirstEvents(), 10, 30
        for is_updated in order:
            risk = RiskSet(
                updated=updated, others=others, updated_events=int(is_updated), others_events=int(not is_updated)
            )
            state = first_event.look(state, [risk], 1.0)
            if wealth(state) >= 10:
                halted += 1
                break
            updated, others = updated - is_updated, others - (not is_updated)
    assert halted <= 200 + 3 * math.sqrt(2000 * 0.1 * 0.9)
    assert halted > 0, "such a bet would never notice anything"


def test_one_more_updated_robot_among_the_events_never_weighs_less() -> None:
    for events in range(1, 8):
        weights = [
            evidence.log_mixture(
                first_event.log_factors(RiskSet(updated=8, others=20, updated_events=hit, others_events=events - hit)),
                PRIOR,
            )
            for hit in range(events + 1)
        ]
        assert weights == sorted(weights)


def test_strata_may_come_in_any_order() -> None:
    strata = [
        RiskSet(updated=3, others=20, updated_events=2, others_events=1),
        RiskSet(updated=30, others=10, others_events=4),
        RiskSet(updated=7, others=7, updated_events=1),
    ]
    forth, back = (first_event.look(FirstEvents(), order, 0.25) for order in (strata, strata[::-1]))
    assert math.isclose(wealth(forth), wealth(back))
    assert replace(forth, capital=back.capital, updated_expected=0.0) == replace(back, updated_expected=0.0)


def test_robots_of_different_strata_are_not_compared() -> None:
    apart = [RiskSet(updated=10, others=0, updated_events=5), RiskSet(updated=0, others=90)]
    together = [RiskSet(updated=10, others=90, updated_events=5)]
    assert math.isclose(wealth(first_event.look(FirstEvents(), apart, 0.25)), 1.0)
    assert wealth(first_event.look(FirstEvents(), together, 0.25)) > 100


def test_a_change_after_quiet_days_is_seen_nearly_as_fast_as_at_once() -> None:
    def events_to_halt(quiet_hours: int) -> int:
        state = FirstEvents()
        for _ in range(quiet_hours):
            state = first_event.look(state, [RiskSet(updated=50, others=50, others_events=1)], 1.0)
        count = 0
        while wealth(state) < 200:
            state = first_event.look(state, [RiskSet(updated=50, others=50, updated_events=1)], 0.25)
            count += 1
        return count

    assert events_to_halt(48) <= 2 * events_to_halt(0)


def test_the_next_phase_begins_with_half_the_capital_where_it_started() -> None:
    state = first_event.look(FirstEvents(), [RiskSet(updated=50, others=50, others_events=20)], 0.25)
    opened = first_event.open_phase(state)
    assert math.isclose(wealth(opened), wealth(state))
    assert opened.capital.log_shares[-1] >= math.log(0.5 * PRIOR[-1] * wealth(state)) - 1e-9


def test_others_events_count_only_beside_updated_robots() -> None:
    state = first_event.look(FirstEvents(), [RiskSet(updated=0, others=100, others_events=9)], 0.25)
    assert first_event.finding(Metric.ERROR, state, 0.01, soaked=True, who="canaries").fact == (
        "0 of 0 canaries reported an error, 0 of 91 others"
    )
