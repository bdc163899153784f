"""The databases that tests run on: some on every one of them, the rest on the one that SUREFOOT_TEST_STORE names.

A test that asks for `database_url` gets an empty database. Marked `every_database`, alone or with its whole module, it
runs on each.
"""

import os
import tempfile
from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from postgres import database_name, new_database
from surefoot.store.migrate import migrate

_numbers = count()


def _sqlite_file(path: Path) -> Path:
    return path / f"fleet-{next(_numbers)}.db"


# Migrating a database takes longer than most tests: each process does it once, and copies what came of it.
@cache
def _migrated_postgresql() -> str:
    """Return the name of a database with the newest schema."""
    url = new_database()
    migrate(url)
    return database_name(url)


@cache
def migrated_sqlite() -> bytes:
    """Return the file of a database with the newest schema and no rows."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fleet.db"
        migrate(f"sqlite:///{file}")
        return file.read_bytes()


def _migrated_sqlite_url(path: Path) -> str:
    file = _sqlite_file(path)
    file.write_bytes(migrated_sqlite())
    return f"sqlite:///{file}"


# Databases with the newest schema and no rows, and databases with nothing at all.
MAKERS: dict[str, Callable[[Path], str]] = {
    "sqlite": _migrated_sqlite_url,
    "postgresql": lambda _path: new_database(template=_migrated_postgresql()),
}
EMPTY_MAKERS: dict[str, Callable[[Path], str]] = {
    "sqlite": lambda path: f"sqlite:///{_sqlite_file(path)}",
    "postgresql": lambda _path: new_database(),
}
CHOSEN = os.environ.get("SUREFOOT_TEST_STORE", "sqlite")
EVERY = [pytest.param(name, marks=[pytest.mark.postgres] if name == "postgresql" else []) for name in MAKERS]


def chosen_url(path: Path) -> str:
    """Make a database of the kind that this run is on, without rows, and return its address."""
    return MAKERS[CHOSEN](path)


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Run a test marked `every_database` on each, any other on the chosen one."""
    if "database_url" in metafunc.fixturenames:
        every = metafunc.definition.get_closest_marker("every_database") is not None
        metafunc.parametrize("database_url", EVERY if every else [CHOSEN], indirect=True)
