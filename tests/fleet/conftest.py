"""The real store, a fleet on it, and one signing key."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from databases import chosen_url
from fleet.fleet_case import FleetCase
from surefoot.fleet.ports import Rows
from surefoot.signing.signers import FileSigner
from surefoot.store.sql_store import SqlStore

T = TypeVar("T")


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    store = SqlStore(database_url)
    yield store
    store.close()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """A store for stories that leave nothing behind."""
    store = SqlStore(chosen_url(tmp_path_factory.mktemp("stories")))
    yield store
    store.close()


@pytest.fixture
def fleet(store: SqlStore) -> FleetCase:
    def run(work: Callable[[Rows], T], /) -> T:
        return store.submit(work).result()

    return FleetCase(run=run)


@pytest.fixture(scope="session")
def signer() -> FileSigner:
    return FileSigner(ec.generate_private_key(ec.SECP256R1()))
