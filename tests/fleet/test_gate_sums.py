"""Sums in powers of a rate that is known last are the sums that the rate, known first, would have given."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.fleet.gate_sums import (
    DRAWN_H,
    HOUR_S,
    RATE_MAX,
    RATE_MIN,
    RateSums,
    StratumSums,
    drain_level,
    topic_level,
)
from surefoot.fleet.health_sums import Totals
from surefoot.rollout.means import Levels
from surefoot.rollout.metrics import Metric

numbers = st.floats(0, 1000)
# Of one robot: what it counted and for how long, before and since; and whether it is one of the others.
robots = st.lists(st.tuples(numbers, numbers, numbers, numbers, st.booleans()), max_size=8)


@given(robots=robots)
def test_what_is_usual_is_a_robots_own_rate_drawn_towards_its_stratums(
    robots: list[tuple[float, float, float, float, bool]],
) -> None:
    sums = RateSums()
    for before_y, before_h, y, hours, is_other in robots:
        weight = 1 / (before_h + DRAWN_H)
        sums.know(before_y, before_h)
        sums.count(is_other, y, hours, before_y * weight, DRAWN_H * weight)
        sums.spread(is_other, y, hours, before_y * weight, DRAWN_H * weight)
    hours_before = sum(robot[1] for robot in robots)
    rate = sum(robot[0] for robot in robots) / hours_before if hours_before else 0.0
    rate = min(RATE_MAX, max(RATE_MIN, rate))
    usual = [
        (other, y, hours * (before_y + rate * DRAWN_H) / (before_h + DRAWN_H))
        for before_y, before_h, y, hours, other in robots
    ]
    window, spread = sums.window(), sums.both()
    for is_other, count, m, arm in (
        (False, window.updated_count, window.updated_usual, spread.updated),
        (True, window.others_count, window.others_usual, spread.others),
    ):
        own = [(y, m) for other, y, m in usual if other is is_other]
        assert count == pytest.approx(sum(y for y, _ in own))
        assert m == pytest.approx(sum(m for _, m in own))
        assert (arm.robots, arm.with_event) == (len(own), sum(y > 0 for y, _ in own))
        assert arm.y == pytest.approx(count)
        assert arm.m == pytest.approx(m)
        assert arm.yy == pytest.approx(sum(y * y for y, _ in own))
        assert arm.ym == pytest.approx(sum(y * m for y, m in own))
        assert arm.mm == pytest.approx(sum(m * m for _, m in own))


def test_who_is_at_risk_is_counted_by_arm_and_event() -> None:
    stratum = StratumSums()
    for is_other, had_event in ((False, True), (False, False), (True, True), (True, False), (True, False)):
        stratum.risk(Metric.ERROR, is_other, had_event=had_event)
    risk = stratum.risk_set(Metric.ERROR)
    assert (risk.updated, risk.updated_events, risk.others, risk.others_events) == (2, 1, 3, 1)


def test_levels_are_summed_by_arm() -> None:
    stratum = StratumSums()
    for is_other, x in ((False, 1.0), (True, 2.0), (True, -1.0)):
        stratum.level(Metric.TOPIC_RATE, is_other, x)
    assert stratum.arms(Metric.TOPIC_RATE) == (Levels(robots=1, x=1.0, xx=1.0), Levels(robots=2, x=1.0, xx=5.0))


def a_drain(hours: float, per_hour: float) -> Totals:
    return Totals(discharging_s=hours * HOUR_S, drained_percent=hours * per_hour)


def test_a_drain_is_told_as_a_multiple_of_the_robots_own_the_surer_the_longer_it_was_watched() -> None:
    before = a_drain(100, 4.0)
    levels = [drain_level(before, a_drain(hours, 8.0)) for hours in (2, 10, 1000)]
    assert all(level is not None and level < math.log(2) for level in levels)
    assert levels == sorted(levels, key=lambda level: level or 0.0)
    assert levels[-1] == pytest.approx(math.log(2), abs=0.001)
    assert drain_level(before, a_drain(50, 4.0)) == pytest.approx(0.0)


def test_too_little_watched_is_no_level() -> None:
    assert drain_level(a_drain(2, 4.0), a_drain(10, 4.0)) is None
    assert drain_level(a_drain(10, 4.0), a_drain(0.5, 4.0)) is None
    assert drain_level(a_drain(10, 0.0), a_drain(10, 4.0)) is None
    assert topic_level(Totals(), Totals(topics_s=10 * HOUR_S)) is None


def some_topics(hours: float, *rates_hz: float) -> Totals:
    time_s = hours * HOUR_S
    return Totals(
        topics_s=time_s,
        topics_log_s=time_s * sum(math.log1p(hz) for hz in rates_hz),
        topics_count_s=time_s * len(rates_hz),
    )


def test_topics_that_halve_or_vanish_lower_the_level_whichever_they_are() -> None:
    before = some_topics(10, 10.0, 100.0)
    same, halved = topic_level(before, some_topics(5, 10.0, 100.0)), topic_level(before, some_topics(5, 5.0, 50.0))
    gone = topic_level(before, some_topics(5, 100.0))
    assert same == pytest.approx(0.0)
    assert halved == pytest.approx(-math.log(2), abs=0.1)
    assert gone is not None and gone < -0.5
