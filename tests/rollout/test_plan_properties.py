import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from surefoot.fleet.plan_yaml import plan_from_yaml, plan_to_yaml
from surefoot.rollout.maintenance import Day, Window
from surefoot.rollout.margins import margin_max
from surefoot.rollout.metrics import Metric
from surefoot.rollout.plan import Gates, Order, Phase, Plan
from surefoot.rollout.plan_format import KEYS, PHASE_KEYS, plan_from_object, plan_to_object
from surefoot.rollout.plan_schema import plan_schema
from surefoot.rollout.ramp import Ramp
from surefoot.wire.errors import Refused

SCHEMA = Draft202012Validator(plan_schema())
NAMES = st.text("abcXYZ019-_.:", min_size=1, max_size=64)
SECONDS = st.integers(0, 10**9) | st.floats(0, 1e9)
COUNTS = st.integers(1, 2**53 - 1)


@st.composite
def gates_of_plans(draw: st.DrawFn) -> Gates:
    metrics = draw(st.frozensets(st.sampled_from(Metric)))
    margins = {
        metric: draw(st.floats(0, margin_max(metric), exclude_min=True))
        for metric in Metric
        if metric in metrics and draw(st.booleans())
    }
    return Gates(metrics=metrics, margins=margins, false_halt_budget=draw(st.floats(0, 0.5, exclude_min=True)))


RAMPS = st.none() | st.builds(
    Ramp, first_wave=COUNTS, offers_per_settled=st.floats(1, 1e9, exclude_min=True, allow_subnormal=False)
)
DAYS = st.sets(st.sampled_from(Day), min_size=1).map(lambda days: tuple(day for day in Day if day in days))
WINDOWS = st.builds(Window, days=DAYS, from_min=st.integers(0, 1439), to_min=st.integers(0, 1440))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    named = draw(st.integers(0, len(names) - 1))
    percents = sorted(draw(st.floats(0.01, 100)) for _ in names[named:])
    percents[-1] = 100
    robots = st.lists(NAMES, min_size=1, max_size=4).map(tuple)
    phases = (
        *(Phase(name=name, robots=draw(robots), soak_s=draw(SECONDS)) for name in names[:named]),
        *(
            Phase(name=name, percent=percent, soak_s=draw(SECONDS))
            for name, percent in zip(names[named:], percents, strict=True)
        ),
    )
    reached = {robot_id for phase in phases for robot_id in phase.robots}
    excluded = draw(st.lists(NAMES.filter(lambda name: name not in reached), max_size=3))
    return Plan(
        phases=(phases[0], *(replace(phase, approval=draw(st.booleans())) for phase in phases[1:])),
        capacity=draw(COUNTS),
        attempts_max=draw(COUNTS),
        failures_max=draw(st.none() | st.integers(0, 2**53 - 1)),
        silence_deadline_s=draw(SECONDS),
        repair_drift=draw(st.booleans()),
        gates=draw(gates_of_plans()),
        ramp=draw(RAMPS),
        order=draw(st.sampled_from(Order)),
        maintenance_windows=tuple(draw(st.lists(WINDOWS, max_size=3))),
        exclude=tuple(excluded),
        recall_on_halt=draw(st.booleans()),
        rollback_on_halt=draw(st.booleans()),
    )


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


def nearly(keys: list[str], value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that have the right keys, with anything under them."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(keys, ANYTHING | value))


PHASES = nearly(list(PHASE_KEYS), st.just(100) | st.just("full") | st.just(["robot-1"]))
NEARLY_PLANS = st.fixed_dictionaries(
    {"phases": st.lists(PHASES, max_size=3) | ANYTHING},
    optional=dict.fromkeys(KEYS[1:], ANYTHING),
)


@given(plan=plans())
def test_a_plan_survives_its_way_through_json(plan: Plan) -> None:
    assert plan_from_object(json.loads(json.dumps(plan_to_object(plan)))) == plan


@given(plan=plans())
def test_a_plan_survives_its_way_through_yaml(plan: Plan) -> None:
    assert plan_from_yaml(plan_to_yaml(plan).encode(), "plan.yaml") == plan


@given(plan=plans())
def test_the_schema_takes_every_plan(plan: Plan) -> None:
    SCHEMA.validate(plan_to_object(plan))


@given(source=ANYTHING | NEARLY_PLANS)
def test_whatever_comes_is_a_plan_or_refused(source: object) -> None:
    with suppress(Refused):
        assert isinstance(plan_from_object(source), Plan)
        SCHEMA.validate(source)
