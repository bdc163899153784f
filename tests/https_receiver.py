"""A real HTTPS receiver on this machine that answers as it is told and remembers what came."""

import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from surefoot.server.certificates import ensure_certificates
from surefoot.sim import https_receiver
from surefoot.sim.https_receiver import Received


class HttpsReceiver(https_receiver.HttpsReceiver):
    """Answers each request with the status that `answer` returns for it; a redirect points at `/elsewhere`."""

    def __init__(self, path: Path, answer: Callable[[Received], int] = lambda _request: 204) -> None:
        self.received: list[Received] = []
        self.came = threading.Semaphore(0)
        self.answer = answer
        certificates = ensure_certificates(path, ("localhost", "127.0.0.1"), datetime.now(UTC))
        self.ca_path = certificates.ca
        super().__init__(certificates.server, self._take)

    @property
    def trust(self) -> ssl.SSLContext:
        """What a client needs to trust this receiver and nobody else."""
        return ssl.create_default_context(cafile=str(self.ca_path))

    def _take(self, request: Received) -> int:
        self.received.append(request)
        status = self.answer(request)
        self.came.release()
        return status
