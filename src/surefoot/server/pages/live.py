"""Pages that renew themselves: the parts that changed, rendered on the server and sent as server-sent events."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import StreamingResponse

from surefoot.server.operators.permissions import find_actor
from surefoot.wire.errors import Refused, SurefootError

LOOK_S = 1.0
# Proxies cut what is silent for a minute.
QUIET_S = 20.0
SESSION_S = 60.0
KEPT_S = 60.0

SIGNED_OUT = '<div class="notice careful"><p>You are signed out: <a href="/sign-in">sign in again</a>.</p></div>'

Parts = Callable[[], Awaitable[Mapping[str, str]]]


class Looks:
    """The newest look at each page that somebody watches: a hundred who may do the same share one.

    Args:
        look_s: Seconds between two looks at a page.
        monotonic_s: Seconds of a clock that never steps.
    """

    def __init__(self, look_s: float = LOOK_S, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._look_s = look_s
        self._monotonic_s = monotonic_s
        self._taken: dict[Hashable, tuple[float, asyncio.Task[Mapping[str, str]]]] = {}
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Have every stream end: the server stops, and waits for what it still answers."""
        self._ended.set()

    async def pause(self) -> bool:
        """Wait until the next look, but not beyond the end; return whether it has come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._look_s):
                await self._ended.wait()
        return self._ended.is_set()

    async def take(self, key: Hashable, parts: Parts) -> Mapping[str, str]:
        """Return the parts as of now, or as somebody else has just seen them."""
        now_s = self._monotonic_s()
        known = self._taken.get(key)
        if known is None or now_s - known[0] >= self._look_s:
            # What nobody has looked at lately is nobody's page any more.
            self._taken = {one: kept for one, kept in self._taken.items() if now_s - kept[0] < KEPT_S}
            known = self._taken[key] = now_s, asyncio.create_task(_take(parts))
        # Who leaves must not take it away from the others.
        return await asyncio.shield(known[1])


async def _take(parts: Parts) -> Mapping[str, str]:
    return await parts()


def live_response(request: Request, parts: Parts) -> StreamingResponse:
    """Send every part of a page by its name, and again when it changes, until the reader leaves or is signed out.

    What `parts` returns may depend on nothing but the address and the permissions of who asks.
    """
    return StreamingResponse(
        _events(request, parts),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _events(request: Request, parts: Parts) -> AsyncIterator[str]:
    looks: Looks = request.app.state.looks
    sent: dict[str, str] = {}
    said_s = asked_s = time.monotonic()
    yield "retry: 3000\n\n"
    is_over = False
    while not is_over:
        now_s = time.monotonic()
        if now_s - asked_s >= SESSION_S:
            asked_s = now_s
            try:
                await find_actor(request.scope["state"])
            except Refused:
                yield _event("signed-out", SIGNED_OUT)
                return
        try:
            found = await looks.take((request.url.path, request.scope["state"]["actor"].permissions), parts)
        except SurefootError:
            # The store may be away for a moment; the page says that it is not live when this ends.
            return
        for name, html in found.items():
            if sent.get(name) != html:
                sent[name] = html
                said_s = now_s
                yield _event(name, html)
        if now_s - said_s >= QUIET_S:
            said_s = now_s
            yield ": still here\n\n"
        is_over = await looks.pause()


def _event(name: str, html: str) -> str:
    # A carriage return ends a line too, and what robots say may hold one.
    lines = html.replace("\r", "").split("\n")
    data = "".join(f"data: {line}\n" for line in lines)
    return f"event: {name}\n{data}\n"
