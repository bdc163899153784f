"""What a plan accepts to be worse halts nothing, what is worse than that does, and without margins nothing changes."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.rollout import gate
from surefoot.rollout.evidence import PRIOR, Answer
from surefoot.rollout.explain import explain
from surefoot.rollout.first_event import RiskSet, log_factors
from surefoot.rollout.gate import Ended, Evidence, GateFacts, RateFacts
from surefoot.rollout.margins import NO_MARGINS, Margins, accepted_share, log_margin, margin_max, margin_text
from surefoot.rollout.means import Levels, MeanStratum
from surefoot.rollout.metrics import Metric
from surefoot.rollout.plan import Gates, Phase, Plan
from surefoot.rollout.rates import RateWindow, Spread, Sums

USUAL = Levels(robots=900, x=0.0, xx=9.0)


def halts(metric: Metric, facts: list[GateFacts], margins: Margins = NO_MARGINS) -> bool:
    state: Evidence = gate.start(frozenset({metric}))
    return gate.judge(watched(state, facts, margins), soaked=True, margins=margins).answer is Answer.TRIPPED


def watched(state: Evidence, facts: list[GateFacts], margins: Margins) -> Evidence:
    state = gate.open_phase(state, 100, margins=margins)
    for window in facts:
        state = gate.look(state, window, margins)
    return state


def errors(times: float) -> list[GateFacts]:
    """Windows in which updated robots have their first error so many times as often as the others."""
    dice, updated, others, found = random.Random(3), 500, 500, []
    for _ in range(60):
        now = [
            sum(dice.random() < share for _ in range(robots))
            for robots, share in ((updated, 0.004 * times), (others, 0.004))
        ]
        risk = RiskSet(updated=updated, others=others, updated_events=now[0], others_events=now[1])
        updated, others = updated - now[0], others - now[1]
        found.append(GateFacts(hours=0.25, first_events={Metric.ERROR: (risk,)}))
    return found


def warnings(times: float) -> list[GateFacts]:
    """One window in which a hundred robots on either side had warnings, the updated ones so many times as often."""
    window = RateWindow(updated_count=400 * times, others_count=400, updated_usual=400, others_usual=400)
    sums = [
        Sums(robots=100, with_event=100, y=y, m=400, yy=y * y / 100 + y, ym=4 * y, mm=1600) for y in (400 * times, 400)
    ]
    facts = RateFacts(windows=(window,), spreads=(Spread(updated=sums[0], others=sums[1]),))
    return [GateFacts(hours=0.25, rates={Metric.WARNING_TIME: facts})]


def drain(rise: float) -> list[GateFacts]:
    x = math.log1p(rise)
    updated = Levels(robots=100, x=100 * x, xx=100 * (x * x + 0.01))
    return [GateFacts(hours=0.25, means={Metric.BATTERY_DRAIN: (MeanStratum(updated=updated, others=USUAL),)})]


def topics(fall: float) -> list[GateFacts]:
    x = math.log1p(-fall)
    updated = Levels(robots=100, x=100 * x, xx=100 * (x * x + 0.01))
    return [GateFacts(hours=0.25, means={Metric.TOPIC_RATE: (MeanStratum(updated=updated, others=USUAL),)})]


def installs(failed: int) -> list[GateFacts]:
    return [GateFacts(hours=0.25, outcomes={Metric.INSTALL_FAILED: Ended(failed=failed, ended=100)})]


CASES = [
    pytest.param(Metric.ERROR, errors(2.0), 1.0, errors(4.5), id="first events"),
    pytest.param(Metric.WARNING_TIME, warnings(1.5), 0.5, warnings(2.5), id="rates"),
    pytest.param(Metric.BATTERY_DRAIN, drain(0.2), 0.2, drain(0.4), id="means"),
    pytest.param(Metric.TOPIC_RATE, topics(0.2), 0.2, topics(0.4), id="means where lower is worse"),
    pytest.param(Metric.INSTALL_FAILED, installs(10), 0.1, installs(30), id="outcomes"),
]


@pytest.mark.parametrize(("metric", "worse", "margin", "much_worse"), CASES)
def test_a_margin_accepts_what_would_halt_and_not_what_is_worse_than_it(
    metric: Metric, worse: list[GateFacts], margin: float, much_worse: list[GateFacts]
) -> None:
    assert halts(metric, worse)
    assert not halts(metric, worse, {metric: margin})
    assert halts(metric, much_worse, {metric: margin})


def test_a_margin_of_one_metric_is_none_of_another() -> None:
    state = gate.start(frozenset({Metric.ERROR, Metric.REBOOT}))
    assert watched(state, errors(2.0), {Metric.REBOOT: 1.0}) == watched(state, errors(2.0), NO_MARGINS)
    assert watched(state, errors(2.0), {Metric.ERROR: 1.0}) != watched(state, errors(2.0), NO_MARGINS)


@given(
    st.integers(1, 1000),
    st.integers(1, 1000),
    st.floats(0, 10, exclude_min=True),
    st.floats(0, 1),
)
def test_a_bet_is_fair_or_worse_for_every_release_up_to_its_margin(
    updated: int, others: int, margin: float, part: float
) -> None:
    true_times = 1 + margin * part
    hit = updated * true_times / (updated * true_times + others)
    log_times = log_margin(Metric.ERROR, {Metric.ERROR: margin})

    def mean_factor(bet: int) -> float:
        factors = [
            math.exp(log_factors(RiskSet(updated=updated, others=others, **events), math.exp(log_times))[bet])
            for events in ({"updated_events": 1}, {"others_events": 1})
        ]
        return hit * factors[0] + (1 - hit) * factors[1]

    assert all(mean_factor(bet) <= 1 + 1e-9 for bet in range(len(PRIOR)))


def test_the_sentence_says_what_is_accepted() -> None:
    margins = {Metric.BATTERY_DRAIN: 0.1, Metric.INSTALL_FAILED: 0.05}
    state = watched(gate.start(frozenset(margins)), [*drain(0.4), *installs(1)], margins)
    sentences = {found.metric: found.sentence for found in gate.judge(state, soaked=True, margins=margins).findings}
    assert "against 900 others, where 10 % more is accepted: " in sentences[Metric.BATTERY_DRAIN]
    assert "where 5 % is accepted: " in sentences[Metric.INSTALL_FAILED]
    plain = {found.metric: found.sentence for found in gate.judge(state, soaked=True).findings}
    assert "accepted" not in plain[Metric.BATTERY_DRAIN]


def test_margins_have_words_and_bounds() -> None:
    margins = {Metric.ERROR: 0.25, Metric.TOPIC_RATE: 0.1, Metric.NOT_RETURNED: 0.005}
    assert [margin_text(metric, margins) for metric in (*margins, Metric.REBOOT)] == [
        "25 % more",
        "10 % less",
        "0.5 % of updates",
        "",
    ]
    assert [margin_max(metric) for metric in margins] == [10.0, 0.9, 0.5]
    assert (accepted_share(Metric.NOT_RETURNED, margins), accepted_share(Metric.NOT_RETURNED, {})) == (0.005, 0.001)
    assert log_margin(Metric.TOPIC_RATE, margins) == pytest.approx(math.log(1 / 0.9))
    assert log_margin(Metric.REBOOT, margins) == 0.0


def test_what_a_plan_notices_is_told_beyond_its_margins() -> None:
    phases = (Phase(name="half", percent=50, soak_s=86400), Phase(name="full", percent=100, soak_s=0))
    margins = {Metric.ERROR: 1.0, Metric.BATTERY_DRAIN: 0.1, Metric.INSTALL_FAILED: 0.1}

    def told(margins: Margins) -> dict[Metric, tuple[float, str]]:
        plan = Plan(phases=phases, gates=Gates(metrics=frozenset(Metric), margins=dict(margins)))
        notices = explain(plan, 2000)[0].notices
        return {
            found.metric: (float((found.least or "0").strip("+-% x").removeprefix("in ").split()[0]), found.sentence)
            for found in notices
        }

    plain, accepting = told({}), told(margins)
    for metric in margins:
        assert accepting[metric][0] > plain[metric][0], metric
    assert accepting[Metric.ERROR][1].endswith("; the plan accepts 100 % more")
    assert "accepts" not in accepting[Metric.REBOOT][1] and accepting[Metric.REBOOT] == plain[Metric.REBOOT]
