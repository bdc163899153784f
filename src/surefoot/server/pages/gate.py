"""What stands before the pages: the session's cookie, the token in every form, and what a browser may load."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from urllib.parse import parse_qs, quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from surefoot.server.asgi import ClientGone, read_body, with_headers
from surefoot.server.operators.gate import actor_by_session
from surefoot.server.operators.permissions import find_actor
from surefoot.server.operators.sessions import CSRF_HEADER, SAFE_METHODS, check_csrf, check_origin, cookie_of
from surefoot.server.pages.errors import error_response
from surefoot.server.pages.rendering import warm_up
from surefoot.server.problems import unknown_path
from surefoot.server.services import Services
from surefoot.wire.errors import Refused, SurefootError

SIGN_IN = "/sign-in"
ASSETS = "/assets/"
LIVE = "/live/"
CSRF_FIELD = "csrf_token"
FIELDS_MAX = 500
# Everything from the server itself, nothing inline. With no referrer at all, browsers would send forms from `null`.
SAFE_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
}


class PagesGate:
    """Lets requests through to the pages whose session is known and whose form this server made."""

    def __init__(self, services: Services, app: Starlette) -> None:
        self._services = services
        self._app = app
        self._warm_up: threading.Thread | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its actor and form in the scope's state, or answer with a page that says why not."""
        if self._warm_up is None:
            self._warm_up = threading.Thread(target=warm_up, name="surefoot-templates", daemon=True)
            self._warm_up.start()
        send = with_headers(send, SAFE_HEADERS)
        request = Request(scope, receive)
        try:
            if not self._is_known(scope):
                await self._refuse_unknown(request)
            if not scope["path"].startswith(ASSETS):
                await self._admit(request)
        except ClientGone:
            return
        except SurefootError as error:
            await self._turned_away(request, error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admit(self, request: Request) -> None:
        scope, headers = request.scope, dict(request.scope["headers"])
        state = scope.setdefault("state", {})
        signs_in = scope["path"] == SIGN_IN
        cookie = cookie_of(headers)
        if cookie is None and not signs_in:
            raise Refused("refused-session", "Nobody is signed in here: sign in.")
        if cookie is not None:
            state["cookie"] = cookie
        if cookie is not None and not signs_in:
            state["find_actor"] = partial(actor_by_session, self._services, cookie)
            await find_actor(state)
        if scope["method"] in SAFE_METHODS:
            return
        settings = self._services.settings
        body = await read_body(headers, request.receive, settings.request_bytes_max, settings.body_timeout_s)
        state["form"] = form = _form(headers, body)
        if signs_in or cookie is None:
            check_origin(headers, self._services.fleet.public_url, required=True)
            return
        sent = {**headers, CSRF_HEADER.encode(): form.get(CSRF_FIELD, "").encode()}
        check_csrf(cookie, sent, self._services.fleet.public_url)
        # A body may take its time, and who sent it may have lost leave meanwhile.
        await find_actor(state)

    async def _refuse_unknown(self, request: Request) -> None:
        if accepts_html(request) and request.method in SAFE_METHODS:
            # Who is signed in goes on from there.
            with suppress(SurefootError):
                await self._admit(request)
            raise Refused("not-found-path", "There is no page at this address: it may be mistyped, or of long ago.")
        raise unknown_path()

    def _is_known(self, scope: Scope) -> bool:
        return any(route.matches(scope)[0] is not Match.NONE for route in self._app.router.routes)

    def _turned_away(self, request: Request, error: SurefootError) -> Response:
        nobody = error.code in {"refused-session", "refused-token"}
        if not nobody or not accepts_html(request):
            return error_response(request, error)
        path, query = request.url.path, request.url.query
        to = f"{path}?{query}" if query else path
        target = SIGN_IN if request.method != "GET" or to == "/" else f"{SIGN_IN}?next={quote(to, safe='')}"
        if "hx-request" in request.headers:
            return Response(status_code=204, headers={"hx-redirect": target})
        return RedirectResponse(target, status_code=303)


def accepts_html(request: Request) -> bool:
    """Whether a person's browser asks, and no program."""
    return "text/html" in request.headers.get("accept", "") or "hx-request" in request.headers


def _form(headers: Mapping[bytes, bytes], body: bytes) -> dict[str, str]:
    """Return the fields of a form, of those that come twice the last; `Refused` (`refused-request-format`)."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/x-www-form-urlencoded":
        raise Refused("refused-request-format", "The page was sent something that is no form: reload it, try again.")
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise Refused("refused-request-format", "The form cannot be read: reload the page and try again.") from None
    return {name: values[-1] for name, values in fields.items()}
