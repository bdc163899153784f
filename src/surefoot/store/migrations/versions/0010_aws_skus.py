import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("jobs_devices", sa.Column("sku", ID, nullable=False, server_default=""))
    op.execute("UPDATE jobs_devices SET sku = (SELECT sku FROM robots WHERE robots.robot_id = jobs_devices.robot_id)")
    op.create_index("jobs_devices_by_sku", "jobs_devices", ["sku", "nth"])


def downgrade() -> None:
    op.drop_index("jobs_devices_by_sku", "jobs_devices")
    op.drop_column("jobs_devices", "sku")
