"""Tables about who may operate the fleet, by which means, and what each of them did."""

from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKey, Index, Table, Text

from surefoot.fleet.access import Account, ApiToken, Attempts, Permission, Role, Session, SignIn
from surefoot.fleet.audit import Entry
from surefoot.store.columns import ID, Encoded, as_json, metadata, nth

PLAIN = as_json(lambda value: value, lambda value: value)
SCOPES = as_json(list, lambda words: tuple(map(Permission, words)))

accounts = Table(
    "accounts",
    metadata,
    nth(),
    Column("name", ID, nullable=False),
    Column("role", Encoded(str, Role), nullable=False),
    Column("password_phc", Text),
    Column("subject", ID),
    Column("disabled", Boolean, nullable=False),
    Column("created_at_s", Double, nullable=False),
    Index("accounts_by_name", "name", unique=True),
    Index("accounts_by_subject", "subject", unique=True),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    nth(),
    Column("token_sha256", ID, nullable=False),
    Column("token_id", ID, nullable=False),
    Column("account", ID, ForeignKey(accounts.c.name), nullable=False),
    Column("label", Text, nullable=False),
    Column("scopes", SCOPES, nullable=False),
    Column("created_at_s", Double, nullable=False),
    Column("expires_at_s", Double, nullable=False),
    Column("revoked_at_s", Double),
    Column("used_at_s", Double),
    Index("api_tokens_by_sha256", "token_sha256", unique=True),
    Index("api_tokens_by_id", "token_id", unique=True),
    Index("api_tokens_by_account", "account", "nth"),
)

sessions = Table(
    "sessions",
    metadata,
    nth(),
    Column("cookie_sha256", ID, nullable=False),
    Column("account", ID, ForeignKey(accounts.c.name), nullable=False),
    Column("started_at_s", Double, nullable=False),
    Column("used_at_s", Double, nullable=False),
    Index("sessions_by_cookie", "cookie_sha256", unique=True),
    Index("sessions_by_account", "account", "nth"),
)

# One row for each account and address that tried lately, so that the limit holds across server processes.
attempts = Table(
    "attempts",
    metadata,
    nth(),
    Column("subject", ID, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("since_s", Double, nullable=False),
    Index("attempts_by_subject", "subject", unique=True),
)

# Logins that a browser began at the identity provider and has not come back from.
sign_ins = Table(
    "sign_ins",
    metadata,
    nth(),
    Column("state_sha256", ID, nullable=False),
    Column("browser_sha256", ID, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("code_verifier", Text, nullable=False),
    Column("begun_at_s", Double, nullable=False),
    Index("sign_ins_by_state", "state_sha256", unique=True),
)

audit = Table(
    "audit",
    metadata,
    nth(),
    Column("number", BigInteger, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("actor", ID, nullable=False),
    Column("action", ID, nullable=False),
    Column("target", ID, nullable=False),
    Column("before", PLAIN),
    Column("after", PLAIN),
    Column("reason", PLAIN),
    Column("previous_sha256", ID, nullable=False),
    Column("sha256", ID, nullable=False),
    Index("audit_by_number", "number", unique=True),
    Index("audit_by_actor", "actor", "nth"),
    Index("audit_by_action", "action", "nth"),
    Index("audit_by_target", "target", "nth"),
)

TABLE_OF: dict[type, Table] = {
    Account: accounts,
    ApiToken: api_tokens,
    Session: sessions,
    Attempts: attempts,
    SignIn: sign_ins,
    Entry: audit,
}
