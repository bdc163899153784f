"""Errors as HTTP says them: RFC 9457 problem details whose `type` ends in the stable code."""

import logging

import msgspec

from surefoot.fleet.attempts import TooManyAttempts
from surefoot.fleet.downloads import OverLimit
from surefoot.server.asgi import Response
from surefoot.wire.errors import Damaged, Interrupted, Misuse, Refused, SurefootError

PROBLEM_JSON = b"application/problem+json"
TYPE_PREFIX = "urn:surefoot:problem:"
RETRY_AFTER_S = 5

log = logging.getLogger(__name__)

# First match wins: the code; for what the sender must act on, the code's beginning, then its end; then who must act.
STATUS_BY_CODE = {
    "refused-token": 401,
    "refused-session": 401,
    "refused-login": 401,
    "refused-certificate": 401,
    "refused-enrolment-code": 403,
    "refused-permission": 403,
    "refused-csrf": 403,
    "refused-robot-mismatch": 403,
    "refused-method": 405,
    "interrupted-body": 408,
    "refused-body-too-large": 413,
    "refused-range": 416,
    "refused-attempts": 429,
    "refused-download-limit": 429,
    "gone-recalled": 410,
}
STATUS_BY_PREFIX = {"not-found-": 404}
STATUS_BY_SUFFIX = {"-exists": 409, "-state": 409, "-format": 400}
STATUS_BY_CLASS: dict[type[SurefootError], int] = {Refused: 422, Interrupted: 503, Damaged: 500, Misuse: 500}

OF_THE_DATABASE = ("interrupted-store", "damaged-store")

TITLES = {
    400: "The request cannot be read",
    401: "Authentication is needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "The request took too long",
    409: "This conflicts with what is there",
    410: "Gone",
    413: "The request is too large",
    416: "The range lies past the end",
    422: "Refused",
    429: "Too many requests",
    500: "The server failed",
    503: "Try again later",
}


def status_of(error: SurefootError) -> int:
    """Return the HTTP status that says who must act."""
    if error.code in STATUS_BY_CODE:
        return STATUS_BY_CODE[error.code]
    if isinstance(error, Refused):
        for prefix, status in STATUS_BY_PREFIX.items():
            if error.code.startswith(prefix):
                return status
        for suffix, status in STATUS_BY_SUFFIX.items():
            if error.code.endswith(suffix):
                return status
    return next(status for kind, status in STATUS_BY_CLASS.items() if isinstance(error, kind))


def problem_response(error: SurefootError, headers: dict[bytes, bytes] | None = None) -> Response:
    """Return the error as an answer, with the headers its status asks for."""
    status = status_of(error)
    all_headers = {b"content-type": PROBLEM_JSON, b"cache-control": b"no-store", **(headers or {})}
    if status == 401:
        all_headers[b"www-authenticate"] = b'Bearer realm="surefoot"'
    if status in {408, 413}:
        # What is left of the body would be read as the next request.
        all_headers[b"connection"] = b"close"
    if isinstance(error, TooManyAttempts | OverLimit):
        all_headers[b"retry-after"] = str(error.retry_after_s).encode()
    if status == 503:
        all_headers[b"retry-after"] = str(RETRY_AFTER_S).encode()
    body = {
        "type": TYPE_PREFIX + error.code,
        "title": TITLES[status],
        "status": status,
        "detail": _told(error),
        "code": error.code,
    }
    return Response(status=status, headers=all_headers, body=msgspec.json.encode(body))


def _told(error: SurefootError) -> str:
    """Return the message without a database's own words behind it: they name its address, and strangers may ask."""
    if error.code not in OF_THE_DATABASE:
        return error.message
    sentence = error.message.partition(". ")[0].rstrip(".")
    return f"{sentence}. The server's log says more."


def problem_of(error: Exception, where: str) -> Response:
    """Return the answer for whatever a handler raised; what the sender cannot mend is logged and not told."""
    match error:
        case Refused() | Interrupted():
            return problem_response(error)
        case Damaged():
            log.error("damaged where=%s code=%s detail=%s", where, error.code, error.message)
            return problem_response(error)
        case _:
            log.error("failed where=%s", where, exc_info=error)
            detail = "The server met an error of its own: its log has the details."
            return problem_response(Misuse("misuse-server", detail))


def unknown_path() -> Refused:
    """Return the refusal of a path nothing is behind."""
    return Refused("not-found-path", "There is nothing at this path: see the HTTP reference for what there is.")


def wrong_method(allowed: str) -> Response:
    """Return the answer to a method that the path does not have; `allowed` lists those it has."""
    error = Refused("refused-method", f"This path does not take that method: use {allowed}.")
    return problem_response(error, {b"allow": allowed.encode()})
