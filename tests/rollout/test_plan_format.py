from dataclasses import replace
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from surefoot.rollout.maintenance import Day, Window
from surefoot.rollout.metrics import Metric
from surefoot.rollout.plan import CODE, Gates, Order, Phase, Plan, PlanRefused, default_plan, path_text
from surefoot.rollout.plan_format import plan_from_object, plan_to_object
from surefoot.rollout.plan_schema import plan_schema
from surefoot.rollout.ramp import Ramp

CANARY: dict[str, Any] = {"name": "canary", "percent": 10, "soak_s": 60}
FULL: dict[str, Any] = {"name": "full", "percent": 100}
INTERNAL: dict[str, Any] = {"name": "internal", "robots": ["robot-1"]}
NIGHT: dict[str, Any] = {"days": ["mon", "fri"], "from": "22:00", "to": "04:30"}
EVERYONE = Plan(phases=(Phase(name="full", percent=100, soak_s=0),))


def with_full(**more: Any) -> dict[str, Any]:
    return {"phases": [FULL], **more}


def test_a_plan_comes_back_from_its_object() -> None:
    canary, wider, full = default_plan().phases
    plan = Plan(
        phases=(Phase(name="internal", robots=("robot-1",), soak_s=5), canary, replace(wider, approval=True), full),
        capacity=7,
        attempts_max=2,
        failures_max=3,
        repair_drift=False,
        gates=Gates(
            metrics=frozenset({Metric.ERROR, Metric.NOT_RETURNED}),
            margins={Metric.ERROR: 0.2, Metric.NOT_RETURNED: 0.01},
            false_halt_budget=0.01,
        ),
        ramp=Ramp(first_wave=3, offers_per_settled=1.5),
        order=Order.SAME,
        maintenance_windows=(Window(days=(Day.MON, Day.SUN), from_min=60, to_min=24 * 60),),
        exclude=("robot-9",),
        recall_on_halt=True,
        rollback_on_halt=False,
    )
    assert plan_from_object(plan_to_object(plan)) == plan
    assert plan_from_object(plan_to_object(replace(plan, ramp=None))) == replace(plan, ramp=None)


def test_what_a_plan_does_not_say_has_a_default() -> None:
    assert plan_from_object({"phases": [FULL]}) == EVERYONE


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"silence_deadline": "2 h"}, {"silence_deadline_s": 7200.0}),
        ({"silence_deadline_s": 90}, {"silence_deadline_s": 90.0}),
        ({"failures_max": None}, {"failures_max": None}),
        ({"failures_max": 0}, {"failures_max": 0}),
        ({"ramp": "off"}, {"ramp": None}),
        ({"ramp": False}, {"ramp": None}),
        ({"ramp": None}, {"ramp": Ramp()}),
        ({"ramp": {"first_wave": 5}}, {"ramp": Ramp(first_wave=5)}),
        ({"gates": {"metrics": ["error"]}}, {"gates": Gates(metrics=frozenset({Metric.ERROR}))}),
        ({"gates": {"metrics": []}}, {"gates": Gates(metrics=frozenset())}),
        ({"gates": {}}, {"gates": Gates()}),
        ({"gates": {"margins": {"error": 0.2}}}, {"gates": Gates(margins={Metric.ERROR: 0.2})}),
        ({"gates": {"margins": None}}, {"gates": Gates()}),
        (
            {"maintenance_windows": [NIGHT]},
            {"maintenance_windows": (Window(days=(Day.MON, Day.FRI), from_min=22 * 60, to_min=4 * 60 + 30),)},
        ),
        (
            {"maintenance_windows": [{"from": "00:00", "to": "24:00"}]},
            {"maintenance_windows": (Window(from_min=0, to_min=24 * 60),)},
        ),
    ],
)
def test_a_plan_is_read_as_people_write_it(said: dict[str, Any], meant: dict[str, Any]) -> None:
    assert plan_from_object(with_full(**said)) == replace(EVERYONE, **meant)
    jsonschema.validate(with_full(**said), plan_schema())


