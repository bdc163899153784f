import math
from itertools import product

import pytest

from surefoot.rollout import outcomes
from surefoot.rollout.evidence import Answer
from surefoot.rollout.metrics import DEFINITIONS, Metric
from surefoot.rollout.outcomes import Outcomes

ALPHA = 0.015
LOST, FAILED = Metric.NOT_RETURNED, Metric.INSTALL_FAILED


def wealth(state: Outcomes) -> float:
    return math.exp(outcomes.log_evidence(state))


def after(metric: Metric, failed: int, ended: int, robots: int = 0) -> Outcomes:
    return outcomes.look(outcomes.open_phase(Outcomes(), metric, robots, ALPHA), metric, failed, ended)


@pytest.mark.parametrize("metric", [LOST, FAILED])
@pytest.mark.parametrize("robots", [0, 2, 4, 8])
@pytest.mark.parametrize("fraction", [1.0, 0.3])
def test_the_expected_capital_is_at_most_one_at_the_accepted_share_or_below(
    metric: Metric, robots: int, fraction: float
) -> None:
    """All sequences of eight ends, in two phases, looked at after each."""
    share, total = DEFINITIONS[metric].accepted * fraction, 0.0
    for sequence in product((0, 1), repeat=8):
        state, chance = outcomes.open_phase(Outcomes(), metric, robots, ALPHA), 1.0
        for number, failed in enumerate(sequence):
            if number == 4:
                state = outcomes.open_phase(state, metric, 4, ALPHA)
            state = outcomes.look(state, metric, failed, 1)
            chance *= share if failed else 1 - share
        total += chance * wealth(state)
    assert total <= 1 + 1e-12
    if fraction == 1.0 and robots in (0, 2, 4):
        assert total > 0.9


def test_one_of_two_internal_robots_that_does_not_come_back_halts() -> None:
    found = outcomes.finding(LOST, after(LOST, 1, 2, robots=2), ALPHA, soaked=False)
    assert found.answer is Answer.TRIPPED
    assert found.sentence.startswith("1 of 2 updated robots did not come back, where 0.1 % is accepted: ")
    assert found.sentence.endswith("Halted.")


def test_one_failed_install_of_two_halts_nothing() -> None:
    assert outcomes.finding(FAILED, after(FAILED, 1, 2, robots=2), 0.004, soaked=True).answer is not Answer.TRIPPED


def test_two_of_a_hundred_canaries_halt_and_one_does_not() -> None:
    assert outcomes.finding(LOST, after(LOST, 2, 60, robots=100), ALPHA, soaked=False).answer is Answer.TRIPPED
    assert outcomes.finding(LOST, after(LOST, 1, 60, robots=100), ALPHA, soaked=False).answer is Answer.WAITING


def test_two_percent_of_many_halt_without_any_exact_rule() -> None:
    assert outcomes.finding(LOST, after(LOST, 8, 400), ALPHA, soaked=False).answer is Answer.TRIPPED


def test_an_accepted_share_of_failures_never_adds_up() -> None:
    state = Outcomes()
    for _ in range(1000):
        state = outcomes.look(state, LOST, 1, 1000)
    assert wealth(state) < 1
    assert outcomes.finding(LOST, state, ALPHA, soaked=True).answer is Answer.PASSED


def test_a_ticket_leaves_money_for_the_next_phase() -> None:
    state = Outcomes()
    for robots in (2, 98, 400, 500):
        opened = outcomes.open_phase(state, LOST, robots, ALPHA)
        assert 0 < opened.money < state.money
        assert opened.tickets[-1].failures >= (state.tickets[-1].failures if state.tickets else 1)
        state = opened
    assert [ticket.failures for ticket in state.tickets][:2] == [1, 2]


def test_a_robot_lost_in_one_phase_counts_when_its_deadline_falls_into_the_next() -> None:
    state = outcomes.look(outcomes.open_phase(Outcomes(), LOST, 2, ALPHA), LOST, 0, 1)
    state = outcomes.look(outcomes.open_phase(state, LOST, 98, ALPHA), LOST, 1, 1)
    assert outcomes.finding(LOST, state, ALPHA, soaked=False).answer is Answer.TRIPPED


def test_ends_beyond_a_tickets_updates_do_not_pay_it() -> None:
    state = outcomes.open_phase(Outcomes(), LOST, 2, ALPHA)
    (full,) = outcomes.look(outcomes.look(state, LOST, 0, 2), LOST, 5, 5).tickets
    assert (full.failed, full.ended) == (0, 2)
    (across,) = outcomes.look(outcomes.look(state, LOST, 0, 1), LOST, 1, 2).tickets
    assert (across.failed, across.ended) == (0, 2), "whether the failed one was the ticket's is not known"


def test_nothing_ended_changes_nothing() -> None:
    state = outcomes.open_phase(Outcomes(), LOST, 2, ALPHA)
    assert outcomes.look(state, LOST, 0, 0) == state


def test_a_phase_that_reaches_nobody_costs_nothing() -> None:
    assert outcomes.open_phase(Outcomes(), LOST, 0, ALPHA).money == 1.0


@pytest.mark.parametrize("robots", [1, 7, 100])
@pytest.mark.parametrize("probability", [0.0, 0.001, 0.3, 1.0])
def test_the_tail_is_the_sum_of_its_terms(robots: int, probability: float) -> None:
    for count in range(-1, robots + 2):
        terms = (
            math.comb(robots, reached) * probability**reached * (1 - probability) ** (robots - reached)
            for reached in range(max(0, count), robots + 1)
        )
        assert outcomes.tail(robots, probability, count) == pytest.approx(math.fsum(terms), rel=1e-9, abs=1e-300)


def test_the_exact_rule_is_the_smallest_count_that_is_rare_enough() -> None:
    for robots in (1, 2, 12, 100):
        count = outcomes.failures_for(robots, 0.02, 0.01)
        if count is not None:
            assert outcomes.tail(robots, 0.02, count) <= 0.01 < outcomes.tail(robots, 0.02, count - 1)
    assert outcomes.failures_for(1, 0.02, 0.01) is None


def test_a_robot_has_half_as_long_again_as_its_longest_absence_to_come_back() -> None:
    assert outcomes.return_deadline_s(0.0) == 1800
    assert outcomes.return_deadline_s(14 * 3600) == 21 * 3600


def test_a_tail_far_below_the_mean_is_whole_however_many_robots_there_are() -> None:
    assert outcomes.tail(1_000_000, 0.5, 10) == 1.0
    assert 0.5 < outcomes.tail(1_000_000, 0.5, 500_000) < 0.501
