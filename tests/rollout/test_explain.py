from dataclasses import replace

from surefoot.rollout.explain import explain
from surefoot.rollout.metrics import Metric
from surefoot.rollout.plan import Gates, Phase, Plan, default_plan

INTERNAL = default_plan(("robot-1", "robot-2"))


def test_each_phase_says_whom_it_reaches_and_when_it_ends_at_the_earliest() -> None:
    found = [(look.phase.name, look.new, look.reached, look.others) for look in explain(INTERNAL, 120)]
    assert found == [("internal", 2, 2, 118), ("canary", 10, 12, 108), ("wider", 48, 60, 60), ("full", 60, 120, 0)]
    assert [look.ends_after_s / 3600 for look in explain(INTERNAL, 120)] == [24, 72, 96, 120]


def test_excluded_robots_do_not_count_and_no_fleet_is_no_fault() -> None:
    assert explain(replace(INTERNAL, exclude=("robot-7",)), 100)[-1].reached == 99
    assert [look.reached for look in explain(replace(INTERNAL, exclude=("robot-7",)), 0)] == [0, 0, 0, 0]


def test_a_percentage_below_the_named_robots_reaches_nobody_new() -> None:
    canary = explain(INTERNAL, 12)[1]
    assert (canary.new, canary.reached) == (0, 2)
    assert all(notice.least is None for notice in canary.notices)


def test_larger_phases_notice_smaller_worsenings() -> None:
    half, rest = Phase(name="half", percent=50, soak_s=86400), Phase(name="rest", percent=100, soak_s=0)
    for metric in (Metric.NOT_RETURNED, Metric.INSTALL_FAILED, Metric.ERROR, Metric.BATTERY_DRAIN):
        plan = Plan(phases=(half, rest), gates=Gates(metrics=frozenset({metric})))
        shares = []
        for robots in (200, 2_000, 50_000):
            [notice] = explain(plan, robots)[0].notices
            assert notice.least is not None
            shares.append(float(notice.least.strip("+-% x")))
        assert shares == sorted(shares, reverse=True), metric
        assert shares[0] > shares[-1], metric


def test_what_a_gate_cannot_notice_says_why() -> None:
    found = {notice.metric: notice.sentence for notice in explain(INTERNAL, 30)[1].notices}
    assert found[Metric.BATTERY_DRAIN] == "nothing: it takes 20 robots on either side"
    assert found[Metric.INSTALL_FAILED] == "nothing: too few robots"
    last = {notice.metric: notice.sentence for notice in explain(INTERNAL, 30)[-1].notices}
    assert last[Metric.ERROR] == "nothing: no robot is left to compare with"


def test_only_the_metrics_of_the_plan_are_told() -> None:
    plan = Plan(phases=(Phase(name="full", percent=100, soak_s=60),), gates=Gates(metrics=frozenset({Metric.ERROR})))
    assert [notice.metric for notice in explain(plan, 10)[0].notices] == [Metric.ERROR]
    assert explain(replace(plan, gates=Gates(metrics=frozenset())), 10)[0].notices == ()
