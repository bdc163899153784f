"""HTTPS as a light robot speaks it: to any of several servers, over connections that stay open."""

import http.client
import random
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

TIMEOUT_S = 20.0
PIECE_BYTES = 16 * 1024

# What a request ends with when its server is killed, or is not there.
LOST = (OSError, http.client.HTTPException)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A server's answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class Counts:
    """What one client met: requests, answers by status, and requests whose answer was lost."""

    requests: int = 0
    lost: int = 0
    statuses: dict[int, int] = field(default_factory=dict)


class LightClient:
    """Requests with a bearer token, each to a server that chance picks among those that listen. One thread at a time.

    Args:
        ports: Where the servers listen on this machine.
        tls: Whom to trust.
        token: The bearer token.
        chance: Picks the server.
    """

    def __init__(self, ports: tuple[int, ...], tls: ssl.SSLContext, token: str, chance: random.Random) -> None:
        self.counts = Counts()
        self._ports = ports
        self._tls = tls
        self._token = token
        self._chance = chance
        self._open: dict[int, http.client.HTTPSConnection] = {}

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        stop_at_bytes: int | None = None,
        on_bytes: Callable[[int], None] = lambda _length: None,
    ) -> Answer:
        """Send a request and return its answer; raise one of `LOST`.

        Args:
            method: GET, POST or PUT.
            path: With its query.
            body: What to send.
            headers: Beside the token's.
            stop_at_bytes: Hang up after so many bytes of the answer.
            on_bytes: Is told how many bytes of a body arrived, also of an answer that then breaks off.
        """
        port, connection = self._connect()
        self.counts.requests += 1
        whole = False
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {self._token}", **(headers or {})})
            response = connection.getresponse()
            data = bytearray()
            while stop_at_bytes is None or len(data) < stop_at_bytes:
                piece = response.read1(PIECE_BYTES)
                if not piece:
                    break
                data += piece
                if response.status < 300:
                    on_bytes(len(piece))
            expected = response.headers.get("Content-Length")
            whole = expected is None or len(data) == int(expected)
            if not whole and stop_at_bytes is None:
                raise http.client.IncompleteRead(bytes(data))
            # Read to its end, it still keeps its connection to itself until then.
            response.close()
        except LOST:
            self.counts.lost += 1
            whole = False
            raise
        finally:
            if not whole:
                self._open.pop(port).close()
        self.counts.statuses[response.status] = self.counts.statuses.get(response.status, 0) + 1
        return Answer(status=response.status, headers=dict(response.headers), body=bytes(data))

    def _connect(self) -> tuple[int, http.client.HTTPSConnection]:
        """Go to the next server where one does not listen, as a proxy in front of them does."""
        refused: OSError = ConnectionRefusedError()
        for port in self._chance.sample(self._ports, len(self._ports)):
            if port in self._open:
                return port, self._open[port]
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT_S, context=self._tls)
            try:
                connection.connect()
            except OSError as error:
                connection.close()
                refused = error
                continue
            self._open[port] = connection
            return port, connection
        raise refused

    def close(self) -> None:
        """Hang up everywhere."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()
