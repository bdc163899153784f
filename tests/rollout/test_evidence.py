import math

import pytest

from surefoot.rollout import evidence
from surefoot.rollout.evidence import PRIOR, RATIOS, SUSPICION, Answer
from surefoot.rollout.metrics import Metric


def test_the_capital_starts_at_one() -> None:
    assert math.isclose(sum(PRIOR), 1.0)
    assert len(PRIOR) == len(RATIOS)
    assert math.isclose(evidence.log_total(evidence.start()), 0.0, abs_tol=1e-12)


def test_each_bet_is_paid_what_it_won() -> None:
    capital = evidence.settle(evidence.start((0.5, 0.5)), (math.log(3), math.log(0.2)))
    assert math.isclose(math.exp(evidence.log_total(capital)), 0.5 * 3 + 0.5 * 0.2)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_spreading_moves_capital_and_makes_none(share: float) -> None:
    capital = evidence.settle(evidence.start((0.5, 0.5)), (5.0, -900.0))
    spread = evidence.spread(capital, share, (0.5, 0.5))
    assert math.isclose(evidence.log_total(spread), evidence.log_total(capital))
    if share:
        assert spread.log_shares[1] > capital.log_shares[1]


def test_capital_beyond_what_a_float_holds_stays_finite() -> None:
    capital = evidence.settle(evidence.start(), (1e5,) * len(PRIOR))
    assert math.isclose(evidence.log_total(evidence.spread(capital, 0.02)), 1e5)
    found = evidence.conclude(Metric.ERROR, "All failed", 1e5, alpha=0.005, soaked=False)
    assert found.sentence == "All failed: more than a million times likelier if the release is worse. Halted."


@pytest.mark.parametrize(
    ("times", "soaked", "answer", "words"),
    [
        (200.1, False, Answer.TRIPPED, "200 times likelier if the release is worse. Halted."),
        (200.1, True, Answer.TRIPPED, "200 times likelier if the release is worse. Halted."),
        (199.0, True, Answer.WAITING, "199 times likelier if the release is worse; 200 times halts. Waiting."),
        (
            SUSPICION + 0.01,
            True,
            Answer.WAITING,
            "10 times likelier if the release is worse; 200 times halts. Waiting.",
        ),
        (3.0, True, Answer.PASSED, "3.0 times likelier if the release is worse. Passed."),
        (3.0, False, Answer.WAITING, "3.0 times likelier if the release is worse; 200 times halts. Waiting."),
        (0.5, True, Answer.PASSED, "nothing speaks against the release. Passed."),
        (0.5, False, Answer.WAITING, "nothing speaks against the release; 200 times halts. Waiting."),
    ],
)
def test_the_three_answers(times: float, soaked: bool, answer: Answer, words: str) -> None:
    found = evidence.conclude(Metric.ERROR, "Fact", math.log(times), alpha=0.005, soaked=soaked)
    assert found.answer is answer
    assert found.sentence == f"Fact: {words}"
