"""The databases that tests run on: some on every one of them, the rest on the one that SUREFOOT_TEST_STORE names.

A test that asks for `database_url` gets an empty database. Marked `every_database`, alone or with its whole module, it
runs on each.
"""

import os
from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from postgres import database_name, new_database
from surefoot.store.migrate import migrate

_numbers = count()


def _sqlite_url(path: Path) -> str:
    return f"sqlite:///{path / f'fleet-{next(_numbers)}.db'}"


@cache
def _migrated() -> str:
    """Return the name of a PostgreSQL database with the newest schema, to copy: migrating one takes half a second."""
    url = new_database()
    migrate(url)
    return database_name(url)


MAKERS: dict[str, Callable[[Path], str]] = {
    "sqlite": _sqlite_url,
    "postgresql": lambda _path: new_database(template=_migrated()),
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
