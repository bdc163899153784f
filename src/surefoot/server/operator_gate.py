"""What stands before the operator's framework: the token, and the size of the body.

The framework reads a body whole before it asks who sent it, so both are settled here, before it sees the request.
"""

import hmac

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from surefoot.server.asgi import ClientGone, read_body, send_response
from surefoot.server.problems import problem_of
from surefoot.server.services import Services
from surefoot.server.tokens import bearer_sha256, unknown_token

PREFIX = "/api/v1/"
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/api/v1/openapi.json"})
IMAGES_PREFIX = "/api/v1/images/"


class OperatorGate:
    """Lets requests through to the operator plane that carry the operator's token and a body of bearable size."""

    def __init__(self, services: Services, app: ASGIApp) -> None:
        self._services = services
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer with a problem document."""
        headers = dict(scope["headers"])
        path: str = scope["path"]
        try:
            if path.startswith(PREFIX) and path not in OPEN_PATHS:
                self._check_token(headers.get(b"authorization"))
            # An image's body is left to its handler, which has a limit and a time of its own for it.
            if not path.startswith(IMAGES_PREFIX):
                settings = self._services.settings
                body = await read_body(headers, receive, settings.request_bytes_max, settings.body_timeout_s)
                receive = _replay(body, receive)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - told apart and logged there
            await send_response(problem_of(error, f"{scope['method']} {path}"), receive, send)
            return
        await self._app(scope, receive, send)

    def _check_token(self, authorization: bytes | None) -> None:
        if not hmac.compare_digest(bearer_sha256(authorization), self._services.operator_token_sha256):
            raise unknown_token()


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed
