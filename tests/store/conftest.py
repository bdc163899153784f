"""Every filling of a port, by name: the contract suites run on each of them."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from store.values import put_a_fleet
from surefoot.fleet.ports import Blobs, Store
from surefoot.sim.memory_store import MemoryStore
from surefoot.store.blobs import DirectoryBlobs
from surefoot.store.sql_store import SqlStore

URLS: dict[str, Callable[[Path], str]] = {"sqlite": lambda path: f"sqlite:///{path / 'fleet.db'}"}
BLOBS: dict[str, Callable[[Path], Blobs]] = {"directory": lambda path: DirectoryBlobs(path / "blobs")}


@pytest.fixture(params=URLS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    return URLS[request.param](tmp_path)


def _on_database(name: str, path: Path) -> Store:
    return SqlStore(URLS[name](path))


STORES: dict[str, Callable[[Path], Store]] = {
    **{name: partial(_on_database, name) for name in URLS},
    "memory": lambda _path: MemoryStore(),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store in which the fleet of `values` is."""
    store = STORES[request.param](tmp_path)
    store.submit(put_a_fleet).result()
    yield store
    store.close()


@pytest.fixture(params=BLOBS)
def open_blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Blobs]:
    """Open the same blobs, again at every call."""
    return lambda: BLOBS[request.param](tmp_path)


@pytest.fixture
def blobs(open_blobs: Callable[[], Blobs]) -> Blobs:
    return open_blobs()
