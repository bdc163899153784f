"""Connections as the store needs them: durable before they are fast, and with transactions that really begin."""

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from surefoot.wire.errors import Damaged, Interrupted, Misuse, Refused

# FULL syncs the log at every commit; WAL's default of NORMAL could lose acknowledged rows with the power.
SQLITE_PRAGMAS = ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")


def writing_engine(url: str) -> Engine:
    """Return an engine whose transactions own the right to write from their first moment.

    Raises:
        Refused: `refused-store-url` when the database would be gone with the process.
    """
    return _engine(url, "BEGIN IMMEDIATE")


def reading_engine(url: str) -> Engine:
    """Return an engine whose transactions see one state of the database; raise as `writing_engine`."""
    return _engine(url, "BEGIN DEFERRED")


def as_ours(error: BaseException) -> BaseException:
    """Say a database's error in our words; return any other unchanged."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    match error:
        case IntegrityError():
            ours: BaseException = Misuse(
                "misuse-rows", f"Rows contradict each other: store what they refer to. {cause}"
            )
        case OperationalError():
            ours = Interrupted("interrupted-store", f"The database did not answer: see to it and retry. {cause}")
        case DBAPIError():
            ours = Damaged("damaged-store", f"The database cannot be read: restore it from a backup. {cause}")
        case _:
            return error
    ours.__cause__ = error
    return ours


def _engine(url: str, begin: str) -> Engine:
    parsed = make_url(url)
    engine = create_engine(parsed)
    if engine.dialect.name != "sqlite":
        return engine
    if parsed.database in {None, "", ":memory:"}:
        raise Refused("refused-store-url", "The database has no file and would be forgotten: name one.")

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
