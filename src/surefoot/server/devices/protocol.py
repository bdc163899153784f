"""The HTTP protocol of uvicorn, with what it lacks for many robots.

It tells the application which certificate a client showed (the TLS extension of ASGI), answers the checks of robots
that have nothing to fetch before any task is made for them, and hangs up on who takes without giving: who connects and
says nothing, sends headers without end, asks on and on, or does not read the answers.
"""

import hashlib
import ssl
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from surefoot.server.devices.at_once import AtOnce

CHECK = b"/v1/check?"
# What may arrive without becoming a request's headers or part of a body: uvicorn keeps all of it.
UNHEARD_BYTES_MAX = 64 * 1024
# Requests that wait behind the one being answered; a piece of what arrives could hold thousands.
PIPELINE_MAX = 64
# Who takes longer than this to make room for more does not read.
READ_TIMEOUT_S = 60.0
GET_CHECK = b"GET " + CHECK


class RobotProtocol(HttpToolsProtocol):
    """One connection. What it is set up with is set on a subclass by `robot_protocol`."""

    quick: AtOnce | None
    header_timeout_s: float
    read_timeout_s: float
    connections_max: int

    def connection_made(self, transport: Any) -> None:
        """Note who is there, or hang up when too many are."""
        super().connection_made(transport)
        self._answered = False
        # Requests that began and ended, and the check that was answered at once.
        self._begun = self._ended = 0
        self._check: tuple[bytes, list[tuple[bytes, bytes]]] | None = None
        self._deadline: Any = None
        self._read_deadline: Any = None
        self._unheard_bytes = 0
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
        """Forget the deadlines, and let go of what belongs to the connection."""
        self._headers_came()
        self._has_read()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        if self._is_idle():
            # These lead back to here: a quarter of a mebibyte of TLS buffers would wait for the garbage collector.
            self.cycle = self.transport = self.flow = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Answer a check seen before at once, or read on; a request's headers must be whole in time."""
        idle, quick = self._is_idle(), self.quick
        between = idle and self._begun == self._ended
        if between and quick is not None and data.startswith(GET_CHECK) and not self.flow.write_paused:
            answer = quick.again(data, self._certificate_sha256)
            if answer is not None:
                self._headers_came()
                self._stay()
                self.transport.write(answer)
                return
        if idle and self._deadline is None:
            self._await_headers()
        begun = self._begun
        self._unheard_bytes += len(data)
        super().data_received(data)
        if self._unheard_bytes > UNHEARD_BYTES_MAX or len(self.pipeline) > PIPELINE_MAX:
            self.transport.abort()
        elif self._answered and self._deadline is None:
            # A body that nobody asked for: it has to end, as headers have to.
            self._await_headers()
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

    def pause_writing(self) -> None:
        """Wait until the client has read, but not for ever."""
        super().pause_writing()
        self._has_read()
        self._read_deadline = self.loop.call_later(self.read_timeout_s, self._hang_up)

    def resume_writing(self) -> None:
        """Go on, as the client has read."""
        self._has_read()
        super().resume_writing()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._begun += 1
        self._check = None
        self.scope["extensions"] = self._extensions  # type: ignore[typeddict-item]

    def on_headers_complete(self) -> None:
        """Answer at once what can be, else hand the request to the application."""
        self._headers_came()
        self._unheard_bytes = 0
        self._answered = False
        if (
            self.quick is not None
            and self._is_idle()
            and not self.flow.write_paused
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
        self._unheard_bytes = 0
        if not self._answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._ended += 1
        self._unheard_bytes = 0
        if self._answered:
            self._answered = False
            self._headers_came()
            self.on_response_complete()
        else:
            super().on_message_complete()

    def _is_idle(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)

    def _stay(self) -> None:
        # The timer finds out itself that it is too early: a new one for each check would cost more than its answer.
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

    def _has_read(self) -> None:
        if self._read_deadline is not None:
            self._read_deadline.cancel()
            self._read_deadline = None

    def _hang_up(self) -> None:
        self._deadline = self._read_deadline = None
        self.transport.abort()


def robot_protocol(
    quick: AtOnce | None, header_timeout_s: float, connections_max: int, read_timeout_s: float = READ_TIMEOUT_S
) -> type[RobotProtocol]:
    """Return the protocol for one server.

    Args:
        quick: Answers checks at once; None when every request is for the application.
        header_timeout_s: How long a request's headers may take to arrive.
        connections_max: Connections open at once; those beyond are closed as they come.
        read_timeout_s: How long a client may leave what it was sent unread.
    """
    values = {
        "quick": quick,
        "header_timeout_s": header_timeout_s,
        "connections_max": connections_max,
        "read_timeout_s": read_timeout_s,
    }
    return type("RobotProtocol", (RobotProtocol,), values)
