"""Which file an AWS-style device may stream: that of the job it has to do, while the fleet still wants it done."""

from dataclasses import dataclass

from surefoot.fleet.aws_document import Delivery, delivery_of
from surefoot.fleet.aws_jobs import JobExecution
from surefoot.fleet.aws_requests import ROOT, is_job_id, is_thing
from surefoot.fleet.aws_streams import WHOLE_FILE, StreamError, StreamErrorCode
from surefoot.fleet.doors import closed_by
from surefoot.fleet.model import Assignment, Release, Rollout
from surefoot.fleet.ports import Rows

# A paused rollout lets those finish that have begun, as everywhere.
CLOSED = ("halted", "key-revoked")
JSON, CBOR = "json", "cbor"
GET, DESCRIBE = "get", "describe"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTopic:
    """A request topic taken apart; `operation` is `get` or `describe`, `form` is `json` or `cbor`."""

    thing: str
    stream: str
    operation: str
    form: str

    def reply(self, word: str) -> str:
        """Return the topic of an answer: `data`, `description` or `rejected`."""
        return f"{ROOT}{self.thing}/streams/{self.stream}/{word}/{self.form}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """What is streamed: a release's file, whole or the part that belongs into the slot."""

    release: Release
    delivery: Delivery

    def part(self, file_id: int) -> tuple[int, int]:
        """Return first byte and length of a file of the stream, in the release's file."""
        if file_id == WHOLE_FILE:
            return 0, self.release.size_bytes
        return self.delivery.offset_bytes, self.delivery.size_bytes


def parse_stream_topic(topic: str) -> StreamTopic | None:
    """Take a request topic apart; None for a topic that is no request."""
    match topic.split("/"):
        case [
            "$aws",
            "things",
            thing,
            "streams",
            stream,
            (("get" | "describe") as operation),
            (("json" | "cbor") as form),
        ]:
            if is_thing(thing) and is_job_id(stream):
                return StreamTopic(thing=thing, stream=stream, operation=operation, form=form)
        case _:
            pass
    return None


def streamed(rows: Rows, robot_id: str, stream: str) -> Streamed:
    """Return what a device's stream carries.

    Raises:
        StreamError: `ResourceNotFound` unless it belongs to a job that this device has to do; `Unauthorized` when
            its rollout was halted, its release recalled or its key revoked.
    """
    execution = rows.get(JobExecution, stream)
    if execution is None or execution.robot_id != robot_id or not execution.is_pending:
        raise StreamError(StreamErrorCode.RESOURCE_NOT_FOUND, f"This thing has no job with stream {stream}.")
    release = rows.get(Release, execution.release_id)
    assignment = rows.newest_assignment(robot_id)
    if release is None or assignment is None or assignment.assignment_id != execution.assignment_id:
        raise StreamError(StreamErrorCode.RESOURCE_NOT_FOUND, f"Another job took the place of stream {stream}.")
    if is_taken_back(rows, assignment):
        raise StreamError(StreamErrorCode.UNAUTHORIZED, "The update was taken back.")
    return Streamed(release=release, delivery=delivery_of(release))


def is_taken_back(rows: Rows, assignment: Assignment) -> bool:
    """Whether what was assigned is stopped for cause: by a halt, a recall, or a key that is revoked."""
    rollout, release = rows.get(Rollout, assignment.rollout_id), rows.get(Release, assignment.release_id)
    return rollout is None or release is None or closed_by(rows, rollout, release) in CLOSED
