"""A real HTTPS receiver on this machine that answers as it is told and remembers what came."""

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from surefoot.server.certificates import ensure_certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


class HttpsReceiver:
    """Answers each request with the status that `answer` returns for it; a redirect points at `/elsewhere`."""

    def __init__(self, path: Path, answer: Callable[[Received], int] = lambda _request: 204) -> None:
        self.received: list[Received] = []
        self.came = threading.Semaphore(0)
        self.answer = answer
        certificates = ensure_certificates(path, ("localhost", "127.0.0.1"), datetime.now(UTC))
        self.ca_path = certificates.ca
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Received(path=self.path, headers=headers, body=self.rfile.read(length))
                receiver.received.append(request)
                status = receiver.answer(request)
                receiver.came.release()
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", f"{receiver.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_what: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"https://localhost:{self._server.server_address[1]}"

    @property
    def trust(self) -> ssl.SSLContext:
        """What a client needs to trust this receiver and nobody else."""
        return ssl.create_default_context(cafile=str(self.ca_path))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
