import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def nth() -> sa.Column[int]:
    return sa.Column("nth", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def upgrade() -> None:
    op.create_table(
        "robot_health",
        nth(),
        sa.Column("robot_id", ID, sa.ForeignKey("robots.robot_id"), nullable=False),
        sa.Column("sku", ID, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("sums", sa.Text, nullable=False),
        sa.Column("signs", sa.Text, nullable=False),
    )
    op.create_index("robot_health_by_robot", "robot_health", ["robot_id"], unique=True)
    op.create_index("robot_health_by_sku", "robot_health", ["sku", "nth"])
    op.create_table(
        "alarms",
        nth(),
        sa.Column("alarm_id", ID, nullable=False),
        sa.Column("rollout_id", ID, sa.ForeignKey("rollouts.rollout_id"), nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("robot_ids", sa.Text, nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
    )
    op.create_index("alarms_by_id", "alarms", ["alarm_id"], unique=True)
    op.create_index("alarms_by_rollout", "alarms", ["rollout_id", "nth"])
    op.create_table(
        "rollout_evidence",
        nth(),
        sa.Column("rollout_id", ID, sa.ForeignKey("rollouts.rollout_id"), nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("phases_opened", sa.Integer, nullable=False),
        sa.Column("quarter", sa.BigInteger, nullable=False),
        sa.Column("hears", sa.Boolean, nullable=False),
        sa.Column("fed_until_s", sa.Double, nullable=False),
        sa.Column("accepted", sa.Text, nullable=False),
    )
    op.create_index("rollout_evidence_by_rollout", "rollout_evidence", ["rollout_id"], unique=True)
    op.create_table(
        "rollout_curves",
        nth(),
        sa.Column("rollout_id", ID, sa.ForeignKey("rollouts.rollout_id"), nullable=False),
        sa.Column("points", sa.Text, nullable=False),
    )
    op.create_index("rollout_curves_by_rollout", "rollout_curves", ["rollout_id"], unique=True)


def downgrade() -> None:
    op.drop_table("rollout_curves")
    op.drop_table("rollout_evidence")
    op.drop_table("alarms")
    op.drop_table("robot_health")
