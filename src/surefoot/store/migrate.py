"""Bring a database to the schema of this code, at start and in one transaction, whichever process comes first.

Alembic takes longer to load than everything else here takes, and most starts find the newest schema: they do without.
"""

# ruff: noqa: PLC0415 - see above

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from surefoot.store.engines import as_ours, schema_engine
from surefoot.wire.errors import Refused

if TYPE_CHECKING:
    from alembic.config import Config

_REVISIONS = "alembic_version"
_VERSIONS = Path(__file__).parent / "migrations" / "versions"


def migrate(url: str) -> None:
    """Upgrade the database to the newest schema; killed in between, it keeps the old one.

    Raises:
        Refused: `refused-schema-newer` when a newer Surefoot made it, `refused-store-url`.
        Interrupted: `interrupted-store` when the database cannot be opened.
    """
    engine = schema_engine(url)
    try:
        with engine.begin() as connection:
            if _revisions(connection) != {newest_revision()}:
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
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config(connection)
    scripts = ScriptDirectory.from_config(config)
    found = _revisions(connection)
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
    revisions = _revisions(connection)
    if not revisions:
        raise Refused("refused-store-url", "No server has used this database yet: name the one that a server uses.")
    return max(revisions)


def newest_revision() -> str:
    """Return the newest revision that this code knows: the number that its file's name begins with."""
    return max(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*_*.py"))


def _revisions(connection: Connection) -> set[str]:
    if not inspect(connection).has_table(_REVISIONS):
        return set()
    return set(connection.scalars(text(f"SELECT version_num FROM {_REVISIONS}")))  # noqa: S608 - a name of ours


def alembic_config(connection: Connection) -> "Config":
    """Return what alembic's commands need to work on this connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "surefoot.store:migrations")
    config.attributes["connection"] = connection
    return config
