import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def nth() -> sa.Column[int]:
    return sa.Column("nth", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def upgrade() -> None:
    op.create_table(
        "enrolment_codes",
        nth(),
        sa.Column("code_sha256", ID, nullable=False),
        sa.Column("robot_id", ID, nullable=False),
        sa.Column("sku", ID, nullable=False),
        sa.Column("made_at_s", sa.Double, nullable=False),
        sa.Column("expires_at_s", sa.Double, nullable=False),
        sa.Column("used_at_s", sa.Double),
    )
    op.create_index("enrolment_codes_by_sha256", "enrolment_codes", ["code_sha256"], unique=True)
    op.create_index("enrolment_codes_by_robot", "enrolment_codes", ["robot_id"])
    op.create_table(
        "robot_certificates",
        nth(),
        sa.Column("certificate_sha256", ID, nullable=False),
        sa.Column("robot_id", ID, sa.ForeignKey("robots.robot_id"), nullable=False),
        sa.Column("issued_at_s", sa.Double, nullable=False),
        sa.Column("expires_at_s", sa.Double, nullable=False),
    )
    op.create_index("robot_certificates_by_sha256", "robot_certificates", ["certificate_sha256"], unique=True)
    op.create_index("robot_certificates_by_robot", "robot_certificates", ["robot_id"])
    op.create_table(
        "downloads",
        nth(),
        sa.Column("robot_id", ID, sa.ForeignKey("robots.robot_id"), nullable=False),
        sa.Column("day", sa.BigInteger, nullable=False),
        sa.Column("files", sa.Text, nullable=False),
    )
    op.create_index("downloads_by_robot", "downloads", ["robot_id"], unique=True)
    op.create_table(
        "generations",
        nth(),
        sa.Column("name", ID, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.create_index("generations_by_name", "generations", ["name"], unique=True)
    op.create_table(
        "heard",
        sa.Column("robot_id", ID, sa.ForeignKey("robots.robot_id"), primary_key=True),
        sa.Column("heard_at_s", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO heard (robot_id, heard_at_s) SELECT robot_id, heard_at_s FROM facts")
    op.drop_column("facts", "heard_at_s")


def downgrade() -> None:
    op.add_column("facts", sa.Column("heard_at_s", sa.Double, nullable=False, server_default="0"))
    op.execute("UPDATE facts SET heard_at_s = (SELECT heard_at_s FROM heard WHERE heard.robot_id = facts.robot_id)")
    for table in ("heard", "generations", "downloads", "robot_certificates", "enrolment_codes"):
        op.drop_table(table)
