import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def nth() -> sa.Column[int]:
    return sa.Column("nth", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def upgrade() -> None:
    op.create_table(
        "broker_passwords",
        nth(),
        sa.Column("token_sha256", ID, nullable=False),
        sa.Column("robot_id", ID, sa.ForeignKey("robots.robot_id"), nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
    )
    op.create_index("broker_passwords_by_sha256", "broker_passwords", ["token_sha256"], unique=True)
    op.create_table(
        "ended_credentials",
        nth(),
        sa.Column("credential_sha256", ID, nullable=False),
        sa.Column("robot_id", ID, sa.ForeignKey("robots.robot_id"), nullable=False),
        sa.Column("serial", ID),
        sa.Column("ended_at_s", sa.Double, nullable=False),
        sa.Column("expires_at_s", sa.Double),
    )
    op.create_index("ended_credentials_by_sha256", "ended_credentials", ["credential_sha256"], unique=True)
    # Unknown for those issued until now.
    op.add_column("robot_certificates", sa.Column("serial", ID))
    op.add_column("robot_certificates", sa.Column("superseded", sa.Text, nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("robot_certificates", "superseded")
    op.drop_column("robot_certificates", "serial")
    op.drop_table("ended_credentials")
    op.drop_table("broker_passwords")
