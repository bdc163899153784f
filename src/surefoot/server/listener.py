"""One process that answers: its services, its event loop, and uvicorn on a socket that somebody bound."""

import asyncio
import resource
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import Any

import uvicorn
import uvloop

from surefoot.server.certificate_renewal import ShownCertificate
from surefoot.server.certificates import CertificatePaths
from surefoot.server.composition import Application, open_services
from surefoot.server.devices.poll_cache_store import run_poll_cache
from surefoot.server.devices.protocol import robot_protocol
from surefoot.server.engine import run_engine
from surefoot.server.garbage import search_rarely
from surefoot.server.mqtt.broker_address import BrokerAddress
from surefoot.server.mqtt.link import run_mqtt
from surefoot.server.services import Services
from surefoot.server.settings import ServerSettings
from surefoot.server.tls import server_tls_context

# Below the database pool's limit, so that no thread has to wait for a connection.
THREADS = 12
# Open files that are no connections: the database, images on their way, and what the interpreter holds.
FILES_RESERVED = 64


class Listener:
    """Answers on a bound socket until it is stopped.

    Args:
        settings: How.
        paths: The certificates to show.
        public_url: Where robots reach the server.
        broker: Where they meet over MQTT, if they do.
    """

    def __init__(
        self, settings: ServerSettings, paths: CertificatePaths, public_url: str, broker: BrokerAddress | None
    ) -> None:
        self._settings = settings
        self._paths = paths
        self._public_url = public_url
        self._broker = broker
        self._server: _Server | None = None
        self._stopped = False

    def run(self, listening: socket.socket, on_ready: Callable[[], None]) -> None:
        """Serve until `stop`, or, in the main thread, SIGINT or SIGTERM; `on_ready` is called once it listens.

        Raises:
            Refused: what `open_services` refuses.
            Interrupted: `interrupted-store`.
        """
        services = open_services(self._settings, self._public_url, self._broker)
        with closing(services.store):
            app = Application(services)
            tls = self._tls()
            shown = ShownCertificate(tls, self._paths.server)
            self._server = _Server(self._config(app, tls), on_ready, app.looks.end)
            self._server.should_exit = self._stopped
            if threading.current_thread() is threading.main_thread():
                search_rarely()
            with asyncio.Runner(loop_factory=lambda: _Loop(self._settings.header_timeout_s)) as runner:
                runner.run(_serve(services, self._server, listening, shown))

    def stop(self) -> None:
        """Ask it to finish what it is answering and stop; from any thread."""
        self._stopped = True
        if self._server is not None:
            self._server.should_exit = True

    def _tls(self) -> ssl.SSLContext:
        paths, factory_ca = self._paths, self._settings.factory_ca
        return server_tls_context(paths.server, [paths.ca] if factory_ca is None else [paths.ca, factory_ca])

    def _config(self, app: Application, tls: ssl.SSLContext) -> uvicorn.Config:
        settings = self._settings
        # What is answered before the application sees it would be in no log.
        quick = None if settings.access_log else app.quick
        return uvicorn.Config(
            app,
            http=robot_protocol(quick, settings.header_timeout_s, _connections_max(settings.connections_max)),
            timeout_keep_alive=settings.idle_timeout_s,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=settings.access_log,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=settings.stop_timeout_s,
            ssl_context_factory=lambda _config, _default: tls,
        )


class _Loop(uvloop.Loop):
    """An event loop whose servers wait for a handshake as long as for a request's headers, and no minute longer.

    Who connects and says nothing is not among the connections yet, and takes an open file all the same.
    """

    def __init__(self, handshake_timeout_s: float) -> None:
        super().__init__()
        self._handshake_timeout_s = handshake_timeout_s

    async def create_server(self, *args: Any, **options: Any) -> Any:
        """Listen, as any loop does."""
        return await super().create_server(*args, ssl_handshake_timeout=self._handshake_timeout_s, **options)


def _connections_max(wanted: int) -> int:
    """Return how many connections this process may hold open, raising its limit of open files as far as it may."""
    needed = wanted + FILES_RESERVED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    reached = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
    resource.setrlimit(resource.RLIMIT_NOFILE, (reached, hard))
    return max(1, reached - FILES_RESERVED)


class _Server(uvicorn.Server):
    """uvicorn, saying when it listens and when it stops, and leaving the process alive after a signal."""

    def __init__(
        self, config: uvicorn.Config, on_listening: Callable[[], None], on_stopping: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._on_listening = on_listening
        self._on_stopping = on_stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._on_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Streams would go on until the time is over that answers get to be finished in.
        self._on_stopping()
        await super().shutdown(sockets=sockets)

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


async def _serve(
    services: Services, listener: _Server, listening: socket.socket, certificate: ShownCertificate
) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="surefoot"))
    tasks = [
        asyncio.create_task(run_engine(services)),
        asyncio.create_task(run_poll_cache(services.store, services.polls)),
        asyncio.create_task(run_mqtt(services)),
        asyncio.create_task(certificate.follow()),
    ]
    try:
        await listener.serve(sockets=[listening])
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
