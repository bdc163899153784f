"""Runs the server: holds the data directory, binds the address, says when it is ready, and stops in order."""

import json
import logging
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from urllib.parse import urlsplit

from surefoot.server.certificate_renewal import renewing
from surefoot.server.certificates import CERTIFICATES_FOLDER, certificate_paths
from surefoot.server.composition import prepare_data_dir
from surefoot.server.files import PUBLIC, hold_data_dir, write_atomically, writing
from surefoot.server.listener import Listener
from surefoot.server.mqtt.broker import running_broker
from surefoot.server.mqtt.broker_config import WILDCARDS
from surefoot.server.settings import ServerSettings, unknown_variables
from surefoot.server.tls import check_certificate_files
from surefoot.server.workers import Workers
from surefoot.wire.errors import Refused

SERVER_FILE = "server.json"

log = logging.getLogger(__name__)


class FleetServer:
    """One server on one data directory. While it listens, `server.json` there holds its url and process id."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._serving: Listener | Workers | None = None
        self._stopped = False

    def run(self, on_ready: Callable[[str], None] | None = None) -> None:
        """Serve until `stop`, or, in the main thread, SIGINT or SIGTERM; `on_ready` gets the url once it listens.

        Raises:
            Refused: `refused-settings`, `refused-data-in-use`, `refused-file-unwritable`, `refused-address`, and what
                `running_broker` and `open_services` refuse.
            Interrupted: `interrupted-store`, `interrupted-worker`.
            Damaged: `damaged-fleet-ca`.
        """
        settings = self._settings
        check_certificate_files(settings)
        for name in unknown_variables():
            log.warning("unknown-variable name=%s: no setting is called that", name)
        with ExitStack() as stack:
            with writing(settings.data_dir):
                stack.enter_context(hold_data_dir(settings.data_dir))
                server_file = settings.data_dir / SERVER_FILE
                server_file.unlink(missing_ok=True)
                listening = stack.enter_context(closing(_bind(settings.host, settings.port)))
                addresses = _addresses(settings, listening.getsockname()[1])
                folder = settings.data_dir / CERTIFICATES_FOLDER
                stack.enter_context(renewing(folder, addresses.hosts))
                paths = certificate_paths(folder)
                # Made here, once: workers that start together would each make their own.
                prepare_data_dir(settings)
                public_host = urlsplit(addresses.public_url).hostname or ""
                broker = stack.enter_context(running_broker(settings, paths, public_host))
            stack.callback(server_file.unlink, missing_ok=True)

            def ready() -> None:
                description = {
                    "url": addresses.own_url,
                    "public_url": addresses.public_url,
                    "broker_url": None if broker is None else broker.robot_url,
                    "broker_password_url": None if broker is None else broker.password_url,
                    "pid": os.getpid(),
                }
                write_atomically(server_file, json.dumps(description).encode(), PUBLIC)
                log.info(
                    "ready url=%s public_url=%s data_dir=%s",
                    addresses.own_url,
                    addresses.public_url,
                    settings.data_dir,
                )
                if on_ready is not None:
                    on_ready(addresses.own_url)

            if settings.workers == 1:
                self._serving = Listener(settings, paths, addresses.public_url, broker)
            else:
                self._serving = Workers(settings, addresses.public_url, broker)
            if self._stopped:
                self._serving.stop()
            self._serving.run(listening, ready)
        log.info("stopped url=%s", addresses.own_url)

    def stop(self) -> None:
        """Ask the server to finish what it is answering and stop; from any thread."""
        self._stopped = True
        if self._serving is not None:
            self._serving.stop()


def serve(settings: ServerSettings, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; raise as `FleetServer.run`."""
    FleetServer(settings).run(on_ready)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Addresses:
    """Where the server listens, where robots reach it, and the host names its certificate must carry."""

    own_url: str
    public_url: str
    hosts: tuple[str, ...]


def _addresses(settings: ServerSettings, port: int) -> _Addresses:
    own_host = "127.0.0.1" if settings.host in WILDCARDS else settings.host
    public_host = socket.gethostname() if settings.host in WILDCARDS else own_host
    public_url = settings.public_url or _url(public_host, port)
    names = ("localhost", "127.0.0.1", "::1", socket.gethostname(), own_host, urlsplit(public_url).hostname or "")
    return _Addresses(own_url=_url(own_host, port), public_url=public_url, hosts=names)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address, family=family)
    except OSError as error:
        # The library puts the address behind it in Python's words.
        why = str(error.strerror).split(" (")[0]
        detail = f"Cannot listen on {host}:{port} ({why}): choose another host or port."
        raise Refused("refused-address", detail) from error


def _url(host: str, port: int) -> str:
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
