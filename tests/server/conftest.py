"""A server's parts on a temporary directory, with a clock and ids that tests can foretell."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from live_server import LiveServer
from server_bench import NOW_S, OPERATOR_TOKEN, Bench
from surefoot.fleet.settings import FleetSettings
from surefoot.server.composition import Application
from surefoot.server.operators.passwords import Passwords
from surefoot.server.services import Services
from surefoot.server.settings import load_settings
from surefoot.server.tokens import token_sha256
from surefoot.signing.signers import FileSigner
from surefoot.store.blobs import DirectoryBlobs
from surefoot.store.sql_store import SqlStore


@pytest.fixture(scope="session")
def signer() -> FileSigner:
    return FileSigner(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def bench(tmp_path: Path, signer: FileSigner, database_url: str) -> Iterator[Bench]:
    numbers = iter(range(1, 1_000_000))
    services = Services(
        store=SqlStore(database_url),
        blobs=DirectoryBlobs(tmp_path / "images"),
        settings=load_settings(data_dir=tmp_path, image_bytes_max=1_000_000, request_bytes_max=10_000),
        fleet=FleetSettings(public_url="https://fleet.test"),
        operator_token_sha256=token_sha256(OPERATOR_TOKEN),
        now_s=lambda: NOW_S,
        new_id=lambda: f"id-{next(numbers)}",
        passwords=Passwords(cheap=True),
    )
    yield Bench(services=services, app=Application(services), signer=signer)
    services.store.close()


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("live") / "data").start() as server:
        yield server