# What is wrong, where, and whether the schema cannot know it, as it spans several keys or counts from elsewhere.
WRONG: list[tuple[object, str, bool]] = [
    (None, "plan", False),
    ([], "plan", False),
    ({}, "phases", False),
    ({"phases": []}, "phases", False),
    ({"phases": [CANARY]}, "phases", True),
    ({"phases": [FULL, CANARY]}, "phases", True),
    ({"phases": "all"}, "phases", False),
    ({"phases": [FULL] * 33}, "phases", False),
    ({"phases": [CANARY, CANARY, FULL]}, "phases[1].name", True),
    ({"phases": [CANARY | {"name": "a", "percent": 50}, CANARY, FULL]}, "phases[1].percent", True),
    ({"phases": [CANARY, INTERNAL, FULL]}, "phases[1].percent", True),
    ({"phases": [7]}, "phases[0]", False),
    ({"phases": [CANARY, FULL | {"name": ""}]}, "phases[1].name", False),
    ({"phases": [FULL | {"name": "a b"}]}, "phases[0].name", False),
    ({"phases": [FULL | {"percent": 101}]}, "phases[0].percent", False),
    ({"phases": [FULL | {"percent": -1}]}, "phases[0].percent", False),
    ({"phases": [FULL | {"percent": float("nan")}]}, "phases[0].percent", True),
    ({"phases": [FULL | {"percent": True}]}, "phases[0].percent", False),
    ({"phases": [{"name": "nobody"}, FULL]}, "phases[0].percent", True),
    ({"phases": [INTERNAL | {"percent": 10}, FULL]}, "phases[0].percent", True),
    ({"phases": [INTERNAL | {"robots": "robot-1"}, FULL]}, "phases[0].robots", False),
    ({"phases": [INTERNAL | {"robots": ["robot-1", 1]}, FULL]}, "phases[0].robots[1]", False),
    ({"phases": [INTERNAL | {"robots": [""]}, FULL]}, "phases[0].robots[0]", False),
    ({"phases": [INTERNAL | {"robots": ["a/b"]}, FULL]}, "phases[0].robots[0]", False),
    ({"phases": [INTERNAL | {"robots": ["r" * 129]}, FULL]}, "phases[0].robots[0]", False),
    ({"phases": [FULL | {"soak_s": -1}]}, "phases[0].soak_s", False),
    ({"phases": [FULL | {"soak_s": "1 h"}]}, "phases[0].soak_s", False),
    ({"phases": [FULL | {"soak_s": 10**400}]}, "phases[0].soak_s", False),
    ({"phases": [FULL | {"soak": 3600}]}, "phases[0].soak", False),
    ({"phases": [FULL | {"soak": "1 fortnight"}]}, "phases[0].soak", False),
    ({"phases": [FULL | {"soak": "1 h", "soak_s": 3600}]}, "phases[0].soak", True),
    ({"phases": [FULL | {"approval": True}]}, "phases[0].approval", True),
    ({"phases": [FULL | {"approval": "ana"}]}, "phases[0].approval", False),
    ({"phases": [FULL | {"percnt": 10}]}, "phases[0].percnt", False),
    (with_full(capicity=10), "capicity", False),
    (with_full(capacity=0), "capacity", False),
    (with_full(capacity=1.5), "capacity", False),
    (with_full(attempts_max=0), "attempts_max", False),
    (with_full(failures_max=-1), "failures_max", False),
    (with_full(silence_deadline_s=None), "silence_deadline_s", False),
    (with_full(repair_drift="no"), "repair_drift", False),
    (with_full(gates=[]), "gates", False),
    (with_full(gates={"metrics": ["errors"]}), "gates.metrics[0]", False),
    (with_full(gates={"margins": []}), "gates.margins", False),
    (with_full(gates={"margins": {"errors": 0.1}}), "gates.margins.errors", False),
    (with_full(gates={"margins": {"error": "10 %"}}), "gates.margins.error", False),
    (with_full(gates={"margins": {"error": 0}}), "gates.margins.error", False),
    (with_full(gates={"margins": {"install-failed": 0.6}}), "gates.margins.install-failed", False),
    (with_full(gates={"margins": {"topic-rate": 1}}), "gates.margins.topic-rate", False),
    (with_full(gates={"metrics": ["error"], "margins": {"reboot": 0.1}}), "gates.margins.reboot", True),
    (with_full(gates={"false_halt_budget": 0}), "gates.false_halt_budget", False),
    (with_full(gates={"false_halt_budget": 5}), "gates.false_halt_budget", False),
    (with_full(ramp=[]), "ramp", False),
    (with_full(ramp={"first_wave": 0}), "ramp.first_wave", False),
    (with_full(ramp={"offers_per_settled": 1}), "ramp.offers_per_settled", False),
    (with_full(order="alphabetical"), "order", False),
    (with_full(maintenance_windows=[NIGHT | {"days": ["monday"]}]), "maintenance_windows[0].days[0]", False),
    (with_full(maintenance_windows=[NIGHT | {"days": []}]), "maintenance_windows[0].days", True),
    (with_full(maintenance_windows=[NIGHT | {"from": "24:00"}]), "maintenance_windows[0].from", True),
    (with_full(maintenance_windows=[NIGHT | {"to": "24:01"}]), "maintenance_windows[0].to", False),
    (with_full(maintenance_windows=[NIGHT | {"to": "12:60"}]), "maintenance_windows[0].to", False),
    (with_full(maintenance_windows=[NIGHT | {"to": "1²:00"}]), "maintenance_windows[0].to", False),
    (with_full(maintenance_windows=[NIGHT | {"to": 1320}]), "maintenance_windows[0].to", False),
    (with_full(maintenance_windows=[{"from": "22:00"}]), "maintenance_windows[0].to", False),
    (with_full(exclude="robot-1"), "exclude", False),
    (with_full(recall_on_halt=1), "recall_on_halt", False),
    (with_full(rollback_on_halt=None), "rollback_on_halt", False),
]


@pytest.mark.parametrize(("source", "where", "only_here"), WRONG, ids=lambda part: str(part)[:60])
def test_a_bad_plan_is_refused_and_says_where(source: object, where: str, only_here: bool) -> None:
    with pytest.raises(PlanRefused) as caught:
        plan_from_object(source)
    assert (caught.value.code, path_text(caught.value.path)) == (CODE, where)
    assert jsonschema.Draft202012Validator(plan_schema()).is_valid(source) is only_here


def test_the_schema_is_one_and_takes_the_default_plan() -> None:
    jsonschema.Draft202012Validator.check_schema(plan_schema())
    jsonschema.validate(plan_to_object(default_plan(("robot-1",))), plan_schema())
