"""Tables about the health of robots, the evidence for or against a release, and what triggers fired."""

from typing import Any

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKey, Index, Integer, Table, Text

from surefoot.fleet.alarms import Alarm
from surefoot.fleet.gate_rows import Point, RolloutCurve, RolloutEvidence
from surefoot.fleet.robot_health import Place, RobotHealth, Signs, Sums
from surefoot.rollout.gate import Evidence
from surefoot.rollout.triggers import Trigger
from surefoot.store.columns import ID, Encoded, as_json, metadata, nth
from surefoot.store.tables import robots, rollouts


def _kept(kind: Any) -> Encoded:
    """Return the kind of a frozen value that is kept as a JSON object of its fields; there are millions of them."""
    decoder = msgspec.json.Decoder(kind)

    def decode(text: str) -> Any:
        try:
            return decoder.decode(text)
        except msgspec.MsgspecError as error:
            raise ValueError(str(error)) from error

    return Encoded(lambda value: msgspec.json.encode(value).decode(), decode)


robot_health = Table(
    "robot_health",
    metadata,
    nth(),
    Column("robot_id", ID, ForeignKey(robots.c.robot_id), nullable=False),
    Column("sku", ID, nullable=False),
    Column("place", _kept(Place), nullable=False),
    Column("sums", _kept(Sums), nullable=False),
    Column("signs", _kept(Signs), nullable=False),
    Index("robot_health_by_robot", "robot_id", unique=True),
    Index("robot_health_by_sku", "sku", "nth"),
)

alarms = Table(
    "alarms",
    metadata,
    nth(),
    Column("alarm_id", ID, nullable=False),
    Column("rollout_id", ID, ForeignKey(rollouts.c.rollout_id), nullable=False),
    Column("trigger", Encoded(str, Trigger), nullable=False),
    Column("robot_ids", as_json(list, tuple), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Index("alarms_by_id", "alarm_id", unique=True),
    Index("alarms_by_rollout", "rollout_id", "nth"),
)

rollout_evidence = Table(
    "rollout_evidence",
    metadata,
    nth(),
    Column("rollout_id", ID, ForeignKey(rollouts.c.rollout_id), nullable=False),
    Column("evidence", _kept(Evidence), nullable=False),
    Column("phases_opened", Integer, nullable=False),
    Column("quarter", BigInteger, nullable=False),
    Column("hears", Boolean, nullable=False),
    Column("fed_until_s", Double, nullable=False),
    Column("accepted", as_json(list, tuple), nullable=False),
    Index("rollout_evidence_by_rollout", "rollout_id", unique=True),
)

rollout_curves = Table(
    "rollout_curves",
    metadata,
    nth(),
    Column("rollout_id", ID, ForeignKey(rollouts.c.rollout_id), nullable=False),
    Column("points", _kept(tuple[Point, ...]), nullable=False),
    Index("rollout_curves_by_rollout", "rollout_id", unique=True),
)

TABLE_OF: dict[type, Table] = {
    RobotHealth: robot_health,
    Alarm: alarms,
    RolloutEvidence: rollout_evidence,
    RolloutCurve: rollout_curves,
}
