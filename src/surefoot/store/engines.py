"""Connections as the store needs them: durable before they are fast, and with transactions that really begin.

Each database has its way to keep writers apart. On SQLite a writing transaction owns the right to write from its first
moment. On PostgreSQL it is serializable, and `take_turn` says whether others may write beside it. PostgreSQL's driver
is loaded where it is used: servers on SQLite start without it.
"""

# ruff: noqa: PLC0415 - see above

from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import ConnectionPoolEntry

from surefoot.wire.errors import Damaged, Interrupted, Misuse, Refused

if TYPE_CHECKING:
    from psycopg import Connection as PostgresConnection

# FULL syncs the log at every commit; WAL's default of NORMAL could lose acknowledged rows with the power.
SQLITE_PRAGMAS = ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
POSTGRES_NAMES = ("postgresql", "postgres", "postgresql+psycopg")
# A transaction whose process hangs would hold up every other process: the server ends it.
POSTGRES_IDLE_S_MAX = 30
# Readers that wait for a connection wait for each other; this many threads never do.
READERS_MAX = 64
# The one table that every schema has and no work writes, so that locking it stops other writers and nobody else.
_TURNS = "alembic_version"
# Any number that every process agrees on and no other program on this database uses.
_MIGRATION_LOCK = 0x5EF007


def writing_engine(url: str) -> Engine:
    """Return an engine for transactions that write.

    Raises:
        Refused: `refused-store-url` when it names no database, or one that would be gone with the process.
    """
    return _engine(url, "BEGIN IMMEDIATE", "SERIALIZABLE")


def reading_engine(url: str) -> Engine:
    """Return an engine whose transactions see one state of the database; raise as `writing_engine`."""
    return _engine(url, "BEGIN DEFERRED", "REPEATABLE_READ")


def schema_engine(url: str) -> Engine:
    """Return an engine whose transactions change the schema, one process at a time; raise as `writing_engine`."""
    engine = _engine(url, "BEGIN IMMEDIATE", "READ_COMMITTED")
    if engine.dialect.name == "postgresql":

        @event.listens_for(engine, "begin")
        def one_at_a_time(connection: Connection) -> None:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")

    return engine


def take_turn(connection: Connection, *, alone: bool) -> None:
    """Begin to write, `alone` or beside other processes; has to come before the transaction reads anything.

    On PostgreSQL a transaction that is not alone may be told at any statement to try again; one that is alone may not.
    LOCK TABLE fixes no view of the database yet, so what waited for its turn sees all that was written before it.
    """
    if connection.dialect.name != "postgresql":
        return
    mode = "EXCLUSIVE" if alone else "ROW SHARE"
    # A server may be set to acknowledge before it is durable.
    connection.exec_driver_sql(
        f"SET LOCAL synchronous_commit = on; SET LOCAL idle_in_transaction_session_timeout = '{POSTGRES_IDLE_S_MAX}s';"
        f" LOCK TABLE {_TURNS} IN {mode} MODE"
    )


def is_lost(connection: Connection) -> bool:
    """Whether PostgreSQL gave the transaction up: it would take a commit without a word, and write nothing."""
    if connection.dialect.name != "postgresql":
        return False
    from psycopg.pq import TransactionStatus

    driver = cast("PostgresConnection", connection.connection.dbapi_connection)
    return driver.info.transaction_status is TransactionStatus.INERROR


def must_try_again(error: DBAPIError) -> bool:
    """Whether PostgreSQL gave way to another process: nothing was written, and trying again is the remedy."""
    return getattr(error.orig, "sqlstate", None) in {"40001", "40P01"}


def said_by(error: BaseException | None) -> str:
    """Return the database's own word for what went wrong; the lines behind the first may repeat what was in a row."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return "" if cause is None else str(cause).partition("\n")[0]


def as_ours(error: BaseException) -> BaseException:
    """Say a database's error in our words; return any other unchanged."""
    said = said_by(error)
    unreachable = Interrupted("interrupted-store", f"The database did not answer: see to it and retry. {said}")
    match error:
        case IntegrityError() | DataError():
            ours: BaseException = Misuse("misuse-rows", f"Rows contradict each other: store what they refer to. {said}")
        case OperationalError() | NoConnectionFree():
            ours = unreachable
        case DBAPIError() if error.connection_invalidated:
            ours = unreachable
        case DBAPIError():
            ours = Damaged("damaged-store", f"The database cannot be read: restore it from a backup. {said}")
        case _:
            return error
    ours.__cause__ = error
    return ours


def _engine(url: str, begin: str, isolation: str) -> Engine:
    parsed = _parse(url)
    engine = create_engine(parsed, pool_size=8, max_overflow=READERS_MAX - 8)
    event.listen(engine, "before_cursor_execute", _make_storable, retval=True)
    if engine.dialect.name == "postgresql":
        from psycopg import IsolationLevel

        @event.listens_for(engine, "connect")
        def isolate(connection: "PostgresConnection", _entry: ConnectionPoolEntry) -> None:
            connection.isolation_level = IsolationLevel[isolation]
            connection.read_only = isolation == "REPEATABLE_READ"

        return engine

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # Left to itself sqlite3 begins transactions late: not before a SAVEPOINT, a SELECT or a CREATE TABLE.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in SQLITE_PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin_now(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _make_storable(
    _connection: Connection, _cursor: object, statement: str, parameters: Any, _context: object, executemany: bool
) -> tuple[str, Any]:
    """Replace what no database stores in a text, or a stranger's odd name would be our error and not a name unknown."""
    if executemany:
        return statement, [_storable_row(row) for row in parameters]
    return statement, _storable_row(parameters)


def _storable_row(row: Any) -> Any:
    if isinstance(row, dict):
        return {name: storable(value) for name, value in row.items()}
    return tuple(map(storable, row))


def storable(value: Any) -> Any:
    """Return a text with what no database stores in one replaced; anything else unchanged."""
    if not isinstance(value, str):
        return value
    if "\0" in value:
        value = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    # Half a character, which JSON can say and UTF-8 cannot, becomes a question mark.
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def _parse(url: str) -> URL:
    """Return the parts of a database's address; its text may hold a password, so errors don't repeat it."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Refused(
            "refused-store-url", "The database's address is none: write sqlite:///FILE or postgresql://HOST/NAME."
        ) from None
    if parsed.drivername in POSTGRES_NAMES:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername != "sqlite":
        raise Refused("refused-store-url", f"{parsed.drivername} is no database of ours: name sqlite or postgresql.")
    if parsed.database in {None, "", ":memory:"}:
        raise Refused("refused-store-url", "The database has no file and would be forgotten: name one.")
    return parsed
