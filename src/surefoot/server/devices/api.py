"""What robots call: plain ASGI in front of the framework, as there are many of them and each question is small."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from surefoot.fleet.aws_files import PREFIX as JOB_FILES_PREFIX
from surefoot.fleet.aws_files import without_word
from surefoot.fleet.exchange import exchange, pace
from surefoot.fleet.ports import Rows
from surefoot.server.asgi import ClientGone, Response, json_response, read_body, send_response
from surefoot.server.devices.enrolment import Enrolment
from surefoot.server.devices.health import health_response
from surefoot.server.devices.identity import Identity, IdentityGate, confirm, credential_of
from surefoot.server.devices.images import image_response
from surefoot.server.devices.job_files import job_file_response
from surefoot.server.devices.manifests import manifest_response
from surefoot.server.devices.metadata import METADATA_PREFIX, TARGETS_PREFIX, metadata_response, sha256_of_target
from surefoot.server.devices.pieces import Pieces
from surefoot.server.devices.poll_cache_store import ask
from surefoot.server.devices.ranges import names_etag
from surefoot.server.problems import problem_of, unknown_path, wrong_method
from surefoot.server.services import Services
from surefoot.wire import limits
from surefoot.wire.errors import Damaged, Refused
from surefoot.wire.fields import encode_object
from surefoot.wire.offer import Answer, Offer, encode_answer, offer_to_object
from surefoot.wire.report import parse_report

PREFIX = "/v1/"
IMAGES_PREFIX = "/v1/images/"
MANIFESTS_PREFIX = "/v1/manifest/"
ENROL_PATH = "/v1/enrol"
READ_METHODS = "GET, HEAD"
FIELDS_MAX = 16


class DeviceApi:
    """The device plane as an ASGI application. A robot proves who it is and speaks for itself only."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._gate = IdentityGate(services)
        self._pieces = Pieces(services.blobs)
        self._enrolment = Enrolment(services, self._gate)
        self._handlers: dict[str, dict[str, Callable[[Scope, Receive, Identity], Awaitable[Response]]]] = {
            "/v1/check": {"GET": self._check, "POST": self._report},
            "/v1/report": {"POST": self._report},
            "/v1/health": {"POST": self._health},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every error becomes a problem document."""
        try:
            response = await self._respond(scope, receive)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - told apart and logged there
            response = problem_of(error, f"{scope['method']} {without_word(scope['path'])}")
        # Damage found amid a download is logged where it is found; what is left is to cut the connection.
        with suppress(Damaged):
            await send_response(response, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        path: str = scope["path"]
        method: str = scope["method"]
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        services = self._services
        if path.startswith((IMAGES_PREFIX, MANIFESTS_PREFIX, METADATA_PREFIX, TARGETS_PREFIX, JOB_FILES_PREFIX)):
            if method not in {"GET", "HEAD"}:
                return wrong_method(READ_METHODS)
            if path.startswith(JOB_FILES_PREFIX):
                return await job_file_response(services, self._pieces, method, path, headers)
            if path.startswith(MANIFESTS_PREFIX):
                return await manifest_response(services, method, path.removeprefix(MANIFESTS_PREFIX), headers)
            if path.startswith(METADATA_PREFIX):
                return await metadata_response(services, method, path.removeprefix(METADATA_PREFIX), headers)
            identity = await self._gate.identify(scope, headers)
            sha256 = path.removeprefix(IMAGES_PREFIX)
            if path.startswith(TARGETS_PREFIX):
                sha256 = await sha256_of_target(services, path.removeprefix(TARGETS_PREFIX))
            return await image_response(services, self._pieces, identity.robot, method, sha256, headers)
        if path == ENROL_PATH:
            if method != "POST":
                return wrong_method("POST")
            return await self._enrolment.respond(scope, receive, headers)
        if path not in self._handlers:
            raise unknown_path()
        handler = self._handlers[path].get(method)
        if handler is None:
            return wrong_method(", ".join(self._handlers[path]))
        return await handler(scope, receive, await self._gate.recognise(scope, headers))

    async def _check(self, scope: Scope, _receive: Receive, identity: Identity) -> Response:
        question: bytes = scope["query_string"]
        sku, version = parse_question(question)
        services, robot_id = self._services, identity.robot.robot_id
        headers: Mapping[bytes, bytes] = dict(scope["headers"])

        def work(rows: Rows) -> tuple[Offer | None, int | None]:
            now_s = services.now_s()
            robot = confirm(rows, identity, now_s)
            return ask(rows, robot, sku, version, now_s, services.fleet, services.new_id)

        offer, known_in = await services.write(work, about=robot_id)
        next_check_s = pace(identity.robot, services.fleet, busy=offer is not None)
        if offer is None:
            credential = credential_of(headers, identity.certificate_sha256)
            if known_in is not None and credential is not None:
                until_s = identity.valid_until_s
                services.polls.keep(credential, question, robot_id, next_check_s, known_in, until_s)
            return Response(status=204, headers=_steering(next_check_s))
        body = encode_object(offer_to_object(offer) | {"next_check_s": next_check_s})
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        common = {**_steering(next_check_s), b"etag": etag.encode()}
        if b"if-none-match" in headers and names_etag(headers[b"if-none-match"].decode("latin-1"), etag):
            return Response(status=304, headers=common)
        return Response(status=200, headers={**common, b"content-type": b"application/json"}, body=body)

    async def _report(self, scope: Scope, receive: Receive, identity: Identity) -> Response:
        services = self._services
        body = await read_body(
            dict(scope["headers"]), receive, limits.REPORT_BYTES_MAX, services.settings.body_timeout_s
        )
        report = parse_report(body)

        def work(rows: Rows) -> Answer:
            now_s = services.now_s()
            robot = confirm(rows, identity, now_s)
            return exchange(rows, robot, report, now_s, services.fleet, services.new_id)

        return json_response(encode_answer(await services.write(work, about=identity.robot.robot_id)))

    async def _health(self, scope: Scope, receive: Receive, identity: Identity) -> Response:
        return await health_response(self._services, scope, receive, identity)


def _steering(next_check_s: int) -> dict[bytes, bytes]:
    return {b"retry-after": str(next_check_s).encode(), b"cache-control": b"no-store"}


def parse_question(question: bytes) -> tuple[str, str]:
    """Return the sku and the version that a check's query names; `Refused` (`refused-query-format`)."""
    try:
        query = parse_qs(question.decode("latin-1"), max_num_fields=FIELDS_MAX)
    except ValueError:
        raise Refused("refused-query-format", f"The query has more than {FIELDS_MAX} fields: ask with less.") from None
    return _parameter(query, "sku"), _parameter(query, "version")


def _parameter(query: dict[str, list[str]], name: str) -> str:
    values = query.get(name, [])
    if len(values) != 1 or len(values[0]) > limits.NAME_CHARS_MAX:
        raise Refused(
            "refused-query-format",
            f"The query must name one {name} of at most {limits.NAME_CHARS_MAX} characters: ask with ?sku=…&version=….",
        )
    return values[0]
