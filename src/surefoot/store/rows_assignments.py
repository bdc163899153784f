"""Rows about what should run where: assignments."""

# ruff: noqa: D102 - the port says what each method does

from sqlalchemy import bindparam, func, select

from surefoot.fleet.model import Assignment, Status
from surefoot.store.statements import Statements, values_of
from surefoot.store.tables import assignments

OF_ROLLOUT = assignments.c.rollout_id == bindparam("rollout_id")
OF_ROBOT = assignments.c.robot_id == bindparam("robot_id")
NEWEST_ASSIGNMENT = select(assignments).where(OF_ROBOT).order_by(assignments.c.nth.desc()).limit(1)
ASSIGNMENT_FOR = select(assignments).where(OF_ROLLOUT, OF_ROBOT)
ASSIGNMENTS = select(assignments).where(OF_ROLLOUT).order_by(assignments.c.robot_id)
COUNT_OPEN = select(func.count()).where(OF_ROLLOUT, assignments.c.is_open)
COUNT_BY_STATUS = select(assignments.c.status, func.count()).where(OF_ROLLOUT).group_by(assignments.c.status)


class AssignmentRows(Statements):
    """The part of `Rows` about assignments."""

    def newest_assignment(self, robot_id: str) -> Assignment | None:
        return self._one(Assignment, NEWEST_ASSIGNMENT, robot_id=robot_id)

    def assignment_for(self, rollout_id: str, robot_id: str) -> Assignment | None:
        return self._one(Assignment, ASSIGNMENT_FOR, rollout_id=rollout_id, robot_id=robot_id)

    def assignments(self, rollout_id: str) -> list[Assignment]:
        return self._all(Assignment, ASSIGNMENTS, rollout_id=rollout_id)

    def count_open(self, rollout_id: str) -> int:
        return self._connection.scalars(COUNT_OPEN, {"rollout_id": rollout_id}).one()

    def count_by_status(self, rollout_id: str) -> dict[Status, int]:
        return dict(self._connection.execute(COUNT_BY_STATUS, {"rollout_id": rollout_id}).all())

    def put_assignment(self, assignment: Assignment) -> None:
        self._put(assignments, "assignment_id", values_of(assignment))
