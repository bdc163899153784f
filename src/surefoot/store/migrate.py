"""Bring a database to the schema of this code, at start and in one transaction, whichever process comes first."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from surefoot.store.engines import as_ours, schema_engine
from surefoot.wire.errors import Refused


def migrate(url: str) -> None:
    """Upgrade the database to the newest schema; killed in between, it keeps the old one.

    Raises:
        Refused: `refused-schema-newer` when a newer Surefoot made it, `refused-store-url`.
        Interrupted: `interrupted-store` when the database cannot be opened.
    """
    engine = schema_engine(url)
    try:
        with engine.begin() as connection:
            upgrade(connection)
    except DBAPIError as error:
        raise as_ours(error) from error
    finally:
        engine.dispose()


def upgrade(connection: Connection, revision: str | None = None) -> None:
    """Upgrade to a revision, by default the newest, inside the connection's transaction.

    Raises:
        Refused: `refused-schema-newer`.
    """
    config = alembic_config(connection)
    scripts = ScriptDirectory.from_config(config)
    found = set(MigrationContext.configure(connection).get_current_heads())
    if found == set(scripts.get_heads()):
        return
    wanted = set() if revision is None else {revision}
    if unknown := (found | wanted) - {script.revision for script in scripts.walk_revisions()}:
        raise Refused(
            "refused-schema-newer",
            f"The database has the schema {min(unknown)}, which this version does not know: start the newer version.",
        )
    command.upgrade(config, revision or "head")


def current_revision(connection: Connection) -> str:
    """Return the revision of the schema; raise `Refused` (`refused-store-url`) where there is none."""
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        raise Refused("refused-store-url", "No server has used this database yet: name the one that a server uses.")
    return revision


def alembic_config(connection: Connection) -> Config:
    """Return what alembic's commands need to work on this connection."""
    config = Config()
    config.set_main_option("script_location", "surefoot.store:migrations")
    config.attributes["connection"] = connection
    return config
