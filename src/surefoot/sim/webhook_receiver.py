"""A webhook's address on this machine that keeps what it receives, told apart by the event's id."""

import json
import ssl
import threading
from collections import defaultdict
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self


class WebhookReceiver:
    """Takes everything, with the certificate and key in `pem_path`, which has to be for localhost."""

    def __init__(self, pem_path: Path) -> None:
        self.deliveries = 0
        self._bodies: dict[str, set[bytes]] = defaultdict(set)
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.take(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_what: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_what: object) -> None:
                """Say nothing of a sender that was killed."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem_path)
        self._server = Server(("127.0.0.1", 0), Handler)
        # The handshake belongs to the connection's own thread: a sender killed amid one must not stop the others.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    @property
    def url(self) -> str:
        """Where to send to."""
        return f"https://localhost:{self._server.server_address[1]}/"

    def take(self, body: bytes) -> None:
        """Keep one body."""
        event_id = str(json.loads(body)["id"])
        with self._lock:
            self.deliveries += 1
            self._bodies[event_id].add(body)

    def received(self) -> Mapping[str, frozenset[bytes]]:
        """Return the different bodies received so far, by the event's id."""
        with self._lock:
            return {event_id: frozenset(bodies) for event_id, bodies in self._bodies.items()}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
