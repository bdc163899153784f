"""Rows about robots: who they are, what they last said, and what happened to them."""

# ruff: noqa: D102 - the port says what each method does

from collections.abc import Iterator

from sqlalchemy import bindparam, func, insert, select, update

from surefoot.fleet.model import Assignment, Facts, HistoryEntry, Robot, RobotView
from surefoot.store.statements import Statements, value_of, values_of
from surefoot.store.tables import assignments, history, robots
from surefoot.store.tables import facts as facts_table

PAGE_ROBOTS = 1000

ROBOT = select(robots).where(robots.c.robot_id == bindparam("robot_id"))
ROBOT_BY_TOKEN = select(robots).where(robots.c.token_sha256 == bindparam("token_sha256"))
ROBOT_IDS = (
    select(robots.c.robot_id)
    .where(robots.c.sku == bindparam("sku"), robots.c.robot_id > bindparam("after"))
    .order_by(robots.c.robot_id)
    .limit(PAGE_ROBOTS)
)
FACTS = select(facts_table).where(facts_table.c.robot_id == bindparam("robot_id"))
SET_HEARD = update(facts_table).where(facts_table.c.robot_id == bindparam("heard_robot_id"))
HISTORY = (
    select(history)
    .where(history.c.robot_id == bindparam("robot_id"))
    .order_by(history.c.nth.desc())
    .limit(bindparam("limit"))
)
VIEWED_ROBOTS = (
    select(robots, *(facts_table.c[name] for name in ("report", "received_at_s", "heard_at_s", "past_epochs")))
    .outerjoin_from(robots, facts_table)
    .where(robots.c.robot_id > bindparam("after"))
    .order_by(robots.c.robot_id)
    .limit(bindparam("limit"))
)
VIEWED_ASSIGNMENTS = select(assignments).where(
    assignments.c.nth.in_(
        select(func.max(assignments.c.nth))
        .where(assignments.c.robot_id > bindparam("after"), assignments.c.robot_id <= bindparam("last"))
        .group_by(assignments.c.robot_id)
    )
)


class RobotRows(Statements):
    """The part of `Rows` about robots."""

    def robot(self, robot_id: str) -> Robot | None:
        return self._one(Robot, ROBOT, robot_id=robot_id)

    def robot_by_token(self, token_sha256: str) -> Robot | None:
        return self._one(Robot, ROBOT_BY_TOKEN, token_sha256=token_sha256)

    def put_robot(self, robot: Robot) -> None:
        self._put(robots, "robot_id", values_of(robot))

    def robot_ids(self, sku: str) -> Iterator[str]:
        # Page by page, because writes between two steps would disturb one long-lived cursor.
        after = ""
        while page := self._connection.scalars(ROBOT_IDS, {"sku": sku, "after": after}).all():
            yield from page
            after = page[-1]

    def robot_views(self, after: str, limit: int) -> list[RobotView]:
        rows = self._connection.execute(VIEWED_ROBOTS, {"after": after, "limit": limit}).mappings().all()
        last = rows[-1]["robot_id"] if rows else after
        newest = {found.robot_id: found for found in self._all(Assignment, VIEWED_ASSIGNMENTS, after=after, last=last)}
        return [
            RobotView(
                robot=value_of(Robot, row),
                facts=None if row["report"] is None else value_of(Facts, row),
                assignment=newest.get(row["robot_id"]),
            )
            for row in rows
        ]

    def facts(self, robot_id: str) -> Facts | None:
        return self._one(Facts, FACTS, robot_id=robot_id)

    def put_facts(self, facts: Facts) -> None:
        report = facts.report
        repeated = {
            "robot_id": report.robot_id,
            "epoch": report.epoch,
            "boot": report.boot,
            "seq": report.seq,
            "running_digest": report.running.digest,
            "running_version": report.running.version,
        }
        self._put(facts_table, "robot_id", values_of(facts) | repeated)

    def set_heard(self, robot_id: str, heard_at_s: float) -> None:
        self._write(SET_HEARD, {"heard_robot_id": robot_id, "heard_at_s": heard_at_s})

    def add_history(self, entry: HistoryEntry) -> None:
        self._write(insert(history), values_of(entry))

    def history(self, robot_id: str, limit: int) -> list[HistoryEntry]:
        return self._all(HistoryEntry, HISTORY, robot_id=robot_id, limit=limit)
