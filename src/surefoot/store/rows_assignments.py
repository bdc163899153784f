"""Rows about what should run where: assignments."""

# ruff: noqa: D102 - the port says what each method does

from sqlalchemy import bindparam, func, select

from surefoot.fleet.model import Assignment, Status
from surefoot.store.overlay import Overlay
from surefoot.store.tables import assignments

OF_ROLLOUT = assignments.c.rollout_id == bindparam("rollout_id")
OF_ROBOT = assignments.c.robot_id == bindparam("robot_id")
ASSIGNMENT = select(assignments).where(assignments.c.assignment_id == bindparam("assignment_id"))
NEWEST_ASSIGNMENT = select(assignments).where(OF_ROBOT).order_by(assignments.c.nth.desc()).limit(1)
ASSIGNMENT_FOR = select(assignments).where(OF_ROLLOUT, OF_ROBOT)
ASSIGNMENTS = select(assignments).where(OF_ROLLOUT).order_by(assignments.c.robot_id)
COUNT_OPEN = select(func.count()).where(OF_ROLLOUT, assignments.c.is_open)
OPEN = (
    select(assignments.c.robot_id, assignments.c.assignment_id)
    .where(OF_ROLLOUT, assignments.c.is_open)
    .order_by(assignments.c.robot_id)
)
COUNT_OFFERED = select(func.count()).where(OF_ROLLOUT)
COUNT_BY_STATUS = select(assignments.c.status, func.count()).where(OF_ROLLOUT).group_by(assignments.c.status)


class NewestOf:
    """Stands for the kind of what is known by a robot's id: the id of its newest assignment."""


class OpenOf:
    """Stands for the kind of what is known by a rollout's id: the count of its open assignments."""


class OfferedOf:
    """Stands for the kind of what is known by a rollout's id: the count of all its assignments."""


class AssignmentRows(Overlay):
    """The part of `Rows` about assignments."""

    def newest_assignment(self, robot_id: str) -> Assignment | None:
        known = self._known[NewestOf]
        if robot_id not in known:
            self._settle(Assignment)
            self._learn_newest(robot_id, self._one(Assignment, NEWEST_ASSIGNMENT, robot_id=robot_id))
        assignment_id = known[robot_id]
        return None if assignment_id is None else self._assignment(assignment_id)

    def assignment_for(self, rollout_id: str, robot_id: str) -> Assignment | None:
        self._settle(Assignment)
        return self._one(Assignment, ASSIGNMENT_FOR, rollout_id=rollout_id, robot_id=robot_id)

    def assignments(self, rollout_id: str) -> list[Assignment]:
        self._settle(Assignment)
        return self._all(Assignment, ASSIGNMENTS, rollout_id=rollout_id)

    def count_open(self, rollout_id: str) -> int:
        known = self._known[OpenOf]
        if rollout_id not in known:
            self._settle(Assignment)
            self._learn(OpenOf, rollout_id, self._connection.scalars(COUNT_OPEN, {"rollout_id": rollout_id}).one())
        count: int = known[rollout_id]
        return count

    def open_assignments(self, rollout_id: str) -> list[tuple[str, str]]:
        self._settle(Assignment)
        return [(row[0], row[1]) for row in self._connection.execute(OPEN, {"rollout_id": rollout_id})]

    def count_offered(self, rollout_id: str) -> int:
        known = self._known[OfferedOf]
        if rollout_id not in known:
            self._settle(Assignment)
            self._learn(
                OfferedOf, rollout_id, self._connection.scalars(COUNT_OFFERED, {"rollout_id": rollout_id}).one()
            )
        count: int = known[rollout_id]
        return count

    def count_by_status(self, rollout_id: str) -> dict[Status, int]:
        self._settle(Assignment)
        return dict(self._connection.execute(COUNT_BY_STATUS, {"rollout_id": rollout_id}).all())

    def add_assignment(self, assignment: Assignment) -> None:
        self._learn(Assignment, assignment.assignment_id, None)
        self.put_assignment(assignment)

    def put_assignment(self, assignment: Assignment) -> None:
        before = self._assignment(assignment.assignment_id)
        self._hold(Assignment, assignment.assignment_id, assignment)
        if before is None:
            self._change(self._known[NewestOf], assignment.robot_id, assignment.assignment_id)
            if assignment.rollout_id in (offered := self._known[OfferedOf]):
                self._change(offered, assignment.rollout_id, offered[assignment.rollout_id] + 1)
        # Every robot of a batch that is given an assignment asks for this count: it is kept, not counted again.
        opened, count = self._known[OpenOf], assignment.rollout_id
        if count in opened:
            was_open = before is not None and before.is_open
            self._change(opened, count, opened[count] + assignment.is_open - was_open)

    def _assignment(self, assignment_id: str) -> Assignment | None:
        return self._value(
            Assignment, assignment_id, lambda: self._one(Assignment, ASSIGNMENT, assignment_id=assignment_id)
        )

    def _learn_newest(self, robot_id: str, newest: Assignment | None) -> None:
        self._learn(NewestOf, robot_id, None if newest is None else newest.assignment_id)
        if newest is not None:
            self._learn(Assignment, newest.assignment_id, newest)
