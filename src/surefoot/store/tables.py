"""The tables: one per value of `fleet.model`, with the same names, on SQLite and PostgreSQL alike.

Words are persisted by value, never by position. `nth` numbers rows in the order they were first stored: what is newest
is read from it, since a server's clock can step back.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKey, Index, Integer, LargeBinary, Table, Text

from surefoot.fleet.model import KeyState, RolloutState, Status
from surefoot.rollout.plan_format import plan_from_object, plan_to_object
from surefoot.store.columns import ID, Encoded, as_json, metadata, nth
from surefoot.wire.manifest import signed_manifest_from_object, signed_manifest_to_object
from surefoot.wire.report import report_from_object, report_to_object
from surefoot.wire.version import Version

VERSION = Encoded(str, Version.parse)
REPORT = as_json(report_to_object, report_from_object)
MANIFEST = as_json(signed_manifest_to_object, signed_manifest_from_object, often=True)
PLAN = as_json(plan_to_object, plan_from_object, often=True)
EPOCHS = as_json(list, tuple)

robots = Table(
    "robots",
    metadata,
    Column("robot_id", ID, primary_key=True),
    Column("sku", ID, nullable=False),
    Column("token_sha256", ID, nullable=False),
    Column("enrolled_at_s", Double, nullable=False),
    Index("robots_by_token", "token_sha256", unique=True),
    Index("robots_by_sku", "sku", "robot_id"),
)

# The columns after past_epochs repeat what the report says, for queries.
facts = Table(
    "facts",
    metadata,
    Column("robot_id", ID, ForeignKey(robots.c.robot_id), primary_key=True),
    Column("report", REPORT, nullable=False),
    Column("received_at_s", Double, nullable=False),
    Column("past_epochs", EPOCHS, nullable=False),
    Column("epoch", ID, nullable=False),
    Column("boot", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("running_digest", ID),
    Column("running_version", ID),
    Column("takes_deltas", Boolean),
)

# When robots last said anything, for those that have facts: so much of them changes all the time that it has a narrow
# table of its own, where a page holds a hundred robots.
heard = Table(
    "heard",
    metadata,
    Column("robot_id", ID, ForeignKey(robots.c.robot_id), primary_key=True),
    Column("heard_at_s", Double, nullable=False),
    sqlite_with_rowid=False,
)

history = Table(
    "history",
    metadata,
    nth(),
    Column("robot_id", ID, ForeignKey(robots.c.robot_id), nullable=False),
    Column("at_s", Double, nullable=False),
    Column("kind", ID, nullable=False),
    Column("text", Text, nullable=False),
    Index("history_by_robot", "robot_id", "nth"),
)

keys = Table(
    "keys",
    metadata,
    nth(),
    Column("key_id", ID, nullable=False),
    Column("name", Text, nullable=False),
    Column("public_key_xy", LargeBinary, nullable=False),
    Column("state", Encoded(str, KeyState), nullable=False),
    Column("added_at_s", Double, nullable=False),
    Index("keys_by_id", "key_id", unique=True),
)

releases = Table(
    "releases",
    metadata,
    nth(),
    Column("release_id", ID, nullable=False),
    Column("sku", ID, nullable=False),
    Column("version", VERSION, nullable=False),
    Column("sha256", ID, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("digest", ID, nullable=False),
    Column("key_id", ID, ForeignKey(keys.c.key_id), nullable=False),
    Column("manifest", MANIFEST, nullable=False),
    Column("published_at_s", Double, nullable=False),
    Column("stable", Boolean, nullable=False),
    Column("recalled_at_s", Double),
    Column("format", ID, nullable=False),
    Index("releases_by_id", "release_id", unique=True),
    Index("releases_by_sha256", "sha256"),
    Index("releases_by_sku_version", "sku", "version"),
)

rollouts = Table(
    "rollouts",
    metadata,
    nth(),
    Column("rollout_id", ID, nullable=False),
    Column("release_id", ID, ForeignKey(releases.c.release_id), nullable=False),
    Column("sku", ID, nullable=False),
    Column("plan", PLAN, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("state", Encoded(str, RolloutState), nullable=False),
    Column("phase", Integer, nullable=False),
    Column("phase_opened_at_s", Double, nullable=False),
    Column("started_at_s", Double, nullable=False),
    Column("looked_at_s", Double, nullable=False),
    Column("watched_since_s", Double, nullable=False),
    Column("soaked_s", Double, nullable=False),
    Column("reason", Text, nullable=False),
    Column("rolls_back", ID),
    Column("offers_max", BigInteger),
    Column("only_robot_id", ID),
    Column("force", Boolean, nullable=False),
    Index("rollouts_by_id", "rollout_id", unique=True),
    Index("rollouts_by_sku", "sku", "nth"),
    Index("rollouts_by_sku_robot", "sku", "only_robot_id", "nth"),
    Index("rollouts_by_state", "state", "nth"),
    Index("rollouts_by_release", "release_id", "nth"),
)

assignments = Table(
    "assignments",
    metadata,
    nth(),
    Column("assignment_id", ID, nullable=False),
    Column("rollout_id", ID, ForeignKey(rollouts.c.rollout_id), nullable=False),
    Column("release_id", ID, ForeignKey(releases.c.release_id), nullable=False),
    Column("robot_id", ID, ForeignKey(robots.c.robot_id), nullable=False),
    Column("assigned_at_s", Double, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status", Encoded(str, Status), nullable=False),
    Column("code", Text),
    Column("status_since_s", Double, nullable=False),
    Column("installed_at_s", Double),
    Column("is_open", Boolean, nullable=False),
    Column("force", Boolean, nullable=False),
    Column("rollback", Boolean, nullable=False),
    Column("phase", Integer),
    Column("downloading_since_s", Double),
    Column("download_s", Double),
    Index("assignments_by_id", "assignment_id", unique=True),
    Index("assignments_by_rollout_robot", "rollout_id", "robot_id", unique=True),
    Index("assignments_by_robot", "robot_id", "nth"),
    Index("assignments_by_rollout_status", "rollout_id", "status"),
    Index("assignments_by_rollout_since", "rollout_id", "status_since_s"),
    Index("assignments_by_open_rollout", "is_open", "rollout_id"),
)
