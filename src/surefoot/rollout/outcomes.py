"""How updates end: failed installs and robots that did not come back, against the share that is accepted.

There is no control group for the end of an update, so this bet has one arm: as long as an update fails with at most
the accepted probability p0, the capital on "it fails with p" gains p/p0 at each failure and (1 - p)/(1 - p0) at each
success, which is fair or worse (Wald's likelihood ratio; spread over several p: Robbins 1970).

Two canaries earn such a bet too little. Half the capital therefore buys tickets for small phases: before a phase of n
robots, that k of the next n updates fail, at the fair price P(Bin(n, p0) >= k) of what it pays. It pays what halts the
rollout, and k is the smallest that the rest of the money can buy.
"""

import math
from dataclasses import dataclass, field, replace

from surefoot.rollout import evidence
from surefoot.rollout.evidence import Capital, Finding
from surefoot.rollout.margins import NO_MARGINS, Margins, accepted_share
from surefoot.rollout.metrics import DEFINITIONS, Metric

TIMES = (2, 5, 10, 20, 50, 100)
SHARE_MAX = 0.9
PRIOR = (0.10, *(0.90 / len(TIMES) for _ in TIMES))
SMALL_PHASE_MAX = 1000
# What one ticket may cost of the money that is left: something stays for the next phase.
PRICE_MAX = 0.9
_LOG_HALF = math.log(0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A bet that at least `failures` of the next `updates` fail, which then pays `payoff`.

    `failed` and `ended` count those updates so far.
    """

    updates: int
    failures: int
    payoff: float
    failed: int = 0
    ended: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What a metric keeps between looks: how many updates ended, and failed, in all, and both halves of its capital.

    `capital` is spread over failure shares; `money` is what is not spent on `tickets`, one for each small phase.
    """

    capital: Capital = field(default_factory=lambda: evidence.start(PRIOR))
    failed: int = 0
    ended: int = 0
    money: float = 1.0
    tickets: tuple[Ticket, ...] = ()


def return_deadline_s(longest_absence_s: float) -> float:
    """Return how long after its trial boot a robot that is not heard counts as not returned.

    Half as long again as its longest absence of the weeks before, and at least half an hour: a robot whose shift ends
    in the minute of its reboot has not failed.
    """
    return max(1800.0, 1.5 * longest_absence_s)


def look(state: Outcomes, metric: Metric, failed: int, ended: int, margins: Margins = NO_MARGINS) -> Outcomes:
    """Take updates into account whose end is known since the last look: `failed` of the `ended`."""
    if not ended:
        return state
    accepted = accepted_share(metric, margins)
    log_factors = [0.0]
    for times in TIMES:
        share = min(times * accepted, SHARE_MAX)
        won = failed * math.log(share / accepted)
        log_factors.append(won + (ended - failed) * math.log((1 - share) / (1 - accepted)))
    return replace(
        state,
        capital=evidence.settle(state.capital, log_factors),
        failed=state.failed + failed,
        ended=state.ended + ended,
        tickets=tuple(_count(ticket, failed, ended) for ticket in state.tickets),
    )


def open_phase(state: Outcomes, metric: Metric, robots: int, alpha: float, margins: Margins = NO_MARGINS) -> Outcomes:
    """Begin a phase that reaches so many robots more; half the capital is put in reserve for it."""
    state = replace(state, capital=evidence.spread(state.capital, 0.5, PRIOR))
    if not 0 < robots <= SMALL_PHASE_MAX:
        return state
    payoff, accepted = 2 / alpha, accepted_share(metric, margins)
    failures = failures_for(robots, accepted, PRICE_MAX * state.money / payoff)
    if failures is None:
        return state
    ticket = Ticket(updates=robots, failures=failures, payoff=payoff)
    money = state.money - payoff * tail(robots, accepted, failures)
    return replace(state, money=money, tickets=(*state.tickets, ticket))


def log_evidence(state: Outcomes) -> float:
    """Return the logarithm of what both halves of the capital have become."""
    won = sum(ticket.payoff for ticket in state.tickets if ticket.failed >= ticket.failures)
    return evidence.log_sum([_LOG_HALF + evidence.log_total(state.capital), _LOG_HALF + math.log(state.money + won)])


def failures_for(updates: int, accepted: float, probability: float) -> int | None:
    """Return the smallest number of failures that so many updates reach with at most this probability, if any."""
    return next((count for count in range(1, updates + 1) if tail(updates, accepted, count) <= probability), None)


def tail(robots: int, probability: float, count: int) -> float:
    """Return P(Bin(robots, probability) >= count)."""
    if count <= 0:
        return 1.0
    if count > robots or probability <= 0:
        return 0.0
    if probability >= 1:
        return 1.0
    if count <= robots * probability:
        # From below the mean the sum would begin with terms too small for a float: the other side is summed instead.
        return 1.0 - tail(robots, 1 - probability, robots - count + 1)
    log_term = (
        math.lgamma(robots + 1)
        - math.lgamma(count + 1)
        - math.lgamma(robots - count + 1)
        + count * math.log(probability)
        + (robots - count) * math.log1p(-probability)
    )
    odds, term, total = probability / (1 - probability), math.exp(log_term), 0.0
    for reached in range(count, robots + 1):
        total += term
        if term < total * 1e-17:
            break
        term *= (robots - reached) / (reached + 1) * odds
    return min(1.0, total)


def finding(metric: Metric, state: Outcomes, alpha: float, soaked: bool, margins: Margins = NO_MARGINS) -> Finding:
    """Answer with "3 of 120 updated robots …, where 0.1 % is accepted: …"."""
    words, accepted = DEFINITIONS[metric].words, accepted_share(metric, margins)
    fact = f"{state.failed} of {state.ended} updated robots {words}, where {accepted * 100:g} % is accepted"
    return evidence.conclude(metric, fact, log_evidence(state), alpha=alpha, soaked=soaked)


def _count(ticket: Ticket, failed: int, ended: int) -> Ticket:
    # Of updates that end together beyond the ticket's last, the failed ones may be the ones beyond.
    beyond = max(0, ticket.ended + ended - ticket.updates)
    return replace(
        ticket,
        failed=ticket.failed + max(0, failed - beyond),
        ended=min(ticket.updates, ticket.ended + ended),
    )
