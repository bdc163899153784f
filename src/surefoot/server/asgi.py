"""The little of ASGI that the device plane needs: read a bounded body, send an answer, notice that nobody listens."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.responses import Response as StarletteResponse
from starlette.types import Message, Receive, Send

from surefoot.wire.errors import Interrupted, Refused

JSON = b"application/json"
# What is read on behind a refused body, so that a client which writes first and reads later sees the refusal.
DRAIN_BYTES_MAX = 1024 * 1024
DRAIN_TIMEOUT_S = 1.0


class ClientGone(Exception):
    """The client hung up: there is nobody to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer: `body`, or `pieces` sent one by one for what does not belong into memory."""

    status: int
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    pieces: AsyncGenerator[bytes, None] | None = None


def json_response(body: bytes, status: int = 200) -> Response:
    """Return an answer of JSON bytes that no cache may keep."""
    return Response(status=status, headers={b"content-type": JSON, b"cache-control": b"no-store"}, body=body)


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, bytes_max: int, timeout_s: float) -> bytes:
    """Return a request's body; raise as `receive_body`."""
    body = bytearray()
    await receive_body(headers, receive, bytes_max, timeout_s, body.extend)
    return bytes(body)


async def receive_body(
    headers: Mapping[bytes, bytes],
    receive: Receive,
    bytes_max: int,
    timeout_s: float,
    take: Callable[[bytes], object],
) -> None:
    """Hand on a request's body, announced or chunked, piece by piece and never more of it than allowed.

    Raises:
        Refused: `refused-body-too-large`, without reading an announced body at all.
        Interrupted: `interrupted-body` when it does not arrive in time.
        ClientGone: when the client hung up first.
    """
    pieces = _pieces(receive)
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and (len(announced) > 18 or int(announced) > bytes_max):
        # Who waits for leave to send has nothing on the way, and asking for more would give that leave.
        if b"expect" not in headers:
            await _drain(pieces)
        raise _too_large(bytes_max)
    size_bytes = 0
    try:
        async with asyncio.timeout(timeout_s):
            async for piece in pieces:
                size_bytes += len(piece)
                if size_bytes > bytes_max:
                    break
                take(piece)
    except TimeoutError:
        raise Interrupted(
            "interrupted-body", f"The body did not arrive within {timeout_s:g} s: send it again."
        ) from None
    if size_bytes > bytes_max:
        await _drain(pieces)
        raise _too_large(bytes_max)


async def send_response(response: Response, receive: Receive, send: Send) -> None:
    """Send the answer; stop when the client hangs up, or is hung up on since it does not read."""
    headers = dict(response.headers)
    if response.pieces is None and response.status not in {204, 304}:
        headers.setdefault(b"content-length", str(len(response.body)).encode())
    await send({"type": "http.response.start", "status": response.status, "headers": list(headers.items())})
    if response.pieces is None:
        await send({"type": "http.response.body", "body": response.body})
        return
    gone = asyncio.create_task(_until_gone(receive))
    try:
        async with aclosing(response.pieces) as pieces:
            async for piece in pieces:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()


async def _pieces(receive: Receive) -> AsyncGenerator[bytes, None]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


async def _drain(pieces: AsyncGenerator[bytes, None]) -> None:
    read_bytes = 0
    with suppress(TimeoutError, ClientGone):
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            async for piece in pieces:
                read_bytes += len(piece)
                if read_bytes > DRAIN_BYTES_MAX:
                    return


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _too_large(bytes_max: int) -> Refused:
    return Refused("refused-body-too-large", f"The body is too large: send at most {bytes_max} bytes.")


def to_starlette(response: Response) -> StarletteResponse:
    """Return the response as the frameworks behind the gates send it."""
    headers = {name.decode(): value.decode() for name, value in response.headers.items()}
    return StarletteResponse(status_code=response.status, headers=headers, content=response.body)


def with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    """Return a `send` that adds these headers to every answer that does not set them itself."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            said = MutableHeaders(scope=message)
            for name, value in headers.items():
                said.setdefault(name, value)
        await send(message)

    return sending
