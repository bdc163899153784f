"""What the Jobs service says to a device: one request in, the messages out, in one transaction.

Every answer goes to the topic of the request with `/accepted` or `/rejected` behind it. Devices that never subscribed
to answers learn the same from `notify-next`, which is sent again for whoever asks what to do, not only when it changes.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from surefoot.fleet import aws_jobs
from surefoot.fleet.aws_device import Jobs, meet
from surefoot.fleet.aws_files import told_document
from surefoot.fleet.aws_jobs import JobExecution
from surefoot.fleet.aws_requests import NEXT, ROOT, JobsRequest, JobsTopic, Operation, parse_request
from surefoot.fleet.aws_words import JobsError, JobsErrorCode, JobStatus
from surefoot.fleet.model import Robot
from surefoot.fleet.ports import Rows
from surefoot.fleet.settings import FleetSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to publish."""

    topic: str
    payload: bytes


def answer(
    rows: Rows,
    robot: Robot,
    topic: JobsTopic,
    data: bytes,
    now_s: float,
    settings: FleetSettings,
    new_id: Callable[[], str],
) -> list[Message]:
    """Answer one request of an authenticated device; the notices that follow from it come behind the answer.

    Args:
        rows: The transaction's rows.
        robot: The device whose topics these are.
        topic: The request's topic.
        data: The request's body.
        now_s: Unix seconds.
        settings: The public address and the pace.
        new_id: Makes an id for a new assignment.
    """
    request = JobsRequest()
    try:
        request = parse_request(topic.operation, data)
        said, jobs = _take(rows, robot, topic, request, now_s, settings, new_id)
        value = _accepted(rows, robot, topic, request, said, settings)
    except JobsError as error:
        return [_rejected(topic, request, error, now_s)]
    reply = _message(f"{topic.base}/accepted", value, request.client_token, now_s)
    asks_what_to_do = topic.operation is Operation.START_NEXT or topic.job_id == NEXT
    return [reply, *notices(robot.robot_id, jobs, now_s, settings, again=asks_what_to_do)]


def failed(topic: JobsTopic, data: bytes, why: str, now_s: float) -> Message:
    """Return the answer to a request that could not be taken, though nothing is wrong with it."""
    request = JobsRequest()
    with suppress(JobsError):
        request = parse_request(topic.operation, data)
    return _rejected(topic, request, JobsError(JobsErrorCode.INTERNAL_ERROR, why), now_s)


def notices(robot_id: str, jobs: Jobs, now_s: float, settings: FleetSettings, *, again: bool = False) -> list[Message]:
    """Return what a device is told unasked after its jobs changed; `again` tells what is next in any case."""
    base, found = f"{ROOT}{robot_id}/jobs", []
    if jobs.list_changed:
        lists = {str(status): entries for status, entries in aws_jobs.lists(jobs.after).items() if entries}
        found.append(_message(f"{base}/notify", {"jobs": lists}, None, now_s))
    if jobs.next_changed or again:
        value = {"execution": _told(jobs.after[0], settings)} if jobs.after else {}
        found.append(_message(f"{base}/notify-next", value, None, now_s))
    return found


def next_notice(rows: Rows, robot_id: str, now_s: float, settings: FleetSettings) -> Message:
    """Return what tells a device which job is next, as it is known already."""
    jobs = tuple(aws_jobs.pending(rows, robot_id))
    return notices(robot_id, Jobs(before=jobs, after=jobs), now_s, settings, again=True)[0]


def _take(
    rows: Rows,
    robot: Robot,
    topic: JobsTopic,
    request: JobsRequest,
    now_s: float,
    settings: FleetSettings,
    new_id: Callable[[], str],
) -> tuple[JobExecution | None, Jobs]:
    robot_id, said = robot.robot_id, None
    before = tuple(aws_jobs.pending(rows, robot_id))
    if topic.operation is Operation.UPDATE:
        known = aws_jobs.find(rows, robot_id, topic.job_id or "")
        try:
            said = aws_jobs.update(rows, known, request, now_s)
        except JobsError:
            if known.status is JobStatus.CANCELED:
                # Taken back too late: what it says of itself is true all the same.
                meet(rows, robot, now_s, settings, new_id, (known, aws_jobs.signal_in(known, request)))
            raise
    meet(rows, robot, now_s, settings, new_id, said)
    if topic.operation is Operation.START_NEXT:
        aws_jobs.start_next(rows, robot_id, request, now_s)
    if topic.operation in (Operation.START_NEXT, Operation.DESCRIBE):
        aws_jobs.note_asked(rows, robot_id)
    jobs = Jobs(before=before, after=tuple(aws_jobs.pending(rows, robot_id)))
    return None if said is None else said[0], jobs


def _accepted(
    rows: Rows, robot: Robot, topic: JobsTopic, request: JobsRequest, said: JobExecution | None, settings: FleetSettings
) -> dict[str, Any]:
    robot_id = robot.robot_id
    match topic.operation:
        case Operation.GET_PENDING:
            lists = aws_jobs.lists(aws_jobs.pending(rows, robot_id))
            return {"inProgressJobs": lists[JobStatus.IN_PROGRESS], "queuedJobs": lists[JobStatus.QUEUED]}
        case Operation.START_NEXT:
            waiting = aws_jobs.pending(rows, robot_id)
            return {"execution": _told(waiting[0], settings)} if waiting else {}
        case Operation.DESCRIBE:
            return _described(rows, robot_id, topic.job_id or "", request, settings)
        case Operation.UPDATE:
            value: dict[str, Any] = {}
            if said is not None and request.wants_state:
                value["executionState"] = aws_jobs.execution_state(said)
            if said is not None and request.wants_document:
                value["jobDocument"] = told_document(said, settings)
            return value


def _described(rows: Rows, robot_id: str, job_id: str, request: JobsRequest, settings: FleetSettings) -> dict[str, Any]:
    if job_id == NEXT and not aws_jobs.pending(rows, robot_id):
        return {}
    known = aws_jobs.find(rows, robot_id, job_id)
    if request.execution_number not in (None, aws_jobs.EXECUTION_NUMBER):
        raise JobsError(JobsErrorCode.RESOURCE_NOT_FOUND, f"The job has no execution {request.execution_number}.")
    told = _told(known, settings) if request.wants_document else aws_jobs.description(known, None)
    return {"execution": told}


def _told(known: JobExecution, settings: FleetSettings) -> dict[str, Any]:
    return aws_jobs.description(known, told_document(known, settings))


def _rejected(topic: JobsTopic, request: JobsRequest, error: JobsError, now_s: float) -> Message:
    value: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.execution_state is not None:
        value["executionState"] = error.execution_state
    return _message(f"{topic.base}/rejected", value, error.client_token or request.client_token, now_s)


def _message(topic: str, value: dict[str, Any], client_token: str | None, now_s: float) -> Message:
    whole = {**value, "timestamp": int(now_s)}
    if client_token is not None:
        whole["clientToken"] = client_token
    # Compact: agents in the field have room for 2047 bytes.
    return Message(topic=topic, payload=json.dumps(whole, separators=(",", ":")).encode())
