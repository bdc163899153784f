"""Tables about who leads, what waits to be sent, what became of rollouts, and what went wrong."""

from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKey, Index, Integer, Table, Text

from surefoot.fleet.incidents import Incident, LineKind, TimelineLine
from surefoot.fleet.lease import Lease
from surefoot.fleet.model import RolloutState
from surefoot.fleet.outbox import OutboxEntry, OutboxKind, OutboxState
from surefoot.fleet.rollout_history import RolloutAction, RolloutChange
from surefoot.fleet.webhooks import Webhook
from surefoot.store.columns import ID, Encoded, as_json, metadata, nth
from surefoot.store.tables import rollouts

WORDS = as_json(list, tuple)

leases = Table(
    "leases",
    metadata,
    nth(),
    Column("name", ID, nullable=False),
    Column("holder", ID, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("beat", BigInteger, nullable=False),
    Index("leases_by_name", "name", unique=True),
)

outbox = Table(
    "outbox",
    metadata,
    nth(),
    Column("entry_id", ID, nullable=False),
    Column("kind", Encoded(str, OutboxKind), nullable=False),
    Column("target", ID, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at_s", Double, nullable=False),
    Column("due_at_s", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("state", Encoded(str, OutboxState), nullable=False),
    Column("last_error", Text),
    Index("outbox_by_id", "entry_id", unique=True),
    Index("outbox_by_state", "state", "nth"),
    Index("outbox_by_target", "target"),
)

webhooks = Table(
    "webhooks",
    metadata,
    nth(),
    Column("webhook_id", ID, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", WORDS, nullable=False),
    Column("secret", Text, nullable=False),
    Column("created_at_s", Double, nullable=False),
    Column("created_by", Text, nullable=False),
    Index("webhooks_by_id", "webhook_id", unique=True),
)

rollout_changes = Table(
    "rollout_changes",
    metadata,
    nth(),
    Column("change_id", ID, nullable=False),
    Column("rollout_id", ID, ForeignKey(rollouts.c.rollout_id), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Encoded(str, RolloutAction), nullable=False),
    Column("state", Encoded(str, RolloutState), nullable=False),
    Column("phase", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Index("rollout_changes_by_id", "change_id", unique=True),
    Index("rollout_changes_by_rollout", "rollout_id", "nth"),
    Index("rollout_changes_by_action", "action", "nth"),
)

incidents = Table(
    "incidents",
    metadata,
    nth(),
    Column("incident_id", ID, nullable=False),
    Column("rollout_id", ID, ForeignKey(rollouts.c.rollout_id), nullable=False),
    Column("release_id", ID, nullable=False),
    Column("opened_at_s", Double, nullable=False),
    Column("opened_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("closed_at_s", Double),
    Column("closed_by", Text),
    Column("closing_reason", Text),
    Column("is_open", Boolean, nullable=False),
    Index("incidents_by_id", "incident_id", unique=True),
    Index("incidents_by_rollout", "rollout_id", "nth"),
    Index("incidents_by_open", "is_open", "nth"),
)

timeline = Table(
    "timeline",
    metadata,
    nth(),
    Column("line_id", ID, nullable=False),
    Column("incident_id", ID, ForeignKey(incidents.c.incident_id), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("who", Text, nullable=False),
    Column("kind", Encoded(str, LineKind), nullable=False),
    Column("text", Text, nullable=False),
    Index("timeline_by_id", "line_id", unique=True),
    Index("timeline_by_incident", "incident_id", "nth"),
)

TABLE_OF: dict[type, Table] = {
    Lease: leases,
    OutboxEntry: outbox,
    Webhook: webhooks,
    RolloutChange: rollout_changes,
    Incident: incidents,
    TimelineLine: timeline,
}
