"""Betting against a release: capital that grows only when the release really is worse.

Under "no worse" every bet is fair, so the capital exceeds 1/alpha with probability at most alpha, however often one
looks and whenever one stops (Ville's inequality; Ramdas, Grünwald, Vovk, Shafer: "Game-theoretic statistics and safe
anytime-valid inference", 2023). How much worse is not known beforehand, so the capital is spread over several bets
(Robbins' mixture, 1970), and some of it moves back to the prior with time, so that a change late in the soak does not
have to earn back what the quiet days cost (fixed share; Herbster and Warmuth: "Tracking the best expert", 1998).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from surefoot.rollout.metrics import Metric

# "No bet" and how many times more often something happens when the release is worse.
RATIOS = (1.0, 1.3, 2.0, 4.0, 10.0, 50.0)
PRIOR = (0.30, 0.14, 0.14, 0.14, 0.14, 0.14)
# A gate does not pass while the evidence leans this far against the release: longer watching settles it.
SUSPICION = 10.0


class Answer(StrEnum):
    """What a gate says."""

    PASSED = "passed"
    WAITING = "waiting"
    TRIPPED = "tripped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An answer: the fact, how many times likelier it is if the release is worse, and the whole sentence."""

    metric: Metric
    answer: Answer
    log_evidence: float
    fact: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Capital:
    """The logarithms of the shares that stand on each bet; the whole starts at 1."""

    log_shares: tuple[float, ...]


def start(prior: Sequence[float] = PRIOR) -> Capital:
    """Spread a capital of 1 over the bets."""
    return Capital(log_shares=tuple(math.log(share) for share in prior))


def settle(capital: Capital, log_factors: Sequence[float]) -> Capital:
    """Pay each bet what it won or lost."""
    shares = zip(capital.log_shares, log_factors, strict=True)
    return Capital(log_shares=tuple(share + factor for share, factor in shares))


def spread(capital: Capital, share: float, prior: Sequence[float] = PRIOR) -> Capital:
    """Move this share of the whole, between 0 and 1, back to where it started; the whole stays what it is."""
    if share <= 0:
        return capital
    whole = log_total(capital)
    # In proportion to the whole, which may be beyond what a float holds.
    mixed = [
        (1 - share) * math.exp(log_share - whole) + share * first
        for log_share, first in zip(capital.log_shares, prior, strict=True)
    ]
    return Capital(log_shares=tuple(whole + math.log(part) for part in mixed))


def log_total(capital: Capital) -> float:
    """Return the logarithm of the whole capital."""
    return log_sum(capital.log_shares)


def log_sum(logs: Sequence[float]) -> float:
    """Return log(sum(exp(x))) without overflow; of nothing, minus infinity."""
    highest = max(logs, default=-math.inf)
    if highest == -math.inf:
        return highest
    return highest + math.log(sum(math.exp(value - highest) for value in logs))


def log_mixture(log_values: Sequence[float], prior: Sequence[float]) -> float:
    """Return the logarithm of the prior's mean of the values."""
    return log_sum([value + math.log(weight) for value, weight in zip(log_values, prior, strict=True)])


def conclude(metric: Metric, fact: str, log_evidence: float, *, alpha: float, soaked: bool) -> Finding:
    """Answer for one metric that may halt falsely with probability `alpha`."""
    weight = weighed(log_evidence)
    if log_evidence >= -math.log(alpha):
        answer, ending = Answer.TRIPPED, f"{weight}. Halted."
    elif soaked and log_evidence < math.log(SUSPICION):
        answer, ending = Answer.PASSED, f"{weight}. Passed."
    else:
        answer, ending = Answer.WAITING, f"{weight}; {1 / alpha:.0f} times halts. Waiting."
    return Finding(metric=metric, answer=answer, log_evidence=log_evidence, fact=fact, sentence=f"{fact}: {ending}")


def weighed(log_evidence: float) -> str:
    """Say in words what the evidence weighs."""
    if log_evidence <= 0:
        return "nothing speaks against the release"
    if log_evidence > math.log(1e6):
        return "more than a million times likelier if the release is worse"
    times = math.exp(log_evidence)
    return f"{times:.{1 if times < 10 else 0}f} times likelier if the release is worse"
