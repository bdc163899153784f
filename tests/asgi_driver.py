"""Calls an ASGI application without a network, and shows every message it sent."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came back; `pieces` are the bodies of the single messages."""

    status: int
    headers: dict[str, str]
    pieces: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The stable code of a problem document, checked to be one."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.json["status"] == self.status
        assert self.json["type"].endswith(self.json["code"])
        return str(self.json["code"])


def call(
    app: ASGIApp,
    method: str,
    target: str,
    *,
    token: str | None = None,
    headers: dict[str, str] | None = None,
    body: bytes | Sequence[bytes] = b"",
    hang_up: bool = False,
    certificate: str | None = None,
    address: str = "127.0.0.1",
) -> Answered:
    """Send one request and return the answer, or hang up right behind it.

    A sequence of bodies is a chunked one, which announces no length; `certificate` (PEM) is what the client showed
    when it connected from `address`.
    """
    path, _, query = target.partition("?")
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    if isinstance(body, bytes):
        sent.setdefault("content-length", str(len(body)))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": (address, 50000),
        "extensions": {"tls": {"client_cert_chain": [] if certificate is None else [certificate]}},
        "server": ("127.0.0.1", 8443),
        "state": {},
    }
    return asyncio.run(_call(app, scope, [body] if isinstance(body, bytes) else list(body), hang_up=hang_up))


async def _call(app: ASGIApp, scope: dict[str, Any], chunks: list[bytes], *, hang_up: bool) -> Answered:
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        for number, chunk in enumerate(chunks, start=1)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        if hang_up:
            return {"type": "http.disconnect"}
        return await asyncio.Future()  # a client that waits for its answer says nothing

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = sent[0]
    return Answered(
        status=start["status"],
        headers={name.decode().lower(): value.decode() for name, value in start["headers"]},
        pieces=tuple(message.get("body", b"") for message in sent[1:]),
    )
