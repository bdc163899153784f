"""What a robot reads of an AWS IoT job document: the offer in it, and where its file is.

```
{"surefoot": {"version": "0.3.0", "digest": "…", "sha256": "…", "size_bytes": 1, "sku": "…", "manifest": {…}},
 "afr_ota": {"protocols": ["MQTT"], "streamname": "…", "files": [{"fileid": 0, "filesize": 1, "update_data_url": "…"}]}}
```

`sha256` and `size_bytes` are of the file, signed header included. `fileid` in `surefoot` names another file of the
stream than the one that other agents take, by stream or by `update_data_url`. `url` in `surefoot` may stand for
`afr_ota`; AWS replaces `${aws:iot:s3-presigned-url:…}` in it with an address that is good for a while.
"""

from dataclasses import dataclass
from typing import Any

from surefoot.wire import limits
from surefoot.wire.errors import Refused
from surefoot.wire.fields import ID_CHARS
from surefoot.wire.offer import CODE, Offer, offer_from_object

# An offer is remembered, and addresses run out: it says only which job's document tells the address.
JOB_URL = "aws-job:"
HTTP, MQTT = "HTTP", "MQTT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a job's file is: behind a presigned address, else in a stream."""

    url: str | None
    stream: str
    file_id: int
    size_bytes: int


def offer_of(execution: dict[str, Any], sku: str, attempt: int) -> Offer:
    """Return the offer that a job execution makes to a robot of this sku.

    Raises:
        Refused: `refused-offer-format`, `refused-version-format`, `refused-manifest-format`.
    """
    job_id, document = execution.get("jobId"), execution.get("jobDocument")
    if not isinstance(job_id, str) or len(job_id) > limits.ASSIGNMENT_ID_CHARS_MAX or job_id.strip(ID_CHARS):
        detail = f"A job's id may have {limits.ASSIGNMENT_ID_CHARS_MAX} characters: create it with a shorter one."
        raise Refused(CODE, detail)
    own = document.get("surefoot") if isinstance(document, dict) else None
    if not isinstance(own, dict):
        raise Refused(CODE, f"Job {job_id} says nothing under surefoot: name version and digest there.")
    source = source_of(document)
    defaults = {"sha256": own.get("digest"), "size_bytes": source.size_bytes, "sku": sku}
    wanted = {name: own[name] for name in ("version", "digest", "manifest", "force", "rollback") if name in own}
    others = {name: own.get(name, default) for name, default in defaults.items()}
    return offer_from_object({**wanted, **others, "id": job_id, "url": JOB_URL + job_id, "attempt": attempt})


def source_of(document: object) -> Source:
    """Return where a document's file is.

    Raises:
        Refused: `refused-offer-format`.
    """
    whole = document if isinstance(document, dict) else {}
    own, freertos = _object(whole.get("surefoot")), _object(whole.get("afr_ota"))
    files = freertos.get("files")
    file = _object(files[0]) if isinstance(files, list) and files else {}
    stream, protocols = freertos.get("streamname"), freertos.get("protocols")
    # The address that other agents go by is of their file, not of another one of the stream that is named for us.
    is_ours = "fileid" not in own and _prefers_http(protocols, stream)
    url = own.get("url") or (file.get("update_data_url") if is_ours else None)
    size_bytes, file_id = own.get("size_bytes", file.get("filesize")), own.get("fileid", file.get("fileid", 0))
    if not isinstance(url, str) and (not isinstance(stream, str) or stream.strip(ID_CHARS) or not stream):
        raise Refused(CODE, "The job document names neither an address nor a stream of the image.")
    for number in (size_bytes, file_id):
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= limits.IMAGE_BYTES_MAX:
            raise Refused(CODE, "The job document does not say how many bytes the image's file has.")
    return Source(
        url=url if isinstance(url, str) else None,
        stream=stream if isinstance(stream, str) else "",
        file_id=int(file_id),
        size_bytes=int(str(size_bytes)),
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _prefers_http(protocols: object, stream: object) -> bool:
    return not stream or (isinstance(protocols, list) and HTTP in protocols and MQTT not in protocols)
