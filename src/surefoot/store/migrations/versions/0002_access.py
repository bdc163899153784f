import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def nth() -> sa.Column[int]:
    return sa.Column("nth", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def upgrade() -> None:
    create_accounts()
    create_sign_ins()
    create_audit()


def create_accounts() -> None:
    op.create_table(
        "accounts",
        nth(),
        sa.Column("name", ID, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("password_phc", sa.Text),
        sa.Column("subject", ID),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("created_at_s", sa.Double, nullable=False),
    )
    op.create_index("accounts_by_name", "accounts", ["name"], unique=True)
    op.create_index("accounts_by_subject", "accounts", ["subject"], unique=True)
    op.create_table(
        "api_tokens",
        nth(),
        sa.Column("token_sha256", ID, nullable=False),
        sa.Column("token_id", ID, nullable=False),
        sa.Column("account", ID, sa.ForeignKey("accounts.name"), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at_s", sa.Double, nullable=False),
        sa.Column("expires_at_s", sa.Double, nullable=False),
        sa.Column("revoked_at_s", sa.Double),
        sa.Column("used_at_s", sa.Double),
    )
    op.create_index("api_tokens_by_sha256", "api_tokens", ["token_sha256"], unique=True)
    op.create_index("api_tokens_by_id", "api_tokens", ["token_id"], unique=True)
    op.create_index("api_tokens_by_account", "api_tokens", ["account", "nth"])
    op.create_table(
        "sessions",
        nth(),
        sa.Column("cookie_sha256", ID, nullable=False),
        sa.Column("account", ID, sa.ForeignKey("accounts.name"), nullable=False),
        sa.Column("started_at_s", sa.Double, nullable=False),
        sa.Column("used_at_s", sa.Double, nullable=False),
    )
    op.create_index("sessions_by_cookie", "sessions", ["cookie_sha256"], unique=True)
    op.create_index("sessions_by_account", "sessions", ["account", "nth"])


def create_sign_ins() -> None:
    op.create_table(
        "attempts",
        nth(),
        sa.Column("subject", ID, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("since_s", sa.Double, nullable=False),
    )
    op.create_index("attempts_by_subject", "attempts", ["subject"], unique=True)
    op.create_table(
        "sign_ins",
        nth(),
        sa.Column("state_sha256", ID, nullable=False),
        sa.Column("browser_sha256", ID, nullable=False),
        sa.Column("nonce", sa.Text, nullable=False),
        sa.Column("code_verifier", sa.Text, nullable=False),
        sa.Column("begun_at_s", sa.Double, nullable=False),
    )
    op.create_index("sign_ins_by_state", "sign_ins", ["state_sha256"], unique=True)


def create_audit() -> None:
    op.create_table(
        "audit",
        nth(),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.Column("action", ID, nullable=False),
        sa.Column("target", ID, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("previous_sha256", ID, nullable=False),
        sa.Column("sha256", ID, nullable=False),
    )
    op.create_index("audit_by_number", "audit", ["number"], unique=True)
    for column in ("actor", "action", "target"):
        op.create_index(f"audit_by_{column}", "audit", [column, "nth"])


def downgrade() -> None:
    for table in ("audit", "sign_ins", "attempts", "sessions", "api_tokens", "accounts"):
        op.drop_table(table)
