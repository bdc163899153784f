"""What devices made for AWS IoT Jobs ask: the topics, and requests read as leniently as their firmware needs.

`P = $aws/things/{thing}/jobs`; numbers may come as JSON strings, and a client token is given back in every answer.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from surefoot.fleet.aws_words import JobsError, JobsErrorCode, JobStatus
from surefoot.wire.fields import ID_CHARS, NAME_CHARS

ROOT = "$aws/things/"
NEXT = "$next"
THING_CHARS_MAX = 128
JOB_ID_CHARS_MAX = 64
REQUEST_BYTES_MAX = 32 * 1024
CLIENT_TOKEN_BYTES_MAX = 64
DETAILS_MAX = 10
DETAIL_CHARS_MAX = 1024
# What a device may set; the rest is the service's.
SETTABLE = (JobStatus.IN_PROGRESS, JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.REJECTED)


class Operation(StrEnum):
    """What is asked of a thing's jobs."""

    GET_PENDING = "get-pending"
    START_NEXT = "start-next"
    DESCRIBE = "describe"
    UPDATE = "update"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsTopic:
    """A request topic taken apart; `job_id` is `$next` where a device asks so, None where none is named."""

    thing: str
    operation: Operation
    job_id: str | None

    @property
    def base(self) -> str:
        """The topic that replies append `/accepted` or `/rejected` to."""
        jobs = f"{ROOT}{self.thing}/jobs"
        match self.operation:
            case Operation.GET_PENDING:
                return f"{jobs}/get"
            case Operation.START_NEXT:
                return f"{jobs}/start-next"
            case Operation.DESCRIBE:
                return f"{jobs}/{self.job_id}/get"
            case Operation.UPDATE:
                return f"{jobs}/{self.job_id}/update"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsRequest:
    """What the body of a request says; what it leaves out is None, or what AWS takes it for."""

    client_token: str | None = None
    status: JobStatus | None = None
    details: dict[str, str] | None = None
    expected_version: int | None = None
    execution_number: int | None = None
    wants_state: bool = False
    wants_document: bool = False


def parse_topic(topic: str) -> JobsTopic | None:
    """Take a request topic apart; None for a topic that is no request, as replies are."""
    parts = topic.split("/")
    if len(parts) < 5 or parts[:2] != ["$aws", "things"] or parts[3] != "jobs":
        return None
    thing, rest = parts[2], parts[4:]
    if not is_thing(thing):
        return None
    match rest:
        case ["get"]:
            return JobsTopic(thing=thing, operation=Operation.GET_PENDING, job_id=None)
        case ["start-next"]:
            return JobsTopic(thing=thing, operation=Operation.START_NEXT, job_id=None)
        case [job_id, "get"] if job_id == NEXT or is_job_id(job_id):
            return JobsTopic(thing=thing, operation=Operation.DESCRIBE, job_id=job_id)
        case [job_id, "update"] if is_job_id(job_id):
            return JobsTopic(thing=thing, operation=Operation.UPDATE, job_id=job_id)
    return None


def is_thing(text: str) -> bool:
    """Whether this can name a thing, which is a robot."""
    return 0 < len(text) <= THING_CHARS_MAX and not text.strip(NAME_CHARS)


def is_job_id(text: str) -> bool:
    """Whether this can name a job."""
    return 0 < len(text) <= JOB_ID_CHARS_MAX and not text.strip(ID_CHARS)


def parse_request(operation: Operation, data: bytes) -> JobsRequest:
    """Read the body of a request; an empty one says nothing.

    Raises:
        JobsError: `InvalidJson`, `InvalidRequest`; the client token goes with it where it could be read.
    """
    if len(data) > REQUEST_BYTES_MAX:
        raise JobsError(JobsErrorCode.INVALID_REQUEST, f"The request has more than {REQUEST_BYTES_MAX} bytes.")
    try:
        source = json.loads(data.decode()) if data.strip() else {}
    except (ValueError, RecursionError):
        raise JobsError(JobsErrorCode.INVALID_JSON, "The request is not JSON in UTF-8.") from None
    if not isinstance(source, dict):
        raise JobsError(JobsErrorCode.INVALID_JSON, "The request is not a JSON object.")
    token = _client_token(source)
    try:
        return _read(operation, source, token)
    except JobsError as error:
        raise JobsError(error.code, error.message, client_token=token) from None


def _read(operation: Operation, source: dict[str, Any], token: str | None) -> JobsRequest:
    status = None
    if operation is Operation.UPDATE:
        said = source.get("status")
        if said not in SETTABLE:
            words = ", ".join(SETTABLE)
            raise JobsError(JobsErrorCode.INVALID_REQUEST, f"status must be one of {words}.")
        status = JobStatus(said)
    describes = operation is Operation.DESCRIBE
    return JobsRequest(
        client_token=token,
        status=status,
        details=_details(source.get("statusDetails")),
        expected_version=_number(source, "expectedVersion"),
        execution_number=_number(source, "executionNumber"),
        wants_state=_flag(source, "includeJobExecutionState", default=False),
        wants_document=_flag(source, "includeJobDocument", default=describes),
    )


def _client_token(source: dict[str, Any]) -> str | None:
    token = source.get("clientToken")
    if token is None:
        return None
    if not isinstance(token, str) or not _is_utf8(token, CLIENT_TOKEN_BYTES_MAX):
        raise JobsError(
            JobsErrorCode.INVALID_REQUEST, f"clientToken must be text of up to {CLIENT_TOKEN_BYTES_MAX} bytes."
        )
    return token


def _details(value: object) -> dict[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or len(value) > DETAILS_MAX:
        raise JobsError(JobsErrorCode.INVALID_REQUEST, f"statusDetails must be an object of up to {DETAILS_MAX} pairs.")
    for name, text in value.items():
        fits = isinstance(text, str) and 0 < len(text) <= DETAIL_CHARS_MAX and _is_utf8(text, 4 * DETAIL_CHARS_MAX)
        if not fits or not 0 < len(name) <= THING_CHARS_MAX or not _is_utf8(name, 4 * THING_CHARS_MAX):
            raise JobsError(
                JobsErrorCode.INVALID_REQUEST, f"statusDetails must hold texts of 1 to {DETAIL_CHARS_MAX} characters."
            )
    return dict(value)


def _is_utf8(text: str, bytes_max: int) -> bool:
    """Whether this can be stored and sent: no halves of characters, no NUL, not too long."""
    try:
        return "\0" not in text and len(text.encode()) <= bytes_max
    except UnicodeEncodeError:
        return False


def _number(source: dict[str, Any], name: str) -> int | None:
    value = source.get(name)
    if isinstance(value, str) and len(value) <= 18 and value.isascii() and value.isdigit():
        value = int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63):
        return value
    raise JobsError(JobsErrorCode.INVALID_REQUEST, f"{name} must be a whole number.")


def _flag(source: dict[str, Any], name: str, *, default: bool) -> bool:
    value = source.get(name, default)
    if value in ("true", "false"):
        return bool(value == "true")
    if not isinstance(value, bool):
        raise JobsError(JobsErrorCode.INVALID_REQUEST, f"{name} must be true or false.")
    return value
