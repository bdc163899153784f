"""The job document that FreeRTOS OTA agents take, and what the firmware in the field can hold of it.

`{"afr_ota": {…}}` as the agents parse it; unknown keys beside it are ignored by all of them, so target version and
digest stand there for agents that decide by evidence.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from surefoot.fleet.aws_streams import SLOT_FILE, WHOLE_FILE
from surefoot.fleet.model import Release
from surefoot.wire.errors import Refused
from surefoot.wire.formats import ROBO
from surefoot.wire.image_header import HEADER_BYTES
from surefoot.wire.manifest import signed_manifest_to_object

JOB_PREFIX = "AFR_OTA-"
# What the firmware in the field has room for: a job's id and a stream's name with their last zero, and one reply.
JOB_ID_CHARS_MAX = 63
STREAM_CHARS_MAX = 44
REPLY_BYTES_MAX = 2047
FILE_BYTES_MAX = 4 * 1024 * 1024
# A reply holds the document and, beside it, ids, times and at most these details.
ENVELOPE_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Where an AWS-style device gets a release: the bytes of its slot, as a part of the release's file.

    `url` is None where the file is not those bytes alone, so that only a stream can give them.
    """

    offset_bytes: int
    size_bytes: int
    url: str | None


def delivery_of(release: Release, public_url: str) -> Delivery:
    """Return where the bytes that belong into the slot stand in the release's file."""
    if release.format == ROBO:
        return Delivery(offset_bytes=HEADER_BYTES, size_bytes=release.size_bytes - HEADER_BYTES, url=None)
    url = f"{public_url}/v1/images/{release.sha256}"
    return Delivery(offset_bytes=0, size_bytes=release.size_bytes, url=url)


def job_id_of(assignment_id: str, number: int) -> str:
    """Return the id of an assignment's job of this number, from 1; agents take the same id for the same job."""
    return f"{JOB_PREFIX}{assignment_id}-{number}"


def stream_of(job_id: str) -> str:
    """Return the name of the stream that carries a job's file."""
    return job_id


def make_document(
    release: Release, job_id: str, signature_der: bytes, delivery: Delivery, *, over_http: bool = False
) -> dict[str, Any]:
    """Return the job document of a release.

    Args:
        release: What to bring.
        job_id: The job.
        signature_der: ECDSA over the SHA-256 of the slot's bytes, in DER.
        delivery: Where they are.
        over_http: Whether the device fetches by HTTP rather than by a stream.

    Raises:
        Refused: `refused-aws-limit` naming what the firmware in the field could not hold.
    """
    _fits("job id", len(job_id), JOB_ID_CHARS_MAX, "characters")
    _fits("stream name", len(stream_of(job_id)), STREAM_CHARS_MAX, "characters")
    _fits("image", delivery.size_bytes, FILE_BYTES_MAX, "bytes")
    file: dict[str, Any] = {
        "filepath": "/device/updates",
        "filesize": delivery.size_bytes,
        "fileid": SLOT_FILE,
        "certfile": "/certificates/authcert.pem",
        "fileType": 0,
        "sig-sha256-ecdsa": base64.b64encode(signature_der).decode(),
    }
    if over_http:
        if delivery.url is None:
            detail = "An image with a signed header of its own can only be streamed: publish the bare image, or stream."
            raise Refused("refused-aws-limit", detail)
        file |= {"update_data_url": delivery.url, "auth_scheme": "aws.s3.presigned"}
    own = {"version": str(release.version), "digest": release.digest}
    document: dict[str, Any] = {
        "afr_ota": {
            "protocols": ["HTTP"] if over_http else ["MQTT"],
            "streamname": stream_of(job_id),
            "files": [file],
        },
        "surefoot": own,
    }
    room_bytes = REPLY_BYTES_MAX - ENVELOPE_BYTES
    _fits("job document", _size_bytes(document), room_bytes, "bytes")
    # Our own agent believes a manifest alone, and takes the whole file; where that does not fit, others take the job.
    file_of_ours = {"fileid": WHOLE_FILE, "sha256": release.sha256, "size_bytes": release.size_bytes}
    manifest = signed_manifest_to_object(release.manifest)
    whole = {**document, "surefoot": {**own, **file_of_ours, "manifest": manifest}}
    return whole if _size_bytes(whole) <= room_bytes else document


def _size_bytes(document: dict[str, Any]) -> int:
    return len(json.dumps(document, separators=(",", ":")))


def _fits(what: str, size: int, size_max: int, unit: str) -> None:
    if size > size_max:
        detail = f"The {what} has {size} {unit}, and the firmware in the field holds {size_max}: make it shorter."
        raise Refused("refused-aws-limit", detail)
