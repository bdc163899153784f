import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from surefoot.rollout.plan import Phase, Plan, plan_from_object, plan_to_object
from surefoot.wire.errors import Refused

NAMES = st.text("abcXYZ019-_.:", min_size=1, max_size=64)
SECONDS = st.integers(0, 10**9) | st.floats(0, 1e9)
COUNTS = st.integers(1, 2**53 - 1)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    named = draw(st.integers(0, len(names) - 1))
    percents = sorted(draw(st.floats(0.01, 100)) for _ in names[named:])
    percents[-1] = 100
    robots = st.lists(NAMES, min_size=1, max_size=4).map(tuple)
    return Plan(
        phases=(
            *(Phase(name=name, robots=draw(robots), soak_s=draw(SECONDS)) for name in names[:named]),
            *(
                Phase(name=name, percent=percent, soak_s=draw(SECONDS))
                for name, percent in zip(names[named:], percents, strict=True)
            ),
        ),
        capacity=draw(COUNTS),
        attempts_max=draw(COUNTS),
        failures_max=draw(st.integers(0, 2**53 - 1)),
        silence_deadline_s=draw(SECONDS),
        repair_drift=draw(st.booleans()),
    )


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


def nearly(keys: list[str], value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that have the right keys, with anything under them."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(keys, ANYTHING | value))


PHASES = nearly(["name", "robots", "percent", "soak_s"], st.just(100) | st.just("full") | st.just(["robot-1"]))
NEARLY_PLANS = st.fixed_dictionaries(
    {"phases": st.lists(PHASES, max_size=3) | ANYTHING},
    optional=dict.fromkeys(
        ["capacity", "attempts_max", "failures_max", "silence_deadline_s", "repair_drift"], ANYTHING
    ),
)


@given(plan=plans())
def test_a_plan_survives_its_way_through_json(plan: Plan) -> None:
    assert plan_from_object(json.loads(json.dumps(plan_to_object(plan)))) == plan


@given(source=ANYTHING | NEARLY_PLANS)
def test_whatever_comes_is_a_plan_or_refused(source: object) -> None:
    with suppress(Refused):
        assert isinstance(plan_from_object(source), Plan)
