"""The file of a device's job over HTTPS: its address, and who gets it there.

Devices made for AWS IoT fetch the address in their job's document as it stands, without credentials of their own. So
the address is what lets them in: it ends in a word that nobody can make who has not got the server's key. Nothing of it
is stored; it is made anew for each answer, and a stranger's guess is known as one without a look at the rows.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from surefoot.fleet.aws_document import Delivery, with_address
from surefoot.fleet.aws_jobs import JobExecution
from surefoot.fleet.aws_requests import is_job_id
from surefoot.fleet.aws_stream_access import streamed
from surefoot.fleet.aws_streams import StreamError
from surefoot.fleet.enrolment import REVOKED
from surefoot.fleet.model import Release
from surefoot.fleet.ports import Rows
from surefoot.fleet.settings import FleetSettings
from surefoot.wire.errors import Refused

PREFIX = "/v1/aws/files/"
WORD_BYTES = 16
_RESEMBLING = "aws/files/"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """What a device's job brings: the bytes of its slot, as a part of the release's file."""

    robot_id: str
    release: Release
    delivery: Delivery


def address_of(job_id: str, settings: FleetSettings) -> str | None:
    """Return where a job's file is, None where files are given to nobody over HTTPS without credentials."""
    key = settings.file_key
    return None if key is None else f"{settings.public_url}{PREFIX}{job_id}/{_word(job_id, key)}"


def told_document(known: JobExecution, settings: FleetSettings) -> dict[str, Any]:
    """Return a job's document as its device is told it; whoever has it can fetch the file."""
    return with_address(known.document, address_of(known.job_id, settings))


def job_at(path: str, key: bytes | None) -> str:
    """Return the job whose file an address means, by what stands behind `PREFIX`.

    Raises:
        Refused: `not-found-job-file` when this server did not make the address.
    """
    job_id, _, word = path.partition("/")
    if key is None or not is_job_id(job_id) or not word.isascii() or not hmac.compare_digest(_word(job_id, key), word):
        raise _not_found()
    return job_id


def job_file(rows: Rows, job_id: str) -> JobFile:
    """Return what a job brings, to whoever has shown its address.

    Raises:
        Refused: `not-found-job-file` unless a robot of the fleet still has the job to do, and nothing took it back.
            Its self-test is a part of that: a device whose bootloader went back may download again for the same job.
    """
    execution = rows.get(JobExecution, job_id)
    robot = None if execution is None else rows.robot(execution.robot_id)
    if robot is None or robot.token_sha256.startswith(REVOKED):
        raise _not_found()
    try:
        found = streamed(rows, robot.robot_id, job_id)
    except StreamError:
        raise _not_found() from None
    return JobFile(robot_id=robot.robot_id, release=found.release, delivery=found.delivery)


def without_word(path: str) -> str:
    """Return a path that logs and people may see: that of a job's file without what lets a device in.

    So is one that only resembles it, as a wrong `public_url` may make it: its word is right in the right place.
    """
    start = path.lower().find(_RESEMBLING)
    return path if start < 0 else f"{path[: start + len(_RESEMBLING)]}…"


def _word(job_id: str, key: bytes) -> str:
    tag = hmac.digest(key, job_id.encode(), hashlib.sha256)[:WORD_BYTES]
    return base64.urlsafe_b64encode(tag).decode().rstrip("=")


def _not_found() -> Refused:
    # At 404 agents in the field ask for the job's document again, and at 410 for the same bytes until they give up.
    return Refused("not-found-job-file", "No job has its file at this address any more: ask for the job's document.")
