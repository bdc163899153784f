"""The composition root: fills every port, makes what a first start lacks, and joins the two planes."""

import time

from starlette.types import ASGIApp, Receive, Scope, Send

from surefoot.fleet.settings import FleetSettings
from surefoot.server import device_api
from surefoot.server.device_api import DeviceApi
from surefoot.server.ids import new_id
from surefoot.server.operator_api import make_operator_app
from surefoot.server.operator_gate import OperatorGate
from surefoot.server.services import Services
from surefoot.server.settings import ServerSettings
from surefoot.server.tokens import ensure_operator_token, token_sha256
from surefoot.store.blobs import DirectoryBlobs
from surefoot.store.sql_store import SqlStore

OPERATOR_TOKEN_FILE = "operator.token"  # noqa: S105 - a file's name
DATABASE_FILE = "surefoot.db"
IMAGES_FOLDER = "images"


def open_services(settings: ServerSettings, public_url: str) -> Services:
    """Open what the settings name, in a data directory that this process holds; the caller closes the store.

    Raises:
        Refused: `refused-schema-newer`, `refused-store-url`.
        Interrupted: `interrupted-store` when the database cannot be opened.
    """
    data_dir = settings.data_dir
    token = ensure_operator_token(data_dir / OPERATOR_TOKEN_FILE)
    blobs = DirectoryBlobs(data_dir / IMAGES_FOLDER)
    return Services(
        store=SqlStore(settings.database_url or f"sqlite:///{data_dir.resolve() / DATABASE_FILE}"),
        blobs=blobs,
        settings=settings,
        fleet=FleetSettings(
            public_url=public_url,
            next_check_s=settings.next_check_s,
            next_check_jitter_s=settings.next_check_jitter_s,
            busy_check_s=settings.busy_check_s,
        ),
        operator_token_sha256=token_sha256(token),
        now_s=time.time,
        new_id=new_id,
    )


def make_app(services: Services) -> ASGIApp:
    """Return the application: robots pass the framework by."""
    devices = DeviceApi(services)
    operators = OperatorGate(services, make_operator_app(services))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        plane = devices if scope["path"].startswith(device_api.PREFIX) else operators
        await plane(scope, receive, send)

    return app
