"""Tables about what people decide beside a plan: approvals of phases, pins and time zones of robots."""

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, Table, Text

from surefoot.fleet.approvals import Approval
from surefoot.fleet.pins import Pin
from surefoot.fleet.zones import RobotZone
from surefoot.store.columns import ID, metadata, nth
from surefoot.store.tables import releases, robots, rollouts

approvals = Table(
    "approvals",
    metadata,
    nth(),
    Column("approval_id", ID, nullable=False),
    Column("rollout_id", ID, ForeignKey(rollouts.c.rollout_id), nullable=False),
    Column("phase", Integer, nullable=False),
    Column("approved_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("approved_at_s", Double, nullable=False),
    Index("approvals_by_id", "approval_id", unique=True),
    Index("approvals_by_rollout", "rollout_id", "nth"),
)

pins = Table(
    "pins",
    metadata,
    nth(),
    Column("robot_id", ID, ForeignKey(robots.c.robot_id), nullable=False),
    Column("release_id", ID, ForeignKey(releases.c.release_id)),
    Column("reason", Text, nullable=False),
    Column("pinned_by", Text, nullable=False),
    Column("pinned_at_s", Double, nullable=False),
    Index("pins_by_robot", "robot_id", unique=True),
)

robot_zones = Table(
    "robot_zones",
    metadata,
    nth(),
    Column("robot_id", ID, ForeignKey(robots.c.robot_id), nullable=False),
    Column("zone", Text, nullable=False),
    Index("robot_zones_by_robot", "robot_id", unique=True),
)

TABLE_OF: dict[type, Table] = {Approval: approvals, Pin: pins, RobotZone: robot_zones}
