"""A TCP connection on MicroPython, with or without TLS, that never waits longer than it is told."""

import select
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TIMEOUT_S = 5
READ_BYTES = 1024


class Esp32Stream:
    """One open connection. Fills `shell.ports.Stream`.

    Args:
        host: Name or address; with TLS, the name in the certificate.
        port: TCP port.
        tls: MicroPython's `tls.SSLContext` with `verify_mode` CERT_REQUIRED and the CA loaded; None for a broker on the
            chip's own wire.
    """

    def __init__(self, host: str, port: int, tls: "Any" = None) -> None:
        self._socket: "Any" = socket.socket()
        try:
            # On this socket the limit also holds for the handshake.
            self._socket.settimeout(TIMEOUT_S)
            self._socket.connect(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0][-1])
            self._stream: "Any" = self._socket
            if tls is not None:
                self._stream = tls.wrap_socket(self._socket, server_hostname=host)
            self._stream.setblocking(False)
        except OSError:
            self._socket.close()
            raise
        self._poll = select.poll()
        self._poll.register(self._stream, select.POLLIN)

    def read(self, timeout_ms: int) -> "bytes | None":
        """Return what has arrived, None when nothing does within so many milliseconds.

        Raises:
            OSError: The connection has ended.
        """
        self._poll.poll(timeout_ms)
        data: "bytes | None" = self._stream.read(READ_BYTES)
        if data == b"":
            raise OSError("it closed the connection")
        return data

    def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            OSError: The connection has ended, or takes nothing more.
        """
        self._poll.modify(self._stream, select.POLLOUT)
        try:
            while data:
                if not self._poll.poll(TIMEOUT_S * 1000):
                    raise OSError("it takes nothing more")
                data = data[self._stream.write(data) or 0 :]
        finally:
            self._poll.modify(self._stream, select.POLLIN)

    def close(self) -> None:
        """Let go of the connection."""
        self._poll.unregister(self._stream)
        self._stream.close()
        self._socket.close()


def rising_ms(ticks_ms: "Callable[[], int]", ticks_diff: "Callable[[int, int], int]") -> "Callable[[], int]":
    """Return a clock from MicroPython's `time.ticks_ms`, which begins anew every 12 days; look at it more often."""
    seen, total_ms = ticks_ms(), 0

    def clock_ms() -> int:
        nonlocal seen, total_ms
        now = ticks_ms()
        total_ms += ticks_diff(now, seen)
        seen = now
        return total_ms

    return clock_ms
