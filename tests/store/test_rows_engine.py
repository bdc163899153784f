"""The rows that the engine and the metrics look at, sorted out alike by every store."""

from dataclasses import replace

import pytest

from store.values import a_robot, an_assignment, some_facts
from surefoot.fleet.incidents import Incident, LineKind, TimelineLine
from surefoot.fleet.lease import Lease
from surefoot.fleet.model import AssignmentCount, Lacking, RobotCount, RolloutState, Status
from surefoot.fleet.outbox import OutboxEntry, OutboxKind, OutboxState
from surefoot.fleet.ports import Rows, Store
from surefoot.fleet.rollout_history import RolloutAction, RolloutChange
from surefoot.fleet.webhooks import Webhook

NOW_S = 100.0
INCIDENT = Incident(
    incident_id="rollout-1-2",
    rollout_id="rollout-1",
    release_id="release-1",
    opened_at_s=1.5,
    opened_by="ada",
    reason="smoke \u2028",
    closed_at_s=2.5,
    closed_by="bob",
    closing_reason="no fire",
    is_open=False,
)
NOUNS = [
    Lease(name="leader", holder="a", epoch=2**40, beat=3),
    OutboxEntry(
        entry_id="e-1",
        kind=OutboxKind.CDN_PURGE,
        target="",
        body="{}",
        created_at_s=1.5,
        due_at_s=2.5,
        attempts=3,
        state=OutboxState.DEAD,
        last_error="it said no",
    ),
    Webhook(
        webhook_id="w-1",
        url="https://ops.test/",
        events=("incident.closed", "incident.opened"),
        secret="s",
        created_at_s=1.5,
        created_by="ada",
    ),
    RolloutChange(
        change_id="rollout-1-1",
        rollout_id="rollout-1",
        number=1,
        at_s=1.5,
        who="ada",
        action=RolloutAction.PHASE_OPENED,
        state=RolloutState.HALTED,
        phase=2,
        reason="why",
    ),
    INCIDENT,
    TimelineLine(
        line_id="rollout-1-2.1",
        incident_id="rollout-1-2",
        number=1,
        at_s=1.5,
        who="ada",
        kind=LineKind.NOTE,
        text="seen",
    ),
]


def put(store: Store, **statuses: tuple[Status, bool, float]) -> None:
    """Store an assignment of rollout-1 for each robot, with status, whether it is open, and since when."""

    def work(rows: Rows) -> None:
        for name, (status, is_open, since_s) in statuses.items():
            robot_id = name.replace("_", "-")
            changes = {"status": status, "is_open": is_open, "status_since_s": since_s}
            rows.put_assignment(an_assignment(f"for-{robot_id}", robot_id=robot_id, **changes))

    store.submit(work).result()


