import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("rollouts", sa.Column("only_robot_id", ID))
    op.add_column("rollouts", sa.Column("force", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("rollouts_by_sku_robot", "rollouts", ["sku", "only_robot_id", "nth"])


def downgrade() -> None:
    op.drop_index("rollouts_by_sku_robot", "rollouts")
    op.drop_column("rollouts", "force")
    op.drop_column("rollouts", "only_robot_id")
