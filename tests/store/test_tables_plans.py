"""Approvals, pins, time zones and the ramp's bound on every store; and the count of all who were offered a release."""

from dataclasses import replace
from typing import Any

import pytest

from store.values import a_rollout, an_assignment
from surefoot.fleet.approvals import Approval
from surefoot.fleet.model import Rollout, Status
from surefoot.fleet.pins import Pin
from surefoot.fleet.ports import Rows, Store
from surefoot.fleet.zones import RobotZone

NOUNS: list[Any] = [
    Approval(
        approval_id="rollout-1-2",
        rollout_id="rollout-1",
        phase=2,
        approved_by="ada",
        reason="well \u2028",
        approved_at_s=1.5,
    ),
    Pin(robot_id="robot-1", release_id=None, reason="on loan", pinned_by="ada", pinned_at_s=1.5),
    Pin(robot_id="robot-2", release_id="release-1", reason="old arm", pinned_by="bob", pinned_at_s=2.5),
    RobotZone(robot_id="robot-1", zone="Europe/Berlin"),
]


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: type(noun).__name__)
def test_what_people_decide_comes_back_and_can_be_taken_back(store: Store, noun: Any) -> None:
    key = str(getattr(noun, next(iter(noun.__dataclass_fields__))))
    store.submit(lambda rows: rows.put(noun)).result()
    assert store.read(lambda rows: rows.get(type(noun), key)) == noun
    store.submit(lambda rows: rows.drop(type(noun), key)).result()
    assert store.read(lambda rows: rows.get(type(noun), key)) is None


def test_approvals_are_found_by_their_rollout(store: Store) -> None:
    first, second = NOUNS[0], replace(NOUNS[0], approval_id="rollout-2-2", rollout_id="rollout-2")
    for approval in (first, second):
        store.submit(lambda rows, approval=approval: rows.put(approval)).result()  # type: ignore[misc]
    assert store.read(lambda rows: rows.find(Approval, rollout_id="rollout-2")) == [second]


@pytest.mark.parametrize("offers_max", [None, 0, 2**40])
def test_the_bound_on_offers_comes_back(store: Store, offers_max: int | None) -> None:
    rollout = a_rollout(offers_max=offers_max)
    store.submit(lambda rows: rows.put(rollout)).result()
    assert store.read(lambda rows: rows.get(Rollout, "rollout-1")) == rollout


def test_everybody_who_was_offered_a_release_is_counted_however_it_ended(store: Store) -> None:
    def work(rows: Rows) -> list[int]:
        counts = [rows.count_offered("rollout-1")]
        for number in (1, 2, 3):
            rows.add_assignment(an_assignment(f"assignment-{number}", robot_id=f"robot-{number}"))
            counts.append(rows.count_offered("rollout-1"))
        rows.put_assignment(an_assignment("assignment-1", status=Status.INSTALLED, is_open=False))
        return [*counts, rows.count_offered("rollout-1"), rows.count_offered("rollout-2")]

    assert store.submit(work).result() == [0, 1, 2, 3, 3, 0]
    assert store.read(lambda rows: rows.count_offered("rollout-1")) == 3


def test_a_work_that_fails_takes_its_offers_out_of_the_count(store: Store) -> None:
    def broken(rows: Rows) -> None:
        rows.add_assignment(an_assignment())
        assert rows.count_offered("rollout-1") == 1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        store.submit(broken).result()
    assert store.submit(lambda rows: rows.count_offered("rollout-1")).result() == 0
