import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def nth() -> sa.Column[int]:
    return sa.Column("nth", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def upgrade() -> None:
    op.create_table(
        "metadata_files",
        nth(),
        sa.Column("name", ID, nullable=False),
        sa.Column("role", ID, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("stored_at_s", sa.Double, nullable=False),
    )
    op.create_index("metadata_files_by_name", "metadata_files", ["name"], unique=True)
    op.create_index("metadata_files_by_role", "metadata_files", ["role", "nth"])
    # Until now every release was a ROBO image.
    op.add_column("releases", sa.Column("format", ID, nullable=False, server_default="robo"))
    op.create_index("releases_by_sku_version", "releases", ["sku", "version"])
    op.create_table(
        "deltas",
        nth(),
        sa.Column("delta_id", ID, nullable=False),
        sa.Column("release_id", ID, nullable=False),
        sa.Column("source_digest", ID, nullable=False),
        sa.Column("sha256", ID),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("built_at_s", sa.Double, nullable=False),
    )
    op.create_index("deltas_by_id", "deltas", ["delta_id"], unique=True)
    op.create_index("deltas_by_sha256", "deltas", ["sha256"])
    op.create_table(
        "rotations",
        nth(),
        sa.Column("rotation_id", ID, nullable=False),
        sa.Column("old_key_id", ID, sa.ForeignKey("keys.key_id"), nullable=False),
        sa.Column("new_key_id", ID, sa.ForeignKey("keys.key_id")),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("started_by", sa.Text, nullable=False),
        sa.Column("started_at_s", sa.Double, nullable=False),
        sa.Column("transitions", sa.Text, nullable=False),
        sa.Column("exclusions", sa.Text, nullable=False),
        sa.Column("ended_by", sa.Text),
        sa.Column("ended_at_s", sa.Double),
        sa.Column("ended_from", sa.Text),
        sa.Column("ended_reason", sa.Text),
    )
    op.create_index("rotations_by_id", "rotations", ["rotation_id"], unique=True)
    op.create_index("rotations_by_old_key", "rotations", ["old_key_id"], unique=True)
    # Nothing until a robot's next report.
    op.add_column("facts", sa.Column("takes_deltas", sa.Boolean))


def downgrade() -> None:
    op.drop_column("facts", "takes_deltas")
    op.drop_table("rotations")
    op.drop_table("deltas")
    op.drop_index("releases_by_sku_version", "releases")
    op.drop_column("releases", "format")
    op.drop_table("metadata_files")