@pytest.mark.parametrize("value", NOUNS, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_as_it_was_stored(store: Store, value: object) -> None:
    def work(rows: Rows) -> None:
        rows.put(INCIDENT)
        rows.put(value)

    store.submit(work).result()
    key = getattr(value, next(iter(type(value).__dataclass_fields__)))  # type: ignore[attr-defined]
    assert store.read(lambda rows: rows.get(type(value), key)) == value


def test_what_is_to_be_judged_again_is_what_time_may_change(store: Store) -> None:
    put(
        store,
        robot_1=(Status.INSTALLED, False, 1.0),
        robot_2=(Status.WAITING, False, 1.0),
        robot_3=(Status.INSTALLED, False, NOW_S + 1),
    )
    found = store.read(lambda rows: rows.assignments_to_judge("rollout-1", NOW_S))
    assert [it.robot_id for it in found] == ["robot-2", "robot-3"]
    put(store, robot_1=(Status.SUPERSEDED, True, 1.0), robot_2=(Status.DRIFTED, False, 1.0))
    found = store.read(lambda rows: rows.assignments_to_judge("rollout-1", NOW_S))
    assert [it.robot_id for it in found] == ["robot-1", "robot-3"]
    assert store.read(lambda rows: rows.assignments_to_judge("rollout-2", NOW_S)) == []


def test_who_holds_a_place_is_known_with_its_assignment(store: Store) -> None:
    put(store, robot_1=(Status.INSTALLED, False, 1.0), robot_2=(Status.WAITING, True, 1.0))
    [(robot_id, assignment_id)] = store.read(lambda rows: rows.open_assignments("rollout-1"))
    newest = store.read(lambda rows: rows.newest_assignment("robot-2"))
    assert (robot_id, assignment_id) == ("robot-2", None if newest is None else newest.assignment_id)
    assert store.read(lambda rows: rows.open_assignments("rollout-2")) == []


def test_the_newest_change_of_a_rollout_is_known(store: Store) -> None:
    assert store.read(lambda rows: rows.newest_change_s("rollout-1")) == 0.0
    put(store, robot_1=(Status.INSTALLED, False, 7.5), robot_2=(Status.WAITING, True, 3.0))
    assert store.read(lambda rows: rows.newest_change_s("rollout-1")) == 7.5


def test_rollouts_with_open_assignments_are_found(store: Store) -> None:
    put(store, robot_1=(Status.INSTALLED, False, 1.0))
    assert store.read(lambda rows: rows.rollouts_with_open()) == []
    put(store, robot_2=(Status.WAITING, True, 1.0), robot_3=(Status.WAITING, True, 1.0))
    assert store.read(lambda rows: rows.rollouts_with_open()) == ["rollout-1"]


def test_robots_without_an_assignment_come_with_what_tells_why(store: Store) -> None:
    def work(rows: Rows) -> None:
        rows.put_robot(a_robot("other-sku", sku="other"))
        rows.put_facts(some_facts("robot-2"))
        rows.put_assignment(an_assignment("a-1", robot_id="robot-1"))
        rows.put_assignment(an_assignment("a-2", robot_id="robot-2", rollout_id="rollout-2"))

    store.submit(work).result()
    heard = Lacking(
        robot_id="robot-2",
        heard_at_s=11.5,
        running_version="0.2.1",
        running_digest="9f" * 32,
        newest_rollout_id="rollout-2",
    )
    never = replace(
        heard, robot_id="robot-3", heard_at_s=None, running_version=None, running_digest=None, newest_rollout_id=None
    )
    assert store.read(lambda rows: list(rows.robots_without("rollout-1", "standard"))) == [heard, never]
    assert store.read(lambda rows: list(rows.robots_without("rollout-1", "standard", heard.robot_id))) == [never]
    assert store.read(lambda rows: list(rows.robots_without("rollout-1", "standard", never.robot_id))) == []


def test_robots_without_an_assignment_reach_beyond_one_page(store: Store) -> None:
    def work(rows: Rows) -> None:
        for number in range(1500):
            rows.put_robot(a_robot(f"many-{number:04}"))

    store.submit(work).result()
    assert store.read(lambda rows: len(list(rows.robots_without("rollout-1", "standard")))) == 1503


def test_robots_and_assignments_are_counted_by_what_they_have_in_common(store: Store) -> None:
    def work(rows: Rows) -> None:
        rows.put_facts(some_facts("robot-1"))
        rows.put_assignment(an_assignment("a-1", robot_id="robot-1", phase=0, installed_at_s=10.0))
        rows.put_assignment(an_assignment("a-2", robot_id="robot-2", phase=0, installed_at_s=24.0, download_s=3.5))
        newest = an_assignment("a-3", robot_id="robot-2", rollout_id="rollout-2", status=Status.REFUSED, is_open=False)
        rows.put_assignment(newest)

    store.submit(work).result()
    robots = {
        RobotCount(sku="standard", status=Status.WAITING, version="0.2.1", count=1),
        RobotCount(sku="standard", status=Status.REFUSED, version=None, count=1),
        RobotCount(sku="standard", status=None, version=None, count=1),
    }
    assert set(store.read(lambda rows: rows.count_robots())) == robots
    assignments = {
        AssignmentCount(
            rollout_id="rollout-1",
            phase=0,
            status=Status.WAITING,
            is_open=True,
            count=2,
            installs=2,
            installs_s=26.0,
            downloads=1,
            downloads_s=3.5,
        ),
        AssignmentCount(rollout_id="rollout-2", phase=None, status=Status.REFUSED, is_open=False, count=1),
    }
    assert set(store.read(lambda rows: rows.count_assignments())) == assignments


def test_assignments_whose_times_are_not_known_add_nothing_to_the_sums(store: Store) -> None:
    store.submit(lambda rows: rows.put_assignment(an_assignment(downloading_since_s=5.0))).result()
    (count,) = store.read(lambda rows: rows.count_assignments())
    assert (count.count, count.installs, count.installs_s, count.downloads, count.downloads_s) == (1, 0, 0.0, 0, 0.0)
