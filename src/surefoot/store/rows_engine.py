"""Rows as the engine and the metrics look at them: many at once, sorted out by the database."""

# ruff: noqa: D102 - the port says what each method does

from collections.abc import Iterator

from sqlalchemy import and_, bindparam, func, or_, select

from surefoot.fleet.model import Assignment, AssignmentCount, Facts, Lacking, Robot, RobotCount, Status
from surefoot.store.overlay import Heard, Overlay
from surefoot.store.statements import value_of
from surefoot.store.tables import assignments, facts, heard, robots

PAGE_ROBOTS = 1000
# Once such an assignment holds no place, only what its robot says can change it.
SETTLED = (Status.INSTALLED, Status.DRIFTED, Status.SUPERSEDED)

OF_ROLLOUT = assignments.c.rollout_id == bindparam("rollout_id")
_TO_JUDGE = (
    and_(assignments.c.is_open.is_(True), OF_ROLLOUT),
    and_(OF_ROLLOUT, assignments.c.status.in_([status for status in Status if status not in SETTLED])),
    and_(OF_ROLLOUT, assignments.c.status_since_s > bindparam("now_s")),
)
# Three short walks along three indexes; joined by OR, they would be one along the whole rollout.
TO_JUDGE = (
    select(assignments)
    .where(or_(*(assignments.c.nth.in_(select(assignments.c.nth).where(condition)) for condition in _TO_JUDGE)))
    .order_by(assignments.c.robot_id)
)
NEWEST_CHANGE = select(func.max(assignments.c.status_since_s)).where(OF_ROLLOUT)
# Ways for an update to end. Silence is none: the robot may speak again.
ENDED = (*SETTLED, Status.ROLLED_BACK, Status.REFUSED)
COUNT_SETTLED = select(func.count()).where(
    OF_ROLLOUT, assignments.c.status_since_s <= bindparam("until_s"), assignments.c.status.in_(ENDED)
)
WITH_OPEN = select(assignments.c.rollout_id).where(assignments.c.is_open.is_(True)).distinct()
_OWN = assignments.alias("own")
_NEWER = assignments.alias("newer")
LACKING = (
    select(
        robots.c.robot_id,
        heard.c.heard_at_s,
        facts.c.running_version,
        facts.c.running_digest,
        select(_NEWER.c.rollout_id)
        .where(_NEWER.c.robot_id == robots.c.robot_id)
        .order_by(_NEWER.c.nth.desc())
        .limit(1)
        .scalar_subquery()
        .label("newest_rollout_id"),
    )
    .outerjoin_from(
        robots, _OWN, and_(_OWN.c.rollout_id == bindparam("rollout_id"), _OWN.c.robot_id == robots.c.robot_id)
    )
    .outerjoin(facts, facts.c.robot_id == robots.c.robot_id)
    .outerjoin(heard, heard.c.robot_id == facts.c.robot_id)
    .where(robots.c.sku == bindparam("sku"), robots.c.robot_id > bindparam("after"), _OWN.c.nth.is_(None))
    .order_by(robots.c.robot_id)
    .limit(PAGE_ROBOTS)
)
_NEWEST = select(func.max(assignments.c.nth).label("nth")).group_by(assignments.c.robot_id).subquery()
_STATUS = (
    select(assignments.c.robot_id, assignments.c.status).join(_NEWEST, _NEWEST.c.nth == assignments.c.nth).subquery()
)
COUNT_ROBOTS = (
    select(robots.c.sku, _STATUS.c.status, facts.c.running_version.label("version"), func.count().label("count"))
    .outerjoin_from(robots, _STATUS, _STATUS.c.robot_id == robots.c.robot_id)
    .outerjoin(facts, facts.c.robot_id == robots.c.robot_id)
    .group_by(robots.c.sku, _STATUS.c.status, facts.c.running_version)
)
_KIND = (assignments.c.rollout_id, assignments.c.phase, assignments.c.status, assignments.c.is_open)
# What is not known is counted and summed up by neither. Times beside the counts spare a second walk over all rows.
COUNT_ASSIGNMENTS = select(
    *_KIND,
    func.count().label("count"),
    func.count(assignments.c.installed_at_s).label("installs"),
    func.coalesce(func.sum(assignments.c.installed_at_s - assignments.c.assigned_at_s), 0.0).label("installs_s"),
    func.count(assignments.c.download_s).label("downloads"),
    func.coalesce(func.sum(assignments.c.download_s), 0.0).label("downloads_s"),
).group_by(*_KIND)
COUNT_DELTA_SOURCES = (
    select(facts.c.running_digest, func.count().label("count"))
    .join_from(robots, facts, facts.c.robot_id == robots.c.robot_id)
    .where(robots.c.sku == bindparam("sku"), facts.c.takes_deltas.is_(True), facts.c.running_digest.is_not(None))
    .group_by(facts.c.running_digest)
)


class EngineRows(Overlay):
    """The part of `Rows` for whoever looks at all robots."""

    def assignments_to_judge(self, rollout_id: str, now_s: float) -> list[Assignment]:
        self._settle(Assignment)
        return self._all(Assignment, TO_JUDGE, rollout_id=rollout_id, now_s=now_s)

    def newest_change_s(self, rollout_id: str) -> float:
        self._settle(Assignment)
        return self._connection.scalars(NEWEST_CHANGE, {"rollout_id": rollout_id}).one() or 0.0

    def count_settled(self, rollout_id: str, until_s: float) -> int:
        self._settle(Assignment)
        return self._connection.scalars(COUNT_SETTLED, {"rollout_id": rollout_id, "until_s": until_s}).one()

    def rollouts_with_open(self) -> list[str]:
        self._settle(Assignment)
        return sorted(self._connection.scalars(WITH_OPEN).all())

    def robots_without(self, rollout_id: str, sku: str, after: str = "") -> Iterator[Lacking]:
        while True:
            self._settle(Robot, Facts, Heard, Assignment)
            page = self._all(Lacking, LACKING, rollout_id=rollout_id, sku=sku, after=after)
            yield from page
            if len(page) < PAGE_ROBOTS:
                return
            after = page[-1].robot_id

    def count_robots(self) -> list[RobotCount]:
        self._settle(Robot, Facts, Assignment)
        return [value_of(RobotCount, row) for row in self._connection.execute(COUNT_ROBOTS).mappings()]

    def count_assignments(self) -> list[AssignmentCount]:
        self._settle(Assignment)
        return [value_of(AssignmentCount, row) for row in self._connection.execute(COUNT_ASSIGNMENTS).mappings()]

    def count_delta_sources(self, sku: str) -> dict[str, int]:
        self._settle(Robot, Facts)
        return dict(self._connection.execute(COUNT_DELTA_SOURCES, {"sku": sku}).all())
