"""Keeps the server's own certificate good for as long as the server runs.

One process writes it anew when its end is near, and each that shows it takes up what stands in the file: the processes
that answer here, the broker by `broker_watch`. Connections that are open keep the certificate they began with.
"""

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from surefoot.server.certificates import ensure_certificates
from surefoot.wire.errors import SurefootError

# A month is left when it is made anew, so that a disk which is full for a while keeps nobody out.
RENEW_EVERY_S = 3600.0
FOLLOW_EVERY_S = 60.0

log = logging.getLogger(__name__)


class WatchedFile:
    """A file that others replace; its first look at it is now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._stamp()

    def changed(self) -> bool:
        """Whether there is another file than at the last look."""
        before, self._seen = self._seen, self._stamp()
        return self._seen not in {before, None}

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino


class Renewal:
    """Looks after the certificates in a folder, as `ensure_certificates` made them there for these hosts.

    Args:
        folder: Where they are.
        hosts: The names that the server's carries.
        now: The time.
    """

    def __init__(self, folder: Path, hosts: Iterable[str], now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._hosts = tuple(hosts)
        self._now = now
        self._server = WatchedFile(ensure_certificates(folder, self._hosts, now()).server)

    def look(self) -> None:
        """Renew what is near its end; what cannot be written is logged, and tried again at the next look."""
        try:
            ensure_certificates(self._folder, self._hosts, self._now())
        except SurefootError as error:
            log.error("certificate-not-renewed code=%s: %s", error.code, error.message)
        except OSError as error:
            log.error("certificate-not-renewed folder=%s error=%s", self._folder, error.strerror)
        if self._server.changed():
            log.info("certificate-renewed folder=%s", self._folder)


@contextmanager
def renewing(folder: Path, hosts: Iterable[str]) -> Iterator[None]:
    """Look after the certificates while the block runs; raise what `ensure_certificates` raises."""
    renewal, stopping = Renewal(folder, hosts, lambda: datetime.now(UTC)), threading.Event()

    def run() -> None:
        while not stopping.wait(RENEW_EVERY_S):
            renewal.look()

    thread = threading.Thread(target=run, name="certificates")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


class ShownCertificate:
    """The certificate that a TLS context shows to who connects from now on."""

    def __init__(self, context: ssl.SSLContext, path: Path) -> None:
        self._context = context
        self._path = path
        self._file = WatchedFile(path)

    def look(self) -> None:
        """Show from now on what stands in the file, if it is another one."""
        if not self._file.changed():
            return
        try:
            self._context.load_cert_chain(self._path)
        except (OSError, ssl.SSLError) as error:
            log.error("certificate-unreadable path=%s error=%s", self._path, error)
        else:
            log.info("certificate-taken-up path=%s", self._path)

    async def follow(self) -> None:
        """Look once a minute, until cancelled."""
        while True:
            await asyncio.sleep(FOLLOW_EVERY_S)
            self.look()
