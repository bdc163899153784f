"""The composition root: fills every port, makes what a first start lacks, and joins the two planes."""

import os
import time

from starlette.types import ASGIApp, Receive, Scope, Send

from surefoot.fleet.aws_delivery import parse_delivery
from surefoot.fleet.ports import Blobs
from surefoot.fleet.settings import FleetSettings
from surefoot.server.certificates import CERTIFICATES_FOLDER, FleetCa
from surefoot.server.devices import api as device_api
from surefoot.server.devices.api import DeviceApi
from surefoot.server.devices.at_once import AtOnce
from surefoot.server.devices.poll_cache import PollCache
from surefoot.server.devices.poll_cache_store import WatchedStore
from surefoot.server.files import PRIVATE
from surefoot.server.ids import new_id
from surefoot.server.metadata_key import ensure_metadata_key
from surefoot.server.mqtt.broker_address import BrokerAddress
from surefoot.server.mqtt.state import MqttState
from surefoot.server.operators.api import make_operator_app
from surefoot.server.operators.gate import OperatorGate
from surefoot.server.operators.oidc import identity_provider
from surefoot.server.pages.app import make_pages_app
from surefoot.server.pages.gate import LIVE, PagesGate
from surefoot.server.pages.live import Looks
from surefoot.server.services import Services
from surefoot.server.settings import ServerSettings
from surefoot.server.tokens import ensure_operator_token, token_sha256
from surefoot.store.blobs import DirectoryBlobs
from surefoot.store.object_blobs import ObjectBlobs
from surefoot.store.sql_store import SqlStore

OPERATOR_TOKEN_FILE = "operator.token"  # noqa: S105 - a file's name
DATABASE_FILE = "surefoot.db"
IMAGES_FOLDER = "images"
# What the CA's key makes the key of addresses from: every process on one CA has the same.
FILE_KEY = "addresses-of-job-files"
# What is behind none of these is a page.
OPERATOR_PREFIXES = ("/api/", "/healthz", "/readyz", "/metrics")


def open_blobs(settings: ServerSettings) -> Blobs:
    """Open the storage of images that the settings name; raise `Refused` (`refused-blobs-url`)."""
    if settings.blobs_url:
        return ObjectBlobs(settings.blobs_url)
    return DirectoryBlobs(settings.data_dir / IMAGES_FOLDER)


def database_url(settings: ServerSettings) -> str:
    """Return the address of the database that the settings name."""
    return settings.database_url or f"sqlite:///{settings.data_dir.resolve() / DATABASE_FILE}"


def prepare_data_dir(settings: ServerSettings) -> None:
    """Make what a first start lacks in a data directory, beside its certificates: database, operator token, a key."""
    data_dir = settings.data_dir
    if settings.database_url is None:
        # It holds secrets, and somebody else may have made the directory, for all to enter. SQLite gives the files it
        # puts beside the database the same mode.
        os.close(os.open(data_dir / DATABASE_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE))
        (data_dir / DATABASE_FILE).chmod(PRIVATE)
    ensure_operator_token(data_dir / OPERATOR_TOKEN_FILE)
    ensure_metadata_key(data_dir)


def open_services(settings: ServerSettings, public_url: str, broker: BrokerAddress | None = None) -> Services:
    """Open what the settings name, in a data directory that this process holds; the caller closes the store.

    Raises:
        Refused: `refused-schema-newer`, `refused-store-url`, `refused-blobs-url`.
        Interrupted: `interrupted-store` when the database cannot be opened.
    """
    data_dir = settings.data_dir
    token = ensure_operator_token(data_dir / OPERATOR_TOKEN_FILE)
    blobs = open_blobs(settings)
    ca, polls, mqtt = FleetCa(data_dir / CERTIFICATES_FOLDER), PollCache(settings.poll_cache_robots), MqttState()
    return Services(
        store=WatchedStore(SqlStore(database_url(settings)), polls, mqtt.decided.ring),
        blobs=blobs,
        settings=settings,
        fleet=FleetSettings(
            public_url=public_url,
            next_check_s=settings.next_check_s,
            next_check_jitter_s=settings.next_check_jitter_s,
            busy_check_s=settings.busy_check_s,
            aws_delivery=parse_delivery(settings.aws_delivery),
            file_key=ca.secret_name(FILE_KEY).encode(),
        ),
        operator_token_sha256=token_sha256(token),
        now_s=time.time,
        new_id=new_id,
        polls=polls,
        ca=ca,
        broker=broker,
        mqtt=mqtt,
        metadata_key=ensure_metadata_key(data_dir),
        identity_provider=identity_provider(settings, public_url),
    )


class Application:
    """Both planes and the pages as one ASGI application: robots pass the framework by."""

    def __init__(self, services: Services) -> None:
        self._devices = services.metrics.measured("device", DeviceApi(services))
        self._operators = services.metrics.measured("operator", OperatorGate(services, make_operator_app(services)))
        pages_app = make_pages_app(services)
        self.looks: Looks = pages_app.state.looks
        pages = PagesGate(services, pages_app)
        self._pages = services.metrics.measured("page", pages)
        # As long as somebody looks: what that takes is no time to answer.
        self._live = services.metrics.measured("live", pages)
        self.quick = AtOnce(services)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to its plane."""
        await self._plane(scope["path"])(scope, receive, send)

    def _plane(self, path: str) -> ASGIApp:
        if path.startswith(device_api.PREFIX):
            return self._devices
        if path.startswith(OPERATOR_PREFIXES):
            return self._operators
        return self._live if path.startswith(LIVE) else self._pages
