"""The rows that pages show, counted and listed alike by every store."""

from store.values import an_assignment, some_facts
from surefoot.fleet.model import Status
from surefoot.fleet.ports import Rows, Store
from surefoot.fleet.shown import CodeCount, Ran

ROBOTS = ("robot-1", "robot-2", "robot-3")


def test_robots_are_counted_that_said_something_lately(store: Store) -> None:
    def work(rows: Rows) -> None:
        for robot_id, heard_at_s in zip(ROBOTS, (10.0, 20.0, 30.0), strict=True):
            rows.put_facts(some_facts(robot_id, heard_at_s=heard_at_s))

    store.submit(work).result()
    assert store.read(lambda rows: [rows.count_heard(since_s) for since_s in (5, 20, 31)]) == [3, 2, 0]


def test_why_assignments_stand_where_they_stand_is_counted(store: Store) -> None:
    said = ((Status.INSTALLED, None), (Status.WAITING, "at-capacity"), (Status.WAITING, "at-capacity"))

    def work(rows: Rows) -> None:
        for robot_id, (status, code) in zip(ROBOTS, said, strict=True):
            rows.put_assignment(an_assignment(f"for-{robot_id}", robot_id=robot_id, status=status, code=code))

    store.submit(work).result()
    counted = [CodeCount(status=Status.WAITING, code="at-capacity", count=2)]
    assert store.read(lambda rows: rows.count_codes("rollout-1")) == counted
    assert store.read(lambda rows: rows.count_codes("rollout-2")) == []


def test_assignments_of_a_status_are_leafed_through(store: Store) -> None:
    def work(rows: Rows) -> None:
        for robot_id in ROBOTS:
            status = Status.INSTALLED if robot_id == "robot-2" else Status.SILENT
            rows.put_assignment(an_assignment(f"for-{robot_id}", robot_id=robot_id, status=status))

    store.submit(work).result()

    def silent(after: str | None) -> list[str]:
        found = store.read(lambda rows: rows.assignments_of_status("rollout-1", Status.SILENT, after, 1))
        return [one.robot_id for one in found]

    assert silent(None) == ["robot-1"]
    assert silent("for-robot-1") == ["robot-3"]
    assert silent("for-robot-3") == []


def test_who_ran_a_release_is_told_with_what_says_where_they_are_now(store: Store) -> None:
    def work(rows: Rows) -> None:
        rows.put_facts(some_facts("robot-1", heard_at_s=7.0))
        rows.put_assignment(an_assignment("a-1", robot_id="robot-1", status=Status.WAITING))
        rows.put_assignment(an_assignment("a-2", robot_id="robot-2", status=Status.ROLLED_BACK))
        rows.put_assignment(an_assignment("a-3", robot_id="robot-3", status=Status.WAITING))

    store.submit(work).result()
    away = Ran(robot_id="robot-2", assigned_at_s=4.0, heard_at_s=None, running_digest=None)
    runs = Ran(robot_id="robot-1", assigned_at_s=4.0, heard_at_s=7.0, running_digest="9f" * 32)
    assert store.read(lambda rows: list(rows.robots_that_ran("rollout-1", "9f" * 32))) == [runs, away]
    assert store.read(lambda rows: list(rows.robots_that_ran("rollout-1", "aa" * 32))) == [away]
    store.submit(
        lambda rows: rows.put_assignment(an_assignment("a-3", robot_id="robot-3", installed_at_s=5.0))
    ).result()
    assert len(store.read(lambda rows: list(rows.robots_that_ran("rollout-1", "aa" * 32)))) == 2
