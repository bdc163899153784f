"""The contract of `Rows`, held against every store."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.values import (
    a_key,
    a_release,
    a_report,
    a_robot,
    a_rollout,
    an_assignment,
    an_entry,
    some_facts,
)
from surefoot.fleet.model import Key, KeyState, Release, RobotView, Rollout, RolloutState, Status
from surefoot.fleet.ports import Rows, Store
from surefoot.rollout.plan import Phase, Plan, one_robot_plan
from surefoot.wire.errors import Misuse
from surefoot.wire.limits import INTEGER_MAX
from surefoot.wire.report import ASSIGNMENT_STATES, AssignmentReport, SlotReport
from surefoot.wire.version import Version

T = TypeVar("T")
Put = Callable[[Rows], object]

hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
numbers = st.integers(0, INTEGER_MAX)
times = st.floats(0, 1e12)
slots = st.builds(
    SlotReport,
    slot=st.sampled_from(["ota_0", "factory"]),
    version=st.none() | words,
    digest=st.none() | hexes,
    state=st.just("confirmed"),
)
assignment_reports = st.builds(
    AssignmentReport,
    id=hexes.map(lambda text: text[:63]),
    state=st.sampled_from(ASSIGNMENT_STATES),
    attempts=numbers,
    received_bytes=numbers,
    code=st.none() | st.just("trial-failed"),
)


def write(store: Store, *puts: Put) -> None:
    store.submit(lambda rows: [put(rows) for put in puts]).result()


# A database per example would cost a second each: every example overwrites the row of the one before.
overwriting = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_what_was_never_stored_is_none(store: Store) -> None:
    def check(rows: Rows) -> None:
        assert rows.robot("nobody") is None
        assert rows.robot_by_token("nothing") is None
        assert rows.facts("robot-1") is None
        assert rows.get(Key, "none") is None
        assert rows.get(Release, "none") is None
        assert rows.find(Release, sha256="none") == []
        assert rows.get(Rollout, "none") is None
        assert rows.newest_assignment("robot-1") is None
        assert rows.assignment_for("rollout-1", "robot-1") is None

    store.read(check)


def test_what_was_never_stored_is_empty(store: Store) -> None:
    def check(rows: Rows) -> None:
        assert list(rows.robot_ids("tall")) == []
        assert rows.history("robot-1", 10) == []
        assert rows.find(Rollout, newest_first=True, sku="tall") == []
        assert rows.assignments("rollout-1") == []
        assert rows.count_by_status("rollout-1") == {}
        assert rows.count_open("rollout-1") == 0

    store.read(check)


def test_a_robot_comes_back_as_it_was_stored(store: Store) -> None:
    robot = a_robot("robot-1", token_sha256="another", enrolled_at_s=1_700_000_000.123456)
    write(store, lambda rows: rows.put_robot(robot))
    assert store.read(lambda rows: rows.robot("robot-1")) == robot


def test_a_robot_is_found_by_its_token_and_only_by_its_newest(store: Store) -> None:
    write(store, lambda rows: rows.put_robot(a_robot("robot-1", token_sha256="new")))
    found = store.read(lambda rows: rows.robot_by_token("new"))
    assert found is not None
    assert found.robot_id == "robot-1"
    assert store.read(lambda rows: rows.robot_by_token(a_robot("robot-1").token_sha256)) is None


def test_two_robots_cannot_share_a_token(store: Store) -> None:
    with pytest.raises(Misuse) as caught:
        write(store, lambda rows: rows.put_robot(replace(a_robot("robot-9"), token_sha256=a_robot().token_sha256)))
    assert caught.value.code == "misuse-rows"


def test_robot_ids_come_in_the_order_of_their_characters(store: Store) -> None:
    ids = ["Z", "a", "a.b", "a-b", "a_b", "aB", "é"]
    write(store, *(lambda rows, name=name: rows.put_robot(a_robot(name, sku="tall")) for name in ids))
    assert store.read(lambda rows: list(rows.robot_ids("tall"))) == sorted(ids)


def test_robot_ids_reach_beyond_one_page_and_bear_writes_on_the_way(store: Store) -> None:
    ids = [f"tall-{number:04}" for number in range(2001)]

    def rename_while_listing(rows: Rows) -> list[str]:
        listed = []
        for robot_id in rows.robot_ids("tall"):
            rows.put_robot(a_robot(robot_id, sku="small"))
            listed.append(robot_id)
        return listed

    write(store, *(lambda rows, name=name: rows.put_robot(a_robot(name, sku="tall")) for name in ids))
    assert store.submit(rename_while_listing).result() == ids
    assert store.read(lambda rows: list(rows.robot_ids("tall"))) == []


@overwriting
@given(
    running=slots,
    spare=st.none() | slots,
    assignment=st.none() | assignment_reports,
    counters=st.tuples(numbers, numbers),
    past_epochs=st.lists(words).map(tuple),
    at_s=st.tuples(times, times),
)
def test_facts_come_back_as_they_were_stored(
    store: Store,
    running: SlotReport,
    spare: SlotReport | None,
    assignment: AssignmentReport | None,
    counters: tuple[int, int],
    past_epochs: tuple[str, ...],
    at_s: tuple[float, float],
) -> None:
    report = a_report(running=running, spare=spare, assignment=assignment, boot=counters[0], seq=counters[1])
    facts = some_facts(report=report, received_at_s=at_s[0], heard_at_s=at_s[1], past_epochs=past_epochs)
    write(store, lambda rows: rows.put_facts(facts))
    assert store.read(lambda rows: rows.facts("robot-1")) == facts


def test_facts_of_a_robot_that_was_never_stored_are_a_mistake(store: Store) -> None:
    with pytest.raises(Misuse) as caught:
        write(store, lambda rows: rows.put_facts(some_facts("nobody")))
    assert caught.value.code == "misuse-rows"


def test_hearing_a_robot_changes_when_it_was_heard_and_nothing_else(store: Store) -> None:
    write(store, lambda rows: rows.put_facts(some_facts("robot-1")), lambda rows: rows.put_facts(some_facts("robot-2")))
    write(store, lambda rows: rows.set_heard("robot-1", 99.0))
    assert store.read(lambda rows: rows.facts("robot-1")) == some_facts("robot-1", heard_at_s=99.0)
    assert store.read(lambda rows: rows.facts("robot-2")) == some_facts("robot-2")


def test_hearing_a_robot_that_never_reported_makes_no_facts(store: Store) -> None:
    write(store, lambda rows: rows.set_heard("robot-1", 99.0))
    assert store.read(lambda rows: rows.facts("robot-1")) is None


def test_history_is_each_robots_own_newest_first_even_when_the_clock_stepped_back(store: Store) -> None:
    entries = [an_entry(text="first", at_s=9.0), an_entry(text="second", at_s=9.0), an_entry(text="third", at_s=1.0)]
    write(store, *(lambda rows, entry=entry: rows.add_history(entry) for entry in entries))
    write(store, lambda rows: rows.add_history(an_entry("robot-2")))
    assert store.read(lambda rows: rows.history("robot-1", 10)) == entries[::-1]
    assert store.read(lambda rows: rows.history("robot-1", 2)) == entries[:0:-1]


def test_keys_come_oldest_first_and_keep_their_place_when_replaced(store: Store) -> None:
    first, second = a_key(), a_key("dd" * 32, name="spare", added_at_s=0.1)
    revoked = replace(first, state=KeyState.REVOKED)
    write(store, lambda rows: rows.put(second), lambda rows: rows.put(revoked))
    assert store.read(lambda rows: rows.find(Key)) == [revoked, second]
    assert store.read(lambda rows: rows.get(Key, first.key_id)) == revoked


def test_releases_come_newest_first_as_they_were_stored(store: Store) -> None:
    newer = a_release("release-2", version=Version(major=65535, minor=255, patch=255), sha256="ee" * 32, stable=True)
    write(store, lambda rows: rows.put(newer))
    assert store.read(lambda rows: rows.find(Release, newest_first=True)) == [newer, a_release("release-1")]
    assert store.read(lambda rows: rows.get(Release, "release-2")) == newer
    assert store.read(lambda rows: rows.find(Release, sha256="bb" * 32)) == [a_release("release-1")]


def test_a_replaced_release_keeps_its_place(store: Store) -> None:
    write(store, lambda rows: rows.put(a_release("release-2")))
    write(store, lambda rows: rows.put(a_release("release-1", stable=True)))
    releases = store.read(lambda rows: rows.find(Release, newest_first=True))
    assert [(release.release_id, release.stable) for release in releases] == [("release-2", False), ("release-1", True)]


def test_rollouts_come_newest_first_as_they_were_stored(store: Store) -> None:
    plan = Plan(phases=(Phase(name="all", percent=100, soak_s=0.5),), capacity=1, repair_drift=False)
    tall = a_rollout("rollout-3", sku="tall", plan=plan, state=RolloutState.HALTED, reason="Zu viele Ausfälle.")
    write(store, lambda rows: rows.put(tall))
    assert store.read(lambda rows: rows.find(Rollout, newest_first=True)) == [
        tall,
        a_rollout("rollout-2"),
        a_rollout("rollout-1"),
    ]
    assert store.read(lambda rows: rows.find(Rollout, newest_first=True, sku="standard")) == [
        a_rollout("rollout-2"),
        a_rollout("rollout-1"),
    ]
    assert store.read(lambda rows: rows.get(Rollout, "rollout-3")) == tall


def test_rollouts_for_one_robot_are_found_apart_from_those_for_all(store: Store) -> None:
    alone = a_rollout("rollout-3", plan=one_robot_plan("robot-1"), only_robot_id="robot-1", force=True)
    write(store, lambda rows: rows.put(alone))
    for_all = [a_rollout("rollout-2"), a_rollout("rollout-1")]

    def check(rows: Rows) -> None:
        assert rows.find(Rollout, newest_first=True, sku="standard", only_robot_id=None) == for_all
        assert rows.find(Rollout, sku="standard", only_robot_id="robot-1") == [alone]
        assert rows.find(Rollout, sku="standard", only_robot_id="robot-2") == []
        assert rows.find(Rollout, after="rollout-1", sku="standard", only_robot_id=None) == for_all[:1]
        assert rows.find(Rollout, after="rollout-3", sku="standard", only_robot_id=None) == []

    store.read(check)


@pytest.mark.parametrize("status", Status)
def test_an_assignment_comes_back_as_it_was_stored(store: Store, status: Status) -> None:
    write(store, lambda rows: rows.put_assignment(an_assignment()))
    changed = an_assignment(
        downloading_since_s=4.25,
        download_s=0.5,
        status=status,
        code="trial-failed",
        installed_at_s=8.5,
        attempt=3,
        force=True,
        rollback=True,
    )
    write(store, lambda rows: rows.put_assignment(changed))
    assert store.read(lambda rows: rows.assignment_for("rollout-1", "robot-1")) == changed


def test_the_newest_assignment_is_the_last_made_whatever_the_clock_says_and_whichever_changed_last(
    store: Store,
) -> None:
    old = an_assignment("old", assigned_at_s=9.0)
    new = an_assignment("new", rollout_id="rollout-2", assigned_at_s=1.0)
    write(store, lambda rows: rows.put_assignment(old), lambda rows: rows.put_assignment(new))
    write(store, lambda rows: rows.put_assignment(replace(old, status=Status.SUPERSEDED)))
    assert store.read(lambda rows: rows.newest_assignment("robot-1")) == new
    assert store.read(lambda rows: [view.assignment for view in rows.robot_views("", 1)]) == [new]


def test_a_rollout_makes_one_assignment_for_a_robot(store: Store) -> None:
    write(store, lambda rows: rows.put_assignment(an_assignment("one")))
    with pytest.raises(Misuse) as caught:
        write(store, lambda rows: rows.put_assignment(an_assignment("two")))
    assert caught.value.code == "misuse-rows"


def test_assignments_of_a_rollout_come_in_the_order_of_robots_and_are_counted(store: Store) -> None:
    made = [
        an_assignment("a", robot_id="robot-3", status=Status.INSTALLED),
        an_assignment("b", robot_id="robot-1"),
        an_assignment("c", robot_id="robot-2"),
    ]
    elsewhere = an_assignment("d", rollout_id="rollout-2")
    write(store, *(lambda rows, one=one: rows.put_assignment(one) for one in [*made, elsewhere]))
    assert store.read(lambda rows: rows.assignments("rollout-1")) == [made[1], made[2], made[0]]
    assert store.read(lambda rows: rows.count_by_status("rollout-1")) == {Status.INSTALLED: 1, Status.WAITING: 2}


@pytest.mark.parametrize("is_open", [True, False])
def test_only_assignments_that_hold_a_place_are_counted_as_open(store: Store, is_open: bool) -> None:
    write(store, lambda rows: rows.put_assignment(an_assignment(is_open=is_open)))
    assert store.read(lambda rows: rows.count_open("rollout-1")) == is_open


def test_views_show_each_robot_with_its_facts_and_newest_assignment(store: Store) -> None:
    older, newer = an_assignment("older"), an_assignment("newer", rollout_id="rollout-2")
    other = an_assignment("other", robot_id="robot-3")
    write(store, *(lambda rows, one=one: rows.put_assignment(one) for one in (older, newer, other)))
    facts = some_facts("robot-1", past_epochs=("abc",))
    write(store, lambda rows: rows.put_facts(facts))
    assert store.read(lambda rows: rows.robot_views("", 10)) == [
        RobotView(robot=a_robot("robot-1"), facts=facts, assignment=newer),
        RobotView(robot=a_robot("robot-2"), facts=None, assignment=None),
        RobotView(robot=a_robot("robot-3"), facts=None, assignment=other),
    ]


def test_views_come_page_by_page(store: Store) -> None:
    def page(after: str, limit: int) -> list[str]:
        return [view.robot.robot_id for view in store.read(lambda rows: rows.robot_views(after, limit))]

    assert page("", 2) == ["robot-1", "robot-2"]
    assert page("robot-2", 2) == ["robot-3"]
    assert page("robot-3", 2) == []
