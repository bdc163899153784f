"""The HTTP protocol of uvicorn, with what it lacks for many robots.

It tells the application which certificate a client showed (the TLS extension of ASGI), answers the checks of robots
that have nothing to fetch before any task is made for them, and hangs up on who connects and says nothing.
"""

import hashlib
import ssl
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from surefoot.server.at_once import AtOnce

CHECK = b"/v1/check?"


class RobotProtocol(HttpToolsProtocol):
    """One connection. `quick`, `header_timeout_s` and `connections_max` are set on a subclass by `robot_protocol`."""

    quick: AtOnce | None
    header_timeout_s: float
    connections_max: int

    def connection_made(self, transport: Any) -> None:
        """Note who is there, or hang up when too many are."""
        super().connection_made(transport)
        self._answered = False
        # Requests that began and ended, and the check that was answered at once.
        self._begun = self._ended = 0
        self._check: tuple[bytes, list[tuple[bytes, bytes]]] | None = None
        self._deadline: Any = None
        self._asked_s = 0.0
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        der = None if tls is None else tls.getpeercert(binary_form=True)
        self._certificate_sha256 = None if der is None else hashlib.sha256(der).hexdigest()
        chain = [] if der is None else [ssl.DER_cert_to_PEM_cert(der)]
        self._extensions = {"tls": {"client_cert_chain": chain}}
        if len(self.connections) > self.connections_max:
            transport.abort()
            return
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._headers_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer a check seen before at once, or read on; a request's headers must be whole in time."""
        idle, quick = self._is_idle(), self.quick
        between = idle and self._begun == self._ended
        if between and quick is not None and not self.flow.write_paused:
            answer = quick.again(data, self._certificate_sha256)
            if answer is not None:
                self._headers_came()
                self._stay()
                self.transport.write(answer)
                return
        if idle and self._deadline is None:
            self._await_headers()
        self._check, begun = None, self._begun
        super().data_received(data)
        # Only where these bytes were one request from its first to its last.
        if between and quick is not None and self._check is not None and begun + 1 == self._begun == self._ended:
            quick.remember(data, *self._check, self._certificate_sha256)

    def timeout_keep_alive_handler(self) -> None:
        """Hang up if it has been quiet for long enough."""
        quiet_s = self.loop.time() - self._asked_s
        if quiet_s < self.timeout_keep_alive:
            self._hang_up_after(self.timeout_keep_alive - quiet_s)
        else:
            super().timeout_keep_alive_handler()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._begun += 1
        self.scope["extensions"] = self._extensions  # type: ignore[typeddict-item]

    def on_headers_complete(self) -> None:
        """Answer at once what can be, else hand the request to the application."""
        self._headers_came()
        self._answered = False
        if (
            self.quick is not None
            and self._is_idle()
            and self.url.startswith(CHECK)
            and self.parser.get_method() == b"GET"
            and self.parser.should_keep_alive()
        ):
            question = self.url[len(CHECK) :]
            answer = self.quick(question, self.headers, self._certificate_sha256)
            if answer is not None:
                self._answered = True
                self._check = question, self.headers
                self.transport.write(answer)
                return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; nobody reads that of a request which was answered."""
        if not self._answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._ended += 1
        if self._answered:
            self.on_response_complete()
        else:
            super().on_message_complete()

    def _is_idle(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)

    def _stay(self) -> None:
        # The timer finds out itself that it is too early: setting a new one for each check would cost more than the check.
        self._asked_s = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._hang_up_after(self.timeout_keep_alive)

    def _hang_up_after(self, quiet_s: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(quiet_s, self.timeout_keep_alive_handler)

    def _await_headers(self) -> None:
        self._deadline = self.loop.call_later(self.header_timeout_s, self._hang_up)

    def _headers_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self._deadline = None
        self.transport.abort()


def robot_protocol(quick: AtOnce | None, header_timeout_s: float, connections_max: int) -> type[RobotProtocol]:
    """Return the protocol for one server.

    Args:
        quick: Answers checks at once; None when every request is for the application.
        header_timeout_s: How long a request's headers may take to arrive.
        connections_max: Connections open at once; those beyond are closed as they come.
    """
    values = {"quick": quick, "header_timeout_s": header_timeout_s, "connections_max": connections_max}
    return type("RobotProtocol", (RobotProtocol,), values)
