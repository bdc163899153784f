import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assignments", sa.Column("downloading_since_s", sa.Double))
    op.add_column("assignments", sa.Column("download_s", sa.Double))


def downgrade() -> None:
    op.drop_column("assignments", "download_s")
    op.drop_column("assignments", "downloading_since_s")
