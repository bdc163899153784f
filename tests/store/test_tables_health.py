"""The nouns of health, alarms and evidence, held against every store."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.values import a_rollout, an_assignment
from surefoot.fleet.alarms import Alarm, accept_alarms, open_alarm
from surefoot.fleet.gate_rows import Point, RolloutCurve, RolloutEvidence
from surefoot.fleet.health_sums import Quarter, Totals
from surefoot.fleet.model import Status
from surefoot.fleet.ports import Store
from surefoot.fleet.robot_health import Arm, Place, RobotHealth, Signs, Sums
from surefoot.rollout import gate
from surefoot.rollout.metrics import Metric
from surefoot.rollout.triggers import Trigger

EVIDENCE = gate.open_phase(gate.start(), 12)
VALUES: dict[str, tuple[Any, dict[str, Any]]] = {
    "health": (
        RobotHealth(robot_id="robot-1", sku="standard"),
        {
            "place": Place(rollout_id="rollout-1", offered_at_s=1.5, arm=Arm.SETTLING, first_s={Metric.ERROR: 2.5}),
            "sums": Sums(before=Totals(told_s=0.1 + 0.2), quarter=Quarter(number=2**40, warn_s=1e-9)),
            "signs": Signs(epoch="0", boot=7, number=2**53 - 1, reboots_s=(1.5, 2.5), online_since_s=3.5),
        },
    ),
    "alarm": (
        Alarm(
            alarm_id="rollout-1/robot-1/silent",
            rollout_id="rollout-1",
            trigger=Trigger.SILENT,
            robot_ids=("robot-1", "robot-2"),
            sentence="It is still. Halted.",
            at_s=2.5,
        ),
        {"is_open": False},
    ),
    "evidence": (
        RolloutEvidence(rollout_id="rollout-1", evidence=gate.start(frozenset({Metric.ERROR}))),
        {"evidence": EVIDENCE, "phases_opened": 2, "quarter": 2**40, "hears": True, "accepted": ("robot-1",)},
    ),
    "curve": (
        RolloutCurve(rollout_id="rollout-1"),
        {"points": (Point(at_s=1.5, log_pooled=-0.5, log_evidence={Metric.ERROR: 0.25}),)},
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back_as_it_was_stored_and_replaced(store: Store, name: str) -> None:
    value, changes = VALUES[name]
    kind: type[Any] = type(value)
    key = str(getattr(value, next(iter(kind.__dataclass_fields__))))
    store.submit(lambda rows: rows.put(value)).result()
    assert store.read(lambda rows: rows.get(kind, key)) == value
    changed = replace(value, **changes)
    store.submit(lambda rows: rows.put(changed)).result()
    assert store.read(lambda rows: rows.find(kind)) == [changed]


def test_robots_of_a_sku_are_walked_through_page_by_page(store: Store) -> None:
    robots = [
        RobotHealth(robot_id=f"robot-{number}", sku=sku)
        for number, sku in ((3, "standard"), (1, "tall"), (2, "standard"))
    ]
    for robot in robots:
        store.submit(lambda rows, robot=robot: rows.put(robot)).result()  # type: ignore[misc]
    assert store.read(lambda rows: rows.find(RobotHealth, sku="standard", limit=1)) == [robots[0]]
    assert store.read(lambda rows: rows.find(RobotHealth, sku="standard", after="robot-3")) == [robots[2]]


def test_the_first_alarm_that_nobody_accepted_is_found(store: Store) -> None:
    alarm, _ = VALUES["alarm"]
    later = replace(alarm, alarm_id="rollout-1/robot-2/silent")
    other = replace(alarm, alarm_id="rollout-2/robot-1/silent", rollout_id="rollout-2")
    for value in (a_rollout("rollout-2"), other, alarm, later):
        store.submit(lambda rows, value=value: rows.put(value)).result()  # type: ignore[misc]
    assert store.read(lambda rows: open_alarm(rows, "rollout-1")) == alarm
    store.submit(lambda rows: accept_alarms(rows, "rollout-1")).result()
    assert store.read(lambda rows: open_alarm(rows, "rollout-1")) is None
    assert store.read(lambda rows: open_alarm(rows, "rollout-2")) == other


def test_assignments_that_came_to_an_end_until_then_are_counted(store: Store) -> None:
    made = [
        an_assignment("a", robot_id="robot-1", status=Status.INSTALLED, status_since_s=5.0),
        an_assignment("b", robot_id="robot-2", status=Status.ROLLED_BACK, status_since_s=6.0),
        an_assignment("c", robot_id="robot-3", status=Status.SILENT, status_since_s=1.0),
        an_assignment("d", rollout_id="rollout-2", status=Status.INSTALLED, status_since_s=1.0),
    ]
    for assignment in made:
        store.submit(lambda rows, one=assignment: rows.put_assignment(one)).result()  # type: ignore[misc]
    counts = [store.read(lambda rows, until=until: rows.count_settled("rollout-1", until)) for until in (4.9, 5.0, 6.0)]  # type: ignore[misc]
    assert counts == [0, 1, 2]


numbers = st.floats(0, 1e15)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.builds(Totals, told_s=numbers, drained_percent=st.floats(-100, 100)),
    quarter=st.builds(Quarter, number=st.integers(-1, 2**53 - 1), warn_s=numbers),
    first_s=st.dictionaries(st.sampled_from(Metric), numbers),
    reboots_s=st.lists(numbers, max_size=8).map(tuple),
)
def test_every_number_comes_back_exactly(
    store: Store, before: Totals, quarter: Quarter, first_s: dict[Metric, float], reboots_s: tuple[float, ...]
) -> None:
    health = RobotHealth(
        robot_id="robot-1",
        sku="standard",
        place=Place(first_s=first_s),
        sums=Sums(before=before, quarter=quarter),
        signs=Signs(reboots_s=reboots_s),
    )
    store.submit(lambda rows: rows.put(health)).result()
    assert store.read(lambda rows: rows.get(RobotHealth, "robot-1")) == health
