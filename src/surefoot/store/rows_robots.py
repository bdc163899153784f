"""Rows about robots: who they are, what they last said, and what happened to them."""

# ruff: noqa: D102 - the port says what each method does

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count

from sqlalchemy import bindparam, func, select, text

from surefoot.fleet.model import Assignment, Facts, HistoryEntry, Robot, RobotView
from surefoot.store.overlay import Heard, Overlay
from surefoot.store.statements import value_of
from surefoot.store.tables import assignments, heard, history, robots
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
# In the order of the fields of `Facts`.
FACTS_COLUMNS = (facts_table.c.report, facts_table.c.received_at_s, heard.c.heard_at_s, facts_table.c.past_epochs)
FACTS = (
    select(*FACTS_COLUMNS)
    .join_from(facts_table, heard, heard.c.robot_id == facts_table.c.robot_id)
    .where(facts_table.c.robot_id == bindparam("robot_id"))
)
# All robots in one parameter, which the database takes apart itself: the interpreter answers others meanwhile. Where
# two processes wait for each other's rows, PostgreSQL tells one of them to try again.
SET_HEARD_LATER = {
    "sqlite": text(
        "UPDATE heard SET heard_at_s = said.value FROM json_each(:heard) AS said"
        " WHERE heard.robot_id = said.key AND heard.heard_at_s < said.value"
    ),
    "postgresql": text(
        "UPDATE heard SET heard_at_s = said.value::double precision FROM json_each_text(CAST(:heard AS json)) AS said"
        " WHERE heard.robot_id = said.key AND heard.heard_at_s < said.value::double precision"
    ),
}
HISTORY = (
    select(history)
    .where(history.c.robot_id == bindparam("robot_id"))
    .order_by(history.c.nth.desc())
    .limit(bindparam("limit"))
)
VIEWED_ROBOTS = (
    select(robots, *FACTS_COLUMNS)
    .outerjoin_from(robots, facts_table, facts_table.c.robot_id == robots.c.robot_id)
    .outerjoin(heard, heard.c.robot_id == facts_table.c.robot_id)
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


# Entries have no key of their own; these only keep them apart until they are written, in the order they came.
_ENTRY_NUMBERS = count()


class RobotRows(Overlay):
    """The part of `Rows` about robots."""

    def robot(self, robot_id: str) -> Robot | None:
        return self._value(Robot, robot_id, lambda: self._one(Robot, ROBOT, robot_id=robot_id))

    def robot_by_token(self, token_sha256: str) -> Robot | None:
        return self._answer(
            Robot, ("token", token_sha256), lambda: self._one(Robot, ROBOT_BY_TOKEN, token_sha256=token_sha256)
        )

    def put_robot(self, robot: Robot) -> None:
        self._hold(Robot, robot.robot_id, robot)

    def robot_ids(self, sku: str) -> Iterator[str]:
        # Page by page, because writes between two steps would disturb one long-lived cursor.
        after = ""
        while page := self._page(sku, after):
            yield from page
            after = page[-1]

    def robot_views(self, after: str, limit: int) -> list[RobotView]:
        self._settle(Robot, Facts, Heard, Assignment)
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
        return self._value(Facts, robot_id, lambda: self._read_facts(robot_id))

    def put_facts(self, facts: Facts) -> None:
        robot_id = facts.report.robot_id
        self._hold(Facts, robot_id, facts)
        self._hold(Heard, robot_id, Heard(robot_id, facts.heard_at_s))

    def set_heard(self, robot_id: str, heard_at_s: float) -> None:
        facts = self.facts(robot_id)
        if facts is None:
            return
        self._hold(Heard, robot_id, Heard(robot_id, heard_at_s))
        for held in (self._known[Facts], self._pending[Facts]):
            if robot_id in held:
                self._change(held, robot_id, replace(facts, heard_at_s=heard_at_s))

    def set_heard_all(self, heard_at_s: Mapping[str, float]) -> None:
        if heard_at_s:
            statement = SET_HEARD_LATER[self._connection.dialect.name]
            self._write_now(Facts, statement, [{"heard": json.dumps(dict(heard_at_s))}])

    def add_history(self, entry: HistoryEntry) -> None:
        self._hold(HistoryEntry, next(_ENTRY_NUMBERS), entry)

    def history(self, robot_id: str, limit: int) -> list[HistoryEntry]:
        self._settle(HistoryEntry)
        return self._all(HistoryEntry, HISTORY, robot_id=robot_id, limit=limit)

    def _read_facts(self, robot_id: str) -> Facts | None:
        if robot_id in self._pending[Heard]:
            self._settle(Heard)
        return self._one(Facts, FACTS, robot_id=robot_id)

    def _page(self, sku: str, after: str) -> list[str]:
        self._settle(Robot)
        return list(self._connection.scalars(ROBOT_IDS, {"sku": sku, "after": after}))
