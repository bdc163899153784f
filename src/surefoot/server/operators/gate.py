"""What stands before the operator's framework: who asks, what a browser may be tricked into, and the size of the body.

The framework reads a body whole before it asks who sent it, so all of this is settled here, before it sees the request.
"""

import hmac
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from surefoot.fleet.access import ApiToken, Session
from surefoot.fleet.accounts import BOOTSTRAP
from surefoot.fleet.ports import Rows
from surefoot.server.asgi import ClientGone, read_body, send_response, with_headers
from surefoot.server.operators.permissions import PERMISSIONS_OF, Actor, How, Role, find_actor
from surefoot.server.operators.sessions import SAFE_METHODS, check_csrf, cookie_of, session_holder
from surefoot.server.problems import problem_of
from surefoot.server.services import Services
from surefoot.server.tokens import bearer_sha256, token_holder, token_sha256

PREFIX = "/api/v1/"
# Who is nobody yet may see the description of the API, whether the server lives, and the ways to sign in.
OPEN_PATHS = frozenset(
    {
        "/healthz",
        "/readyz",
        "/api/v1/openapi.json",
        "/api/v1/device-openapi.json",
        "/api/v1/docs",
        "/api/v1/session/password",
        "/api/v1/session/oidc",
        "/api/v1/session/oidc/callback",
    }
)
METRICS_PATH = "/metrics"
IMAGES_PREFIX = "/api/v1/images/"
# Answers hold nothing a browser may keep, embed, guess the kind of, or tell another site about.
SAFE_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class OperatorGate:
    """Lets requests through to the operator plane whose sender is known and whose body is of bearable size."""

    def __init__(self, services: Services, app: ASGIApp) -> None:
        self._services = services
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its actor in the scope's state, or answer with a problem document."""
        headers = dict(scope["headers"])
        path: str = scope["path"]
        send = with_headers(send, SAFE_HEADERS)
        try:
            needs_actor = path.startswith(PREFIX) and path not in OPEN_PATHS
            if needs_actor or (path == METRICS_PATH and self._services.settings.metrics_need_token):
                state = scope.setdefault("state", {})
                state["find_actor"] = partial(self._actor, headers, scope["method"])
                await find_actor(state)
            # An image's body is left to its handler, which has a limit and a time of its own for it.
            if not path.startswith(IMAGES_PREFIX):
                settings = self._services.settings
                body = await read_body(headers, receive, settings.request_bytes_max, settings.body_timeout_s)
                receive = _replay(body, receive)
                # A body may take its time, and who sent it may have lost leave meanwhile.
                if body and "find_actor" in scope.get("state", {}):
                    await find_actor(scope["state"])
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - told apart and logged there
            await send_response(problem_of(error, f"{scope['method']} {path}"), receive, send)
            return
        await self._app(scope, receive, send)

    async def _actor(self, headers: Mapping[bytes, bytes], method: str) -> Actor:
        # A request that carries both means the token: browsers add cookies by themselves.
        cookie = None if b"authorization" in headers else cookie_of(headers)
        if cookie is None:
            return await self._by_token(bearer_sha256(headers.get(b"authorization")))
        actor = await actor_by_session(self._services, cookie)
        if method not in SAFE_METHODS:
            check_csrf(cookie, headers, self._services.fleet.public_url)
        return actor

    async def _by_token(self, sha256: str) -> Actor:
        services = self._services
        if hmac.compare_digest(sha256, services.operator_token_sha256):
            return Actor(name=BOOTSTRAP, role=Role.ADMIN, how=How.TOKEN, permissions=PERMISSIONS_OF[Role.ADMIN])
        now_s = services.now_s()
        known = await services.read(lambda rows: token_holder(rows, sha256, now_s))

        def note(rows: Rows) -> None:
            token = rows.get(ApiToken, sha256)
            if token is not None:
                rows.put(replace(token, used_at_s=now_s))

        if known.note_use:
            await services.write(note)
        return known.actor


async def actor_by_session(services: Services, cookie: str) -> Actor:
    """Return who has the session of a cookie, and note now and then that it is used.

    Raises:
        Refused: `refused-session`.
    """
    now_s = services.now_s()
    known = await services.read(lambda rows: session_holder(rows, cookie, services.settings, now_s))

    def note(rows: Rows) -> None:
        session = rows.get(Session, token_sha256(cookie))
        if session is not None:
            rows.put(replace(session, used_at_s=now_s))

    if known.note_use:
        await services.write(note)
    return known.actor


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed
