"""Every filling of a port, by name: the contract suites run on each of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from databases import EMPTY_MAKERS, EVERY, MAKERS
from object_store import new_bucket
from store.values import put_a_fleet
from surefoot.fleet.ports import Blobs, Store
from surefoot.sim.memory_store import MemoryStore
from surefoot.store.blobs import DirectoryBlobs
from surefoot.store.object_blobs import ObjectBlobs
from surefoot.store.sql_store import SqlStore

BLOBS = ["directory", pytest.param("object store", marks=pytest.mark.s3)]


@pytest.fixture(params=EVERY)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the newest schema and without rows."""
    return MAKERS[request.param](tmp_path)


@pytest.fixture(params=EVERY)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without anything."""
    return EMPTY_MAKERS[request.param](tmp_path)


@pytest.fixture(params=[*EVERY, "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store in which the fleet of `values` is."""
    store = MemoryStore() if request.param == "memory" else SqlStore(MAKERS[request.param](tmp_path))
    store.submit(put_a_fleet).result()
    yield store
    store.close()


@pytest.fixture(params=BLOBS)
def open_blobs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Blobs]:
    """Open the same blobs, again at every call."""
    if request.param == "directory":
        return lambda: DirectoryBlobs(tmp_path / "blobs")
    bucket_url = new_bucket(monkeypatch)
    return lambda: ObjectBlobs(bucket_url)


@pytest.fixture
def blobs(open_blobs: Callable[[], Blobs]) -> Blobs:
    return open_blobs()
