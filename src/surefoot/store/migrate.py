"""Bring a database to the schema of this code, at start and in one transaction."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from surefoot.store.engines import as_ours, writing_engine
from surefoot.wire.errors import Refused


def migrate(url: str) -> None:
    """Upgrade the database to the newest schema; killed in between, it keeps the old one.

    Raises:
        Refused: `refused-schema-newer` when a newer Surefoot made it, `refused-store-url`.
        Interrupted: `interrupted-store` when the database cannot be opened.
    """
    engine = writing_engine(url)
    try:
        with engine.begin() as connection:
            upgrade(connection)
    except DBAPIError as error:
        raise as_ours(error) from error
    finally:
        engine.dispose()


def upgrade(connection: Connection) -> None:
    """Upgrade inside the connection's transaction; raise `Refused` (`refused-schema-newer`)."""
    config = alembic_config(connection)
    scripts = ScriptDirectory.from_config(config)
    found = set(MigrationContext.configure(connection).get_current_heads())
    if found == set(scripts.get_heads()):
        return
    if unknown := found - {script.revision for script in scripts.walk_revisions()}:
        raise Refused(
            "refused-schema-newer",
            f"The database has the schema {min(unknown)}, which this version does not know: start the newer version.",
        )
    command.upgrade(config, "head")


def alembic_config(connection: Connection) -> Config:
    """Return what alembic's commands need to work on this connection."""
    config = Config()
    config.set_main_option("script_location", "surefoot.store:migrations")
    config.attributes["connection"] = connection
    return config
