"""Runs the server: holds the data directory, listens, says when it is ready, and stops in order."""

import asyncio
import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import uvicorn
import uvloop

from surefoot.server.certificates import ensure_certificates
from surefoot.server.composition import make_app, open_services
from surefoot.server.engine import run_engine
from surefoot.server.files import PUBLIC, hold_data_dir, write_atomically
from surefoot.server.services import Services
from surefoot.server.settings import ServerSettings
from surefoot.server.tls import server_tls_context
from surefoot.wire.errors import Refused

SERVER_FILE = "server.json"
CERTIFICATES_FOLDER = "tls"
# Below the database pool's limit, so that no thread has to wait for a connection.
THREADS = 12
_WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - recognised here, chosen elsewhere

log = logging.getLogger(__name__)


class FleetServer:
    """One server on one data directory. While it listens, `server.json` there holds its url and process id."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._listener: _Listener | None = None
        self._stopped = False

    def run(self, on_ready: Callable[[str], None] | None = None) -> None:
        """Serve until `stop`, or, in the main thread, SIGINT or SIGTERM; `on_ready` gets the url once it listens.

        Raises:
            Refused: `refused-data-in-use`, `refused-address`, and what `open_services` refuses.
            Interrupted: `interrupted-store`.
            Damaged: `damaged-fleet-ca`.
        """
        settings = self._settings
        with ExitStack() as stack:
            stack.enter_context(hold_data_dir(settings.data_dir))
            server_file = settings.data_dir / SERVER_FILE
            server_file.unlink(missing_ok=True)
            listening = stack.enter_context(closing(_bind(settings.host, settings.port)))
            port: int = listening.getsockname()[1]
            own_host = "127.0.0.1" if settings.host in _WILDCARDS else settings.host
            own_url = _url(own_host, port)
            public_host = socket.gethostname() if settings.host in _WILDCARDS else own_host
            public_url = settings.public_url or _url(public_host, port)
            hosts = (
                "localhost",
                "127.0.0.1",
                "::1",
                socket.gethostname(),
                own_host,
                urlsplit(public_url).hostname or "",
            )
            paths = ensure_certificates(settings.data_dir / CERTIFICATES_FOLDER, hosts, datetime.now(UTC))
            services = open_services(settings, public_url)
            stack.callback(services.store.close)
            stack.callback(server_file.unlink, missing_ok=True)

            def ready() -> None:
                description = {"url": own_url, "public_url": public_url, "pid": os.getpid()}
                write_atomically(server_file, json.dumps(description).encode(), PUBLIC)
                log.info("ready url=%s public_url=%s data_dir=%s", own_url, public_url, settings.data_dir)
                if on_ready is not None:
                    on_ready(own_url)

            config = uvicorn.Config(
                make_app(services),
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=settings.access_log,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=settings.stop_timeout_s,
                ssl_context_factory=lambda _config, _default: server_tls_context(paths.server),
            )
            self._listener = _Listener(config, ready)
            self._listener.should_exit = self._stopped
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_serve(services, self._listener, listening))
        log.info("stopped url=%s", own_url)

    def stop(self) -> None:
        """Ask the server to finish what it is answering and stop; from any thread."""
        self._stopped = True
        if self._listener is not None:
            self._listener.should_exit = True


def serve(settings: ServerSettings, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; raise as `FleetServer.run`."""
    FleetServer(settings).run(on_ready)


class _Listener(uvicorn.Server):
    """uvicorn, saying when it listens and leaving the process alive after a signal."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._on_listening()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn would raise the signal once more when it is done, which ends the process before the store is closed.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


async def _serve(services: Services, listener: _Listener, listening: socket.socket) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="surefoot"))
    engine = asyncio.create_task(run_engine(services))
    try:
        await listener.serve(sockets=[listening])
    finally:
        engine.cancel()
        with suppress(asyncio.CancelledError):
            await engine


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address, family=family)
    except OSError as error:
        raise Refused(
            "refused-address", f"Cannot listen on {host}:{port} ({error.strerror}): choose another host or port."
        ) from error


def _url(host: str, port: int) -> str:
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
