"""Answers the checks of robots that have nothing to fetch at once: no task, no database, and the next time no parsing.

A robot asks in the same bytes again and again. Their hash tells which question they were and whose, which the poll
cache then looks up as for any other; nothing secret is kept.
"""

import hashlib
from collections import OrderedDict

from surefoot.server.devices.identity import credential_of
from surefoot.server.services import Services

_NOTHING = b"HTTP/1.1 204 No Content\r\nretry-after: %d\r\ncache-control: no-store\r\n\r\n"


class AtOnce:
    """What one process can answer at once."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self._polls = services.polls
        self._now_s = services.now_s
        # The certificate of a connection may then be a proxy's instead of a robot's.
        self._believes_proxies = bool(settings.proxy_certificate_header)
        self._requests_max = settings.poll_cache_robots
        self._known: OrderedDict[bytes, tuple[bytes, bytes]] = OrderedDict()
        self._count = services.metrics.counting("device", 204)

    def __call__(
        self, question: bytes, headers: list[tuple[bytes, bytes]], certificate_sha256: str | None
    ) -> bytes | None:
        """Return the whole answer to a check if the robot is known to have nothing to fetch, else None."""
        credential = self._credential(headers, certificate_sha256)
        return None if credential is None else self._answer(credential, question)

    def remember(
        self, request: bytes, question: bytes, headers: list[tuple[bytes, bytes]], certificate_sha256: str | None
    ) -> None:
        """Remember which check this one whole request is, all of its bytes, on a connection with this certificate."""
        credential = self._credential(headers, certificate_sha256)
        if credential is None:
            return
        while len(self._known) >= self._requests_max:
            self._known.popitem(last=False)
        self._known[_key(request, certificate_sha256)] = credential, question

    def again(self, request: bytes, certificate_sha256: str | None) -> bytes | None:
        """Return the answer to a request that is remembered, as for any check; None for any other request."""
        known = self._known.get(_key(request, certificate_sha256))
        return None if known is None else self._answer(*known)

    def _answer(self, credential: bytes, question: bytes) -> bytes | None:
        retry_after_s = self._polls.look(credential, question, self._now_s())
        if retry_after_s is None:
            return None
        self._count()
        return _NOTHING % retry_after_s

    def _credential(self, headers: list[tuple[bytes, bytes]], certificate_sha256: str | None) -> bytes | None:
        return credential_of(headers, None if self._believes_proxies else certificate_sha256)


def _key(request: bytes, certificate_sha256: str | None) -> bytes:
    # A request begins with a letter beyond those of hex digits, so that one cannot be mistaken for the other.
    return hashlib.sha256(request if certificate_sha256 is None else certificate_sha256.encode() + request).digest()
