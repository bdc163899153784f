import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def nth() -> sa.Column[int]:
    return sa.Column("nth", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def upgrade() -> None:
    create_robots()
    create_releases()
    create_rollouts()


def create_robots() -> None:
    op.create_table(
        "robots",
        sa.Column("robot_id", ID, primary_key=True),
        sa.Column("sku", ID, nullable=False),
        sa.Column("token_sha256", ID, nullable=False),
        sa.Column("enrolled_at_s", sa.Double, nullable=False),
    )
    op.create_index("robots_by_token", "robots", ["token_sha256"], unique=True)
    op.create_index("robots_by_sku", "robots", ["sku", "robot_id"])
    op.create_table(
        "facts",
        sa.Column("robot_id", ID, sa.ForeignKey("robots.robot_id"), primary_key=True),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("received_at_s", sa.Double, nullable=False),
        sa.Column("heard_at_s", sa.Double, nullable=False),
        sa.Column("past_epochs", sa.Text, nullable=False),
        sa.Column("epoch", ID, nullable=False),
        sa.Column("boot", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("running_digest", ID),
        sa.Column("running_version", ID),
    )
    op.create_table(
        "history",
        nth(),
        sa.Column("robot_id", ID, sa.ForeignKey("robots.robot_id"), nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("kind", ID, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("history_by_robot", "history", ["robot_id", "nth"])


def create_releases() -> None:
    op.create_table(
        "keys",
        nth(),
        sa.Column("key_id", ID, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("public_key_xy", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("added_at_s", sa.Double, nullable=False),
    )
    op.create_index("keys_by_id", "keys", ["key_id"], unique=True)
    op.create_table(
        "releases",
        nth(),
        sa.Column("release_id", ID, nullable=False),
        sa.Column("sku", ID, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("sha256", ID, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("digest", ID, nullable=False),
        sa.Column("key_id", ID, sa.ForeignKey("keys.key_id"), nullable=False),
        sa.Column("manifest", sa.Text, nullable=False),
        sa.Column("published_at_s", sa.Double, nullable=False),
        sa.Column("stable", sa.Boolean, nullable=False),
    )
    op.create_index("releases_by_id", "releases", ["release_id"], unique=True)
    op.create_index("releases_by_sha256", "releases", ["sha256"])


def create_rollouts() -> None:
    op.create_table(
        "rollouts",
        nth(),
        sa.Column("rollout_id", ID, nullable=False),
        sa.Column("release_id", ID, sa.ForeignKey("releases.release_id"), nullable=False),
        sa.Column("sku", ID, nullable=False),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("phase", sa.Integer, nullable=False),
        sa.Column("phase_opened_at_s", sa.Double, nullable=False),
        sa.Column("started_at_s", sa.Double, nullable=False),
        sa.Column("looked_at_s", sa.Double, nullable=False),
        sa.Column("watched_since_s", sa.Double, nullable=False),
        sa.Column("soaked_s", sa.Double, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("rollouts_by_id", "rollouts", ["rollout_id"], unique=True)
    op.create_index("rollouts_by_sku", "rollouts", ["sku", "nth"])
    op.create_table(
        "assignments",
        nth(),
        sa.Column("assignment_id", ID, nullable=False),
        sa.Column("rollout_id", ID, sa.ForeignKey("rollouts.rollout_id"), nullable=False),
        sa.Column("release_id", ID, sa.ForeignKey("releases.release_id"), nullable=False),
        sa.Column("robot_id", ID, sa.ForeignKey("robots.robot_id"), nullable=False),
        sa.Column("assigned_at_s", sa.Double, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("code", sa.Text),
        sa.Column("status_since_s", sa.Double, nullable=False),
        sa.Column("installed_at_s", sa.Double),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("force", sa.Boolean, nullable=False),
        sa.Column("rollback", sa.Boolean, nullable=False),
    )
    op.create_index("assignments_by_id", "assignments", ["assignment_id"], unique=True)
    op.create_index("assignments_by_rollout_robot", "assignments", ["rollout_id", "robot_id"], unique=True)
    op.create_index("assignments_by_robot", "assignments", ["robot_id", "nth"])
    op.create_index("assignments_by_rollout_status", "assignments", ["rollout_id", "status"])
    op.create_index("assignments_by_rollout_open", "assignments", ["rollout_id", "is_open"])


def downgrade() -> None:
    for table in ("assignments", "rollouts", "releases", "keys", "history", "facts", "robots"):
        op.drop_table(table)
