"""Rows as people look at them: counts that a page shows, and lists to leaf through."""

# ruff: noqa: D102 - the port says what each method does

from collections.abc import Iterator

from sqlalchemy import bindparam, func, or_, select

from surefoot.fleet.model import Assignment, Facts, Status
from surefoot.fleet.shown import TRIED, CodeCount, Ran
from surefoot.store.overlay import Heard, Overlay
from surefoot.store.statements import value_of
from surefoot.store.tables import assignments, facts, heard

OF_ROLLOUT = assignments.c.rollout_id == bindparam("rollout_id")
COUNT_HEARD = select(func.count()).where(heard.c.heard_at_s >= bindparam("since_s"))
# Who installed is most of them, and needs no code.
COUNT_CODES = (
    select(assignments.c.status, assignments.c.code, func.count().label("count"))
    .where(OF_ROLLOUT, assignments.c.status.in_([status for status in Status if status is not Status.INSTALLED]))
    .group_by(assignments.c.status, assignments.c.code)
)
OF_STATUS = (
    select(assignments)
    .where(OF_ROLLOUT, assignments.c.status == bindparam("status"), assignments.c.nth > bindparam("after"))
    .order_by(assignments.c.nth)
    .limit(bindparam("limit"))
)
PAGE_ROBOTS = 1000
RAN = (
    select(assignments.c.robot_id, assignments.c.assigned_at_s, heard.c.heard_at_s, facts.c.running_digest)
    .outerjoin_from(assignments, facts, facts.c.robot_id == assignments.c.robot_id)
    .outerjoin(heard, heard.c.robot_id == assignments.c.robot_id)
    .where(
        OF_ROLLOUT,
        assignments.c.robot_id > bindparam("after"),
        or_(
            assignments.c.installed_at_s.is_not(None),
            assignments.c.status.in_(TRIED),
            facts.c.running_digest == bindparam("digest"),
        ),
    )
    .order_by(assignments.c.robot_id)
    .limit(PAGE_ROBOTS)
)
PASSED = select(assignments.c.nth).where(assignments.c.assignment_id == bindparam("assignment_id"))


class ShownRows(Overlay):
    """The part of `Rows` for pages."""

    def robots_that_ran(self, rollout_id: str, digest: str) -> Iterator[Ran]:
        after = ""
        while True:
            self._settle(Facts, Heard, Assignment)
            page = self._all(Ran, RAN, rollout_id=rollout_id, digest=digest, after=after)
            yield from page
            if len(page) < PAGE_ROBOTS:
                return
            after = page[-1].robot_id

    def count_heard(self, since_s: float) -> int:
        self._settle(Facts, Heard)
        count: int = self._connection.scalars(COUNT_HEARD, {"since_s": since_s}).one()
        return count

    def count_codes(self, rollout_id: str) -> list[CodeCount]:
        self._settle(Assignment)
        found = self._connection.execute(COUNT_CODES, {"rollout_id": rollout_id}).mappings()
        return [value_of(CodeCount, row) for row in found]

    def assignments_of_status(self, rollout_id: str, status: Status, after: str | None, limit: int) -> list[Assignment]:
        self._settle(Assignment)
        passed = 0
        if after is not None:
            passed = self._connection.scalars(PASSED, {"assignment_id": after}).one_or_none() or 0
        return self._all(Assignment, OF_STATUS, rollout_id=rollout_id, status=status, after=passed, limit=limit)
