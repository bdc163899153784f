import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def nth() -> sa.Column[int]:
    return sa.Column("nth", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def upgrade() -> None:
    # Rollouts of before have no ramp.
    op.add_column("rollouts", sa.Column("offers_max", sa.BigInteger))
    op.create_table(
        "approvals",
        nth(),
        sa.Column("approval_id", ID, nullable=False),
        sa.Column("rollout_id", ID, sa.ForeignKey("rollouts.rollout_id"), nullable=False),
        sa.Column("phase", sa.Integer, nullable=False),
        sa.Column("approved_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("approved_at_s", sa.Double, nullable=False),
    )
    op.create_index("approvals_by_id", "approvals", ["approval_id"], unique=True)
    op.create_index("approvals_by_rollout", "approvals", ["rollout_id", "nth"])
    op.create_table(
        "pins",
        nth(),
        sa.Column("robot_id", ID, sa.ForeignKey("robots.robot_id"), nullable=False),
        sa.Column("release_id", ID, sa.ForeignKey("releases.release_id")),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("pinned_by", sa.Text, nullable=False),
        sa.Column("pinned_at_s", sa.Double, nullable=False),
    )
    op.create_index("pins_by_robot", "pins", ["robot_id"], unique=True)
    op.create_table(
        "robot_zones",
        nth(),
        sa.Column("robot_id", ID, sa.ForeignKey("robots.robot_id"), nullable=False),
        sa.Column("zone", sa.Text, nullable=False),
    )
    op.create_index("robot_zones_by_robot", "robot_zones", ["robot_id"], unique=True)


def downgrade() -> None:
    op.drop_table("robot_zones")
    op.drop_table("pins")
    op.drop_table("approvals")
    op.drop_column("rollouts", "offers_max")
