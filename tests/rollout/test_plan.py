from dataclasses import replace
from typing import Any

import pytest

from support import code_of
from surefoot.rollout.plan import CODE, Phase, Plan, default_plan, plan_from_object, plan_to_object
from surefoot.wire.errors import Refused

HOUR_S = 3600
CANARY: dict[str, Any] = {"name": "canary", "percent": 10, "soak_s": 60}
FULL: dict[str, Any] = {"name": "full", "percent": 100}
INTERNAL: dict[str, Any] = {"name": "internal", "robots": ["robot-1"]}


def refusal_of(source: object) -> str:
    with pytest.raises(Refused) as caught:
        plan_from_object(source)
    assert caught.value.code == CODE
    return str(caught.value)


def test_the_default_plan_is_the_fleet_strategy() -> None:
    plan = default_plan(("robot-1", "robot-2"))
    table = [(phase.name, phase.robots, phase.percent, phase.soak_s / HOUR_S) for phase in plan.phases]
    assert table == [
        ("internal", ("robot-1", "robot-2"), 0, 24),
        ("canary", (), 10, 48),
        ("wider", (), 50, 24),
        ("full", (), 100, 24),
    ]
    assert (plan.failures_max, plan.silence_deadline_s) == (0, 24 * HOUR_S)


def test_without_named_robots_the_default_plan_begins_with_the_canaries() -> None:
    assert [phase.name for phase in default_plan().phases] == ["canary", "wider", "full"]


def test_a_plan_comes_back_from_its_object() -> None:
    plan = replace(default_plan(("robot-1",)), capacity=7, attempts_max=2, failures_max=3, repair_drift=False)
    assert plan_from_object(plan_to_object(plan)) == plan


def test_what_a_plan_does_not_say_has_a_default() -> None:
    assert plan_from_object({"phases": [FULL]}) == Plan(phases=(Phase(name="full", percent=100, soak_s=0),))


@pytest.mark.parametrize(
    ("source", "named"),
    [
        (None, "plan"),
        ([], "plan"),
        ({}, "100 percent"),
        ({"phases": []}, "100 percent"),
        ({"phases": [CANARY]}, "100 percent"),
        ({"phases": [FULL, CANARY]}, "100 percent"),
        ({"phases": "all"}, "plan: phases"),
        ({"phases": [FULL] * 33}, "plan: phases"),
        ({"phases": [CANARY, CANARY, FULL]}, "same name"),
        ({"phases": [CANARY | {"name": "a", "percent": 50}, CANARY, FULL]}, "percentage"),
        ({"phases": [CANARY, INTERNAL, FULL]}, "percentage"),
        ({"phases": [7]}, "plan.phases[0]"),
        ({"phases": [CANARY, FULL | {"name": ""}]}, "plan.phases[1]: name"),
        ({"phases": [FULL | {"name": "a b"}]}, "plan.phases[0]: name"),
        ({"phases": [FULL | {"percent": 101}]}, "plan.phases[0]: percent"),
        ({"phases": [FULL | {"percent": -1}]}, "plan.phases[0]: percent"),
        ({"phases": [FULL | {"percent": float("nan")}]}, "plan.phases[0]: percent"),
        ({"phases": [FULL | {"percent": True}]}, "plan.phases[0]: percent"),
        ({"phases": [{"name": "nobody"}, FULL]}, "plan.phases[0]: percent"),
        ({"phases": [INTERNAL | {"percent": 10}, FULL]}, "plan.phases[0]: percent"),
        ({"phases": [INTERNAL | {"robots": "robot-1"}, FULL]}, "plan.phases[0]: robots"),
        ({"phases": [INTERNAL | {"robots": [1]}, FULL]}, "plan.phases[0]: robots"),
        ({"phases": [INTERNAL | {"robots": [""]}, FULL]}, "plan.phases[0]: robots"),
        ({"phases": [INTERNAL | {"robots": ["a/b"]}, FULL]}, "plan.phases[0]: robots"),
        ({"phases": [INTERNAL | {"robots": ["r" * 129]}, FULL]}, "plan.phases[0]: robots"),
        ({"phases": [FULL | {"soak_s": -1}]}, "plan.phases[0]: soak_s"),
        ({"phases": [FULL | {"soak_s": "1 h"}]}, "plan.phases[0]: soak_s"),
        ({"phases": [FULL | {"soak_s": 10**400}]}, "plan.phases[0]: soak_s"),
        ({"phases": [FULL], "capacity": 0}, "capacity"),
        ({"phases": [FULL], "capacity": 1.5}, "plan: capacity"),
        ({"phases": [FULL], "attempts_max": 0}, "attempts_max"),
        ({"phases": [FULL], "failures_max": -1}, "plan: failures_max"),
        ({"phases": [FULL], "silence_deadline_s": None}, "plan: silence_deadline_s"),
        ({"phases": [FULL], "repair_drift": "no"}, "plan: repair_drift"),
    ],
)
def test_a_bad_plan_is_refused_and_says_where(source: object, named: str) -> None:
    assert named in refusal_of(source)


def test_a_plan_built_in_code_is_held_to_the_same() -> None:
    full = Phase(name="full", percent=100, soak_s=0)
    assert code_of(Plan, phases=()) == CODE
    assert code_of(Plan, phases=(full, replace(full, percent=50))) == CODE
    assert code_of(Plan, phases=(full,), capacity=0) == CODE
