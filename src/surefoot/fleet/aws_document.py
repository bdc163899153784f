"""The job document that FreeRTOS OTA agents take, and what the firmware in the field can hold of it.

`{"afr_ota": {…}}` as the agents parse it; unknown keys beside it are ignored by all of them, so target version and
digest stand there for agents that decide by evidence.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from surefoot.fleet.aws_delivery import HTTP, Protocols
from surefoot.fleet.aws_streams import SLOT_FILE, WHOLE_FILE
from surefoot.fleet.model import Release
from surefoot.wire.errors import Refused
from surefoot.wire.formats import ROBO
from surefoot.wire.image_header import HEADER_BYTES
from surefoot.wire.manifest import signed_manifest_to_object

JOB_PREFIX = "AFR_OTA-"
# AWS's word for an address that needs no credentials.
AUTH_SCHEME = "aws.s3.presigned"
# What the firmware in the field has room for: a job's id and a stream's name with their last zero, and one reply.
JOB_ID_CHARS_MAX = 63
STREAM_CHARS_MAX = 44
REPLY_BYTES_MAX = 2047
FILE_BYTES_MAX = 4 * 1024 * 1024
# A reply holds the document and, beside it, ids, times and at most these details.
ENVELOPE_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What an AWS-style device gets of a release: the bytes of its slot, as a part of the release's file."""

    offset_bytes: int
    size_bytes: int


def delivery_of(release: Release) -> Delivery:
    """Return where the bytes that belong into the slot stand in the release's file."""
    offset_bytes = HEADER_BYTES if release.format == ROBO else 0
    return Delivery(offset_bytes=offset_bytes, size_bytes=release.size_bytes - offset_bytes)


def job_id_of(assignment_id: str, number: int) -> str:
    """Return the id of an assignment's job of this number, from 1; agents take the same id for the same job."""
    return f"{JOB_PREFIX}{assignment_id}-{number}"


def stream_of(job_id: str) -> str:
    """Return the name of the stream that carries a job's file."""
    return job_id


def make_document(
    release: Release, job_id: str, signature_der: bytes, protocols: Protocols, address: str | None = None
) -> dict[str, Any]:
    """Return the job document of a release, without the address of its file, which is added when a device is told it.

    Args:
        release: What to bring.
        job_id: The job.
        signature_der: ECDSA over the SHA-256 of the slot's bytes, in DER.
        protocols: By which the device may fetch them (`fleet.aws_delivery`).
        address: Where they are over HTTPS, if that is one of them.

    Raises:
        Refused: `refused-aws-limit` naming what the firmware in the field could not hold.
    """
    delivery = delivery_of(release)
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
    own = {"version": str(release.version), "digest": release.digest}
    document: dict[str, Any] = {
        "afr_ota": {"protocols": list(protocols), "streamname": stream_of(job_id), "files": [file]},
        "surefoot": own,
    }
    room_bytes = REPLY_BYTES_MAX - ENVELOPE_BYTES
    _fits("job document", _size_bytes(with_address(document, address)), room_bytes, "bytes")
    # Our own agent believes a manifest alone, and takes the whole file; where that does not fit, others take the job.
    file_of_ours = {"fileid": WHOLE_FILE, "sha256": release.sha256, "size_bytes": release.size_bytes}
    manifest = signed_manifest_to_object(release.manifest)
    whole = {**document, "surefoot": {**own, **file_of_ours, "manifest": manifest}}
    return whole if _size_bytes(with_address(whole, address)) <= room_bytes else document


def with_address(document: dict[str, Any], address: str | None) -> dict[str, Any]:
    """Return a job document with the address of its file, where there is one and it may be fetched there."""
    known = document["afr_ota"]
    if address is None or HTTP not in known["protocols"]:
        return document
    files = [{**file, "update_data_url": address, "auth_scheme": AUTH_SCHEME} for file in known["files"]]
    return {**document, "afr_ota": {**known, "files": files}}


def _size_bytes(document: dict[str, Any]) -> int:
    return len(json.dumps(document, separators=(",", ":")))


def _fits(what: str, size: int, size_max: int, unit: str) -> None:
    if size > size_max:
        detail = f"The {what} has {size} {unit}, and the firmware in the field holds {size_max}: make it shorter."
        raise Refused("refused-aws-limit", detail)
