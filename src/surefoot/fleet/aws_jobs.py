"""Job executions: assignments as devices made for AWS IoT Jobs see them, and what the service answers.

An execution is how one attempt of one assignment looks on that wire. It follows what AWS would say, state by state and
number by number, because clients in the field count on that. What is true of the device is read from its updates by
`fleet.aws_evidence` and goes into its facts; the two may differ, and then the fleet's record is the one that is right.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from surefoot.fleet.aws_evidence import Active, Signal, signal_of
from surefoot.fleet.aws_requests import NEXT, JobsRequest
from surefoot.fleet.aws_words import PENDING, JobsError, JobsErrorCode, JobStatus
from surefoot.fleet.ports import Rows

# There is one execution of a job for each thing.
EXECUTION_NUMBER = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JobExecution:
    """One attempt of an assignment on the Jobs wire; times are Unix seconds.

    `version_number` counts as AWS counts: 1 when queued, one more with each start and update. `ready_details` are the
    status details as they stood when the device was about to activate the image; `active` tells who was last heard to
    run its self-test.
    """

    job_id: str
    robot_id: str
    assignment_id: str
    release_id: str
    document: dict[str, Any]
    queued_at_s: float
    updated_at_s: float
    status: JobStatus = JobStatus.QUEUED
    details: dict[str, str] = field(default_factory=dict)
    version_number: int = 1
    started_at_s: float | None = None
    ready_details: dict[str, str] | None = None
    active: Active = Active.NOBODY

    @property
    def is_pending(self) -> bool:
        """Whether the device still has it to do."""
        return self.status in PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsDevice:
    """A robot that has asked for its jobs once, at this time (Unix seconds): it is told of new ones unasked."""

    robot_id: str
    sku: str
    since_s: float


def pending(rows: Rows, robot_id: str) -> list[JobExecution]:
    """Return what a device has to do, what it has begun first, else the oldest first."""
    found = [execution for status in PENDING for execution in rows.find(JobExecution, robot_id=robot_id, status=status)]
    return sorted(found, key=lambda known: (known.status is not JobStatus.IN_PROGRESS, known.queued_at_s, known.job_id))


def find(rows: Rows, robot_id: str, job_id: str) -> JobExecution:
    """Return a device's execution, the next one for `$next`.

    Raises:
        JobsError: `ResourceNotFound`, another device's job included.
    """
    if job_id == NEXT:
        waiting = pending(rows, robot_id)
        if waiting:
            return waiting[0]
    else:
        execution = rows.get(JobExecution, job_id)
        if execution is not None and execution.robot_id == robot_id:
            return execution
    raise JobsError(JobsErrorCode.RESOURCE_NOT_FOUND, f"There is no job {job_id} for this thing.")


def start_next(rows: Rows, robot_id: str, request: JobsRequest, now_s: float) -> JobExecution | None:
    """Begin the next job if it is queued, and return it; None when there is nothing to do."""
    waiting = pending(rows, robot_id)
    if not waiting:
        return None
    first = waiting[0]
    if first.status is JobStatus.IN_PROGRESS:
        return first
    started = replace(
        first,
        status=JobStatus.IN_PROGRESS,
        details=first.details if request.details is None else request.details,
        version_number=first.version_number + 1,
        started_at_s=now_s,
        updated_at_s=now_s,
    )
    rows.put(started)
    return started


def update(rows: Rows, known: JobExecution, request: JobsRequest, now_s: float) -> tuple[JobExecution, Signal]:
    """Take a device's update as AWS would; return the execution as it stands then, and what the update tells.

    Raises:
        JobsError: `InvalidStateTransition`, `VersionMismatch`, `InvalidRequest`; then nothing changed.
    """
    if request.status is None:
        raise JobsError(JobsErrorCode.INVALID_REQUEST, "An update needs a status.")
    if request.execution_number not in (None, EXECUTION_NUMBER):
        raise JobsError(JobsErrorCode.RESOURCE_NOT_FOUND, f"The job has no execution {request.execution_number}.")
    state = execution_state(known)
    if not known.is_pending:
        detail = f"The job is {known.status} and does not change any more."
        raise JobsError(JobsErrorCode.INVALID_STATE_TRANSITION, detail, execution_state=state)
    if request.expected_version not in (None, known.version_number):
        detail = f"The execution has version {known.version_number}, not {request.expected_version}."
        raise JobsError(JobsErrorCode.VERSION_MISMATCH, detail, execution_state=state)
    details, signal = _details(known, request), signal_in(known, request)
    ready = details if signal is Signal.READY else known.ready_details
    active = {Signal.ACTIVE_NEW: Active.NEW, Signal.ACTIVE_OLD: Active.OLD}.get(signal, known.active)
    updated = replace(
        known,
        status=request.status,
        details=details,
        version_number=known.version_number + 1,
        started_at_s=now_s if known.started_at_s is None else known.started_at_s,
        updated_at_s=now_s,
        ready_details=ready,
        active=active,
    )
    rows.put(updated)
    return updated, signal


def signal_in(known: JobExecution, request: JobsRequest) -> Signal:
    """Return what an update tells of the device, whatever it is answered."""
    ready = known.ready_details
    ready_version = None if ready is None else ready.get("updatedBy")
    return signal_of(request.status or JobStatus.IN_PROGRESS, _details(known, request), ready_version)


def note_asked(rows: Rows, robot_id: str) -> None:
    """Take it that a device asked what to do: it may have started anew, and another version of it may be asking."""
    for known in pending(rows, robot_id):
        if known.active is Active.NEW:
            rows.put(replace(known, active=Active.NEW_BEFORE))


def cancel(rows: Rows, execution: JobExecution, now_s: float) -> None:
    """Take back what a device has not ended: it is not asked for it any more."""
    if execution.is_pending:
        version_number = execution.version_number + 1
        rows.put(replace(execution, status=JobStatus.CANCELED, version_number=version_number, updated_at_s=now_s))


def _details(known: JobExecution, request: JobsRequest) -> dict[str, str]:
    return known.details if request.details is None else request.details


def summary(known: JobExecution) -> dict[str, Any]:
    """Return an execution as lists show it."""
    value: dict[str, Any] = {
        "jobId": known.job_id,
        "queuedAt": int(known.queued_at_s),
        "lastUpdatedAt": int(known.updated_at_s),
        "versionNumber": known.version_number,
        "executionNumber": EXECUTION_NUMBER,
    }
    if known.started_at_s is not None:
        value["startedAt"] = int(known.started_at_s)
    return value


def description(known: JobExecution, document: dict[str, Any] | None) -> dict[str, Any]:
    """Return an execution as a device is told it, with its document as that is told if it is wanted.

    Of a job in self-test the details are those from before the image was activated. Devices compare their version with
    the one they find there; what an "active" update left there would be their own, and make them reject themselves.
    """
    value = {**summary(known), "thingName": known.robot_id, "status": known.status}
    details = known.details if known.ready_details is None or not known.is_pending else known.ready_details
    if details:
        value["statusDetails"] = details
    if document is not None:
        value["jobDocument"] = document
    return value


def execution_state(known: JobExecution) -> dict[str, object]:
    """Return how an execution stands, as answers to updates tell it."""
    return {"status": known.status, "statusDetails": known.details, "versionNumber": known.version_number}


def lists(waiting: Iterable[JobExecution]) -> dict[JobStatus, list[dict[str, Any]]]:
    """Return what is pending by status, the oldest first."""
    found: dict[JobStatus, list[dict[str, Any]]] = {status: [] for status in PENDING}
    for known in waiting:
        found[known.status].append(summary(known))
    return found
