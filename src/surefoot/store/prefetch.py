"""What the works of a batch are going to read about their robots, read for all of them at once."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ARRAY, Text, any_, bindparam, func, select

from surefoot.fleet.model import Assignment, Facts, Robot
from surefoot.fleet.pins import Pin
from surefoot.store.engines import storable
from surefoot.store.overlay import Heard
from surefoot.store.registry import TABLE_OF
from surefoot.store.rows_assignments import AssignmentRows
from surefoot.store.rows_robots import FACTS_COLUMNS
from surefoot.store.statements import field_names
from surefoot.store.tables import assignments, facts, heard, robots

# Asked for each robot by itself, so that the index answers however many assignments it had.
_NEWEST = (
    select(func.max(assignments.c.nth)).where(assignments.c.robot_id == robots.c.robot_id).correlate(robots)
).scalar_subquery()
_PINS = TABLE_OF[Pin]
_ABOUT = (
    select(
        *(robots.c[name] for name in field_names(Robot)),
        *FACTS_COLUMNS,
        *(assignments.c[name] for name in field_names(Assignment)),
        *(_PINS.c[name] for name in field_names(Pin)),
    )
    .select_from(robots)
    .outerjoin(facts, facts.c.robot_id == robots.c.robot_id)
    .outerjoin(heard, heard.c.robot_id == robots.c.robot_id)
    .outerjoin(assignments, assignments.c.nth == _NEWEST)
    .outerjoin(_PINS, _PINS.c.robot_id == robots.c.robot_id)
)
# On PostgreSQL all ids are one parameter: so however many they are, the statement is the same, and is planned once.
ABOUT = {
    "sqlite": _ABOUT.where(robots.c.robot_id.in_(bindparam("robot_ids", expanding=True))),
    "postgresql": _ABOUT.where(robots.c.robot_id == any_(bindparam("robot_ids", type_=ARRAY(Text)))),
}
_FACTS_AT = len(field_names(Robot))
_ASSIGNMENT_AT = _FACTS_AT + len(field_names(Facts))
_PIN_AT = _ASSIGNMENT_AT + len(field_names(Assignment))


class Prefetch(AssignmentRows):
    """The part of a transaction that looks ahead."""

    def prefetch(self, robot_ids: Collection[str]) -> None:
        """Read robots, their facts, newest assignments and pins; raise `Damaged` (`damaged-row`)."""
        self._settle(Robot, Facts, Heard, Assignment, Pin)
        ids = [storable(robot_id) for robot_id in robot_ids]
        rows = self._connection.execute(ABOUT[self._connection.dialect.name], {"robot_ids": ids}).all()
        for row in rows:
            robot = _value(Robot, row[:_FACTS_AT])
            self._learn(Robot, robot.robot_id, robot)
            self._learn(Facts, robot.robot_id, _value(Facts, row[_FACTS_AT:_ASSIGNMENT_AT]))
            self._learn_newest(robot.robot_id, _value(Assignment, row[_ASSIGNMENT_AT:_PIN_AT]))
            self._learn(Pin, robot.robot_id, _value(Pin, row[_PIN_AT:]))


def _value(kind: Any, columns: Any) -> Any:
    """Build a value from columns in the order of its fields, the first of which is null only where there is none."""
    return None if columns[0] is None else kind(**dict(zip(field_names(kind), columns, strict=True)))
