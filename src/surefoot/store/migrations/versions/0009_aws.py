import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def nth() -> sa.Column[int]:
    return sa.Column("nth", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def upgrade() -> None:
    op.create_table(
        "job_executions",
        nth(),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("robot_id", ID, sa.ForeignKey("robots.robot_id"), nullable=False),
        sa.Column("assignment_id", ID, nullable=False),
        sa.Column("release_id", ID, sa.ForeignKey("releases.release_id"), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("queued_at_s", sa.Double, nullable=False),
        sa.Column("updated_at_s", sa.Double, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("version_number", sa.Integer, nullable=False),
        sa.Column("started_at_s", sa.Double),
        sa.Column("ready_details", sa.Text),
        sa.Column("active", sa.Text, nullable=False),
    )
    op.create_index("job_executions_by_id", "job_executions", ["job_id"], unique=True)
    op.create_index("job_executions_by_robot", "job_executions", ["robot_id", "status", "nth"])
    op.create_table(
        "image_signatures",
        nth(),
        sa.Column("release_id", ID, sa.ForeignKey("releases.release_id"), nullable=False),
        sa.Column("key_id", ID, nullable=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
    )
    op.create_index("image_signatures_by_release", "image_signatures", ["release_id"], unique=True)
    op.create_table(
        "jobs_devices",
        nth(),
        sa.Column("robot_id", ID, sa.ForeignKey("robots.robot_id"), nullable=False),
        sa.Column("since_s", sa.Double, nullable=False),
    )
    op.create_index("jobs_devices_by_robot", "jobs_devices", ["robot_id"], unique=True)


def downgrade() -> None:
    op.drop_table("jobs_devices")
    op.drop_table("image_signatures")
    op.drop_table("job_executions")
