import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def nth() -> sa.Column[int]:
    return sa.Column("nth", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def upgrade() -> None:
    op.add_column("releases", sa.Column("recalled_at_s", sa.Double))
    op.add_column("rollouts", sa.Column("rolls_back", ID))
    op.create_index("rollouts_by_state", "rollouts", ["state", "nth"])
    op.create_index("rollouts_by_release", "rollouts", ["release_id", "nth"])
    op.add_column("assignments", sa.Column("phase", sa.Integer))
    op.drop_index("assignments_by_rollout_open", "assignments")
    op.create_index("assignments_by_open_rollout", "assignments", ["is_open", "rollout_id"])
    op.create_index("assignments_by_rollout_since", "assignments", ["rollout_id", "status_since_s"])
    create_sending()
    create_incidents()


def create_sending() -> None:
    op.create_table(
        "leases",
        nth(),
        sa.Column("name", ID, nullable=False),
        sa.Column("holder", ID, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
    )
    op.create_index("leases_by_name", "leases", ["name"], unique=True)
    op.create_table(
        "outbox",
        nth(),
        sa.Column("entry_id", ID, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("target", ID, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at_s", sa.Double, nullable=False),
        sa.Column("due_at_s", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("last_error", sa.Text),
    )
    op.create_index("outbox_by_id", "outbox", ["entry_id"], unique=True)
    op.create_index("outbox_by_state", "outbox", ["state", "nth"])
    op.create_index("outbox_by_target", "outbox", ["target"])
    op.create_table(
        "webhooks",
        nth(),
        sa.Column("webhook_id", ID, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("created_at_s", sa.Double, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
    )
    op.create_index("webhooks_by_id", "webhooks", ["webhook_id"], unique=True)


def create_incidents() -> None:
    op.create_table(
        "rollout_changes",
        nth(),
        sa.Column("change_id", ID, nullable=False),
        sa.Column("rollout_id", ID, sa.ForeignKey("rollouts.rollout_id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("phase", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("rollout_changes_by_id", "rollout_changes", ["change_id"], unique=True)
    op.create_index("rollout_changes_by_rollout", "rollout_changes", ["rollout_id", "nth"])
    op.create_index("rollout_changes_by_action", "rollout_changes", ["action", "nth"])
    op.create_table(
        "incidents",
        nth(),
        sa.Column("incident_id", ID, nullable=False),
        sa.Column("rollout_id", ID, sa.ForeignKey("rollouts.rollout_id"), nullable=False),
        sa.Column("release_id", ID, nullable=False),
        sa.Column("opened_at_s", sa.Double, nullable=False),
        sa.Column("opened_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("closed_at_s", sa.Double),
        sa.Column("closed_by", sa.Text),
        sa.Column("closing_reason", sa.Text),
        sa.Column("is_open", sa.Boolean, nullable=False),
    )
    op.create_index("incidents_by_id", "incidents", ["incident_id"], unique=True)
    op.create_index("incidents_by_rollout", "incidents", ["rollout_id", "nth"])
    op.create_index("incidents_by_open", "incidents", ["is_open", "nth"])
    op.create_table(
        "timeline",
        nth(),
        sa.Column("line_id", ID, nullable=False),
        sa.Column("incident_id", ID, sa.ForeignKey("incidents.incident_id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("timeline_by_id", "timeline", ["line_id"], unique=True)
    op.create_index("timeline_by_incident", "timeline", ["incident_id", "nth"])


def downgrade() -> None:
    for table in ("timeline", "incidents", "rollout_changes", "webhooks", "outbox", "leases"):
        op.drop_table(table)
    op.drop_index("assignments_by_rollout_since", "assignments")
    op.drop_index("assignments_by_open_rollout", "assignments")
    op.create_index("assignments_by_rollout_open", "assignments", ["rollout_id", "is_open"])
    op.drop_column("assignments", "phase")
    op.drop_index("rollouts_by_release", "rollouts")
    op.drop_index("rollouts_by_state", "rollouts")
    op.drop_column("rollouts", "rolls_back")
    op.drop_column("releases", "recalled_at_s")
