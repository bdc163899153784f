"""A connection that ended is gone at once: what it held does not wait for the garbage collector."""

import gc
import socket
import ssl
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from surefoot.server.devices.protocol import RobotProtocol
from surefoot.server.serve import FleetServer
from surefoot.server.settings import load_settings


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run a server in a thread of this process; yield its address."""
    server, ready, urls = FleetServer(load_settings(data_dir=folder, port=0)), threading.Event(), []

    def on_ready(url: str) -> None:
        urls.append(url)
        ready.set()

    thread = threading.Thread(target=server.run, args=(on_ready,))
    thread.start()
    try:
        assert ready.wait(30)
        yield urls[0]
    finally:
        server.stop()
        thread.join()


def test_a_connection_that_ended_leaves_nothing_for_the_garbage_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[RobotProtocol]] = []
    ended = threading.Semaphore(0)
    make = RobotProtocol.connection_made

    def noting(self: RobotProtocol, transport: object) -> None:
        made.append(weakref.ref(self, lambda _: ended.release()))
        make(self, transport)

    monkeypatch.setattr(RobotProtocol, "connection_made", noting)
    folder = tmp_path / "data"
    with serving(folder) as url:
        address = urlsplit(url)
        tls = ssl.create_default_context(cafile=str(folder / "tls" / "ca.pem"))
        gc.disable()
        try:
            for _ in range(5):
                with (
                    socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as plain,
                    tls.wrap_socket(plain, server_hostname=address.hostname) as connection,
                ):
                    connection.sendall(b"GET /v1/nothing HTTP/1.1\r\nHost: a\r\n\r\n")
                    assert connection.recv(12) == b"HTTP/1.1 404"
            # One may be what the event loop answered last, and is let go of with the next.
            assert all(ended.acquire(timeout=20) for _ in range(4)), "ended connections wait for the garbage collector"
        finally:
            gc.enable()
    assert len(made) == 5
