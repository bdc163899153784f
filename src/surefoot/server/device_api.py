"""What robots call: plain ASGI in front of the framework, as there are many of them and each question is small."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from surefoot.fleet.exchange import exchange, poll
from surefoot.fleet.model import Robot
from surefoot.fleet.ports import Rows
from surefoot.server.asgi import ClientGone, Response, json_response, read_body, send_response
from surefoot.server.images import image_response
from surefoot.server.problems import problem_of, unknown_path, wrong_method
from surefoot.server.services import Services
from surefoot.server.tokens import bearer_sha256, unknown_token
from surefoot.wire import limits
from surefoot.wire.errors import Damaged, Refused
from surefoot.wire.fields import encode_object
from surefoot.wire.offer import Answer, Offer, encode_answer, offer_to_object
from surefoot.wire.report import parse_report

PREFIX = "/v1/"
IMAGES_PREFIX = "/v1/images/"


class DeviceApi:
    """The device plane as an ASGI application. A robot is known by its bearer token and speaks for itself only."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._handlers: dict[str, dict[str, Callable[[Scope, Receive, Robot], Awaitable[Response]]]] = {
            "/v1/check": {"GET": self._check, "POST": self._report},
            "/v1/report": {"POST": self._report},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every error becomes a problem document."""
        try:
            response = await self._respond(scope, receive)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - told apart and logged there
            response = problem_of(error, f"{scope['method']} {scope['path']}")
        # Damage found amid a download is logged where it is found; what is left is to cut the connection.
        with suppress(Damaged):
            await send_response(response, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        path: str = scope["path"]
        method: str = scope["method"]
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        if path.startswith(IMAGES_PREFIX):
            if method not in {"GET", "HEAD"}:
                return wrong_method("GET, HEAD")
            await self._authenticate(headers)
            return await image_response(self._services, method, path.removeprefix(IMAGES_PREFIX), headers)
        if path not in self._handlers:
            raise unknown_path()
        handler = self._handlers[path].get(method)
        if handler is None:
            return wrong_method(", ".join(self._handlers[path]))
        return await handler(scope, receive, await self._authenticate(headers))

    async def _authenticate(self, headers: Mapping[bytes, bytes]) -> Robot:
        # A read of its own, so that strangers neither queue up before the writer nor get their bodies read.
        sha256 = bearer_sha256(headers.get(b"authorization"))
        robot = await self._services.read(lambda rows: rows.robot_by_token(sha256))
        if robot is None:
            raise unknown_token()
        return robot

    async def _check(self, scope: Scope, _receive: Receive, robot: Robot) -> Response:
        query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=16)
        sku, version = _parameter(query, "sku"), _parameter(query, "version")
        services = self._services

        def work(rows: Rows) -> Offer | None:
            return poll(rows, robot, sku, version, services.now_s(), services.fleet, services.new_id)

        offer = await services.write(work)
        if offer is None:
            retry_after = str(services.fleet.next_check_s).encode()
            return Response(status=204, headers={b"retry-after": retry_after, b"cache-control": b"no-store"})
        return json_response(encode_object(offer_to_object(offer)))

    async def _report(self, scope: Scope, receive: Receive, robot: Robot) -> Response:
        services = self._services
        body = await read_body(
            dict(scope["headers"]), receive, limits.REPORT_BYTES_MAX, services.settings.body_timeout_s
        )
        report = parse_report(body)

        def work(rows: Rows) -> Answer:
            return exchange(rows, robot, report, services.now_s(), services.fleet, services.new_id)

        return json_response(encode_answer(await services.write(work)))


def _parameter(query: dict[str, list[str]], name: str) -> str:
    values = query.get(name, [])
    if len(values) != 1 or len(values[0]) > limits.NAME_CHARS_MAX:
        raise Refused(
            "refused-query-format",
            f"The query must name one {name} of at most {limits.NAME_CHARS_MAX} characters: ask with ?sku=…&version=….",
        )
    return values[0]
