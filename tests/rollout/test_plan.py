from dataclasses import replace

import pytest

from support import code_of
from surefoot.rollout.durations import duration_text
from surefoot.rollout.metrics import Metric
from surefoot.rollout.plan import (
    CODE,
    Gates,
    Order,
    Path,
    Phase,
    Plan,
    PlanRefused,
    default_plan,
    one_robot_plan,
    path_text,
)
from surefoot.rollout.plan_format import plan_from_object, plan_to_object
from surefoot.rollout.ramp import Ramp

HOUR_S = 3600
# The table of the fleet strategy, as it is written there.
STRATEGY = """
| internal | 1\N{EN DASH}2 named test robots | 24 h |
| canary | 10 %, random | 48 h |
| wider | 50 % | 24 h |
| full | 100 % | 24 h after the last |
"""


def test_the_default_plan_is_the_fleet_strategy_word_for_word() -> None:
    plan = default_plan(("robot-1", "robot-2"))
    lines = []
    for phase in plan.phases:
        who = "1\N{EN DASH}2 named test robots" if phase.robots else f"{phase.percent:g} %"
        random = ", random" if phase.name == "canary" and plan.order is Order.RANDOM else ""
        after = " after the last" if phase is plan.phases[-1] else ""
        lines.append(f"| {phase.name} | {who}{random} | {duration_text(phase.soak_s)}{after} |")
    assert lines == STRATEGY.strip().splitlines()
    assert plan.gates == Gates(metrics=frozenset(Metric), false_halt_budget=0.05)
    assert (plan.failures_max, plan.silence_deadline_s) == (None, 24 * HOUR_S)
    assert (plan.recall_on_halt, plan.rollback_on_halt) == (False, True)
    assert plan.ramp == Ramp(first_wave=20, offers_per_settled=2)
    assert not any(phase.approval for phase in plan.phases)
    assert (plan.maintenance_windows, plan.exclude) == ((), ())


def test_without_named_robots_the_default_plan_begins_with_the_canaries() -> None:
    assert [phase.name for phase in default_plan().phases] == ["canary", "wider", "full"]


def test_a_plan_built_in_code_is_held_to_the_same() -> None:
    full = Phase(name="full", percent=100, soak_s=0)
    assert code_of(Plan, phases=()) == CODE
    assert code_of(Plan, phases=(full, replace(full, percent=50))) == CODE
    assert code_of(Plan, phases=(full,), capacity=0) == CODE
    assert code_of(Plan, phases=(replace(full, approval=True),)) == CODE


def test_a_robot_cannot_be_named_and_excluded_at_once() -> None:
    internal = Phase(name="internal", robots=("robot-1", "robot-2"), soak_s=0)
    with pytest.raises(PlanRefused) as caught:
        Plan(phases=(internal, Phase(name="full", percent=100, soak_s=0)), exclude=("robot-2",))
    assert caught.value.path == ("phases", 0, "robots", 1)


def test_a_plan_without_a_number_leaves_failures_to_the_gates() -> None:
    assert default_plan().allows(10**6)
    assert [replace(default_plan(), failures_max=2).allows(failed) for failed in (2, 3)] == [True, False]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), "plan"),
        (("capacity",), "capacity"),
        (("phases", 1, "percent"), "phases[1].percent"),
        (("phases", 0, "robots", 2), "phases[0].robots[2]"),
        (("k" * 100,), "k" * 64),
    ],
)
def test_where_something_stands_is_written_as_people_do(path: Path, text: str) -> None:
    assert path_text(path) == text


def test_a_plan_may_be_for_one_robot_alone() -> None:
    plan = one_robot_plan("robot-1")
    assert plan.only_robot_id == "robot-1" and default_plan(("robot-1",)).only_robot_id is None
    assert (plan.phases[0].soak_s, plan.gates.metrics, plan.ramp) == (0, frozenset(), None)
    # The way there and back through the file that people write.
    assert plan_from_object(plan_to_object(plan)) == plan


@pytest.mark.parametrize(
    "phases",
    [
        (Phase(name="lab", robots=("robot-1", "robot-2"), soak_s=0),),
        (Phase(name="lab", robots=("robot-1",), soak_s=0), Phase(name="more", robots=("robot-2",), soak_s=0)),
        (Phase(name="some", percent=50, soak_s=0),),
        (),
    ],
)
def test_a_plan_for_several_robots_must_end_with_the_fleet(phases: tuple[Phase, ...]) -> None:
    with pytest.raises(PlanRefused, match="100 percent, or be one phase that names one robot") as caught:
        Plan(phases=phases)
    assert caught.value.path == ("phases",)
