"""The words of AWS IoT Jobs: states, error codes, and the error that becomes a rejection."""

from enum import StrEnum


class JobStatus(StrEnum):
    """The states of a job execution, by the names they have on the wire."""

    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    CANCELED = "CANCELED"


PENDING = (JobStatus.QUEUED, JobStatus.IN_PROGRESS)


class JobsErrorCode(StrEnum):
    """The codes of rejections, by the names they have on the wire."""

    INVALID_TOPIC = "InvalidTopic"
    INVALID_JSON = "InvalidJson"
    INVALID_REQUEST = "InvalidRequest"
    INVALID_STATE_TRANSITION = "InvalidStateTransition"
    RESOURCE_NOT_FOUND = "ResourceNotFound"
    VERSION_MISMATCH = "VersionMismatch"
    INTERNAL_ERROR = "InternalError"
    REQUEST_THROTTLED = "RequestThrottled"
    TERMINAL_STATE_REACHED = "TerminalStateReached"


class JobsError(Exception):
    """A request that is answered with a rejection.

    Args:
        code: Its code.
        message: What is wrong, for whoever reads the device's log.
        client_token: The token to give back, where it could be read.
        execution_state: How the execution stands, for the codes that tell it.
    """

    def __init__(
        self,
        code: JobsErrorCode,
        message: str,
        *,
        client_token: str | None = None,
        execution_state: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.client_token = client_token
        self.execution_state = execution_state
