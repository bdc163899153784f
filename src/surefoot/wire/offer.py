"""The offer: "take this", and the server's answer that may carry one."""

from surefoot.wire import limits
from surefoot.wire.errors import Refused
from surefoot.wire.fields import ID_CHARS, NAME_CHARS, PRINTABLE_CHARS, Fields, encode_object, parse_object
from surefoot.wire.manifest import SignedManifest, signed_manifest_from_object, signed_manifest_to_object
from surefoot.wire.record import Record
from surefoot.wire.version import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CODE = "refused-offer-format"
ANSWER_CODE = "refused-answer-format"


class Delta(Record):
    """A shorter way to the offered image for robots that run the one with `source_digest`.

    `sha256` and `size_bytes` are of the file behind this URL, whose format is that of `wire.delta`.
    """

    __slots__ = ("url", "sha256", "size_bytes", "source_digest")
    url: str
    sha256: str
    size_bytes: int
    source_digest: str


class Offer(Record):
    """One release for one robot.

    `sha256` and `size_bytes` are of the file behind the URL, signed header included; `digest` is of the image in the
    slot. A minimal command (url, sha256, version) leaves the others None. `attempt` counts from 1: a robot that gave
    up an assignment takes the same id again only with a higher attempt, so a late copy of an old offer does nothing.
    `delta` is a shorter way to the same file: whoever takes it ends with the bytes that `sha256` is of.
    """

    __slots__ = (
        "id",
        "url",
        "sha256",
        "size_bytes",
        "digest",
        "version",
        "sku",
        "release",
        "manifest",
        "force",
        "rollback",
        "attempt",
        "delta",
    )
    id: str
    url: str
    sha256: str
    size_bytes: "int | None"
    digest: "str | None"
    version: Version
    sku: "str | None"
    release: "str | None"
    manifest: "SignedManifest | None"
    force: bool
    rollback: bool
    attempt: int
    delta: "Delta | None"


class Answer(Record):
    """What the server answers to a report: the assignment whose end it has recorded, an offer, and when to ask next.

    `cancelled` names an assignment that must not go on, if that can still be helped; `stale` tells a robot that the
    fleet knows later facts of it than these: its counters went back.
    """

    __slots__ = ("acknowledged", "offer", "cancelled", "stale", "next_check_s")
    acknowledged: "str | None"
    offer: "Offer | None"
    cancelled: "str | None"
    stale: bool
    next_check_s: "int | None"


def offer_from_object(source: object) -> Offer:
    """Build an offer from a parsed JSON object, minimal or full.

    Raises:
        Refused: `refused-offer-format`, `refused-version-format`, `refused-manifest-format`.
    """
    fields = Fields(source, CODE, "offer")
    sha256 = fields.digest("sha256")
    offer = Offer(
        # The minimal command names no id; the same file twice must be the same assignment.
        id=fields.optional_text("id", limits.ASSIGNMENT_ID_CHARS_MAX, ID_CHARS) or "sha256-" + sha256[:32],
        url=fields.text("url", limits.URL_CHARS_MAX, PRINTABLE_CHARS),
        sha256=sha256,
        size_bytes=fields.optional_integer("size_bytes", limits.IMAGE_BYTES_MAX),
        digest=fields.optional_digest("digest"),
        version=Version.parse(fields.text("version", limits.NAME_CHARS_MAX)),
        sku=fields.optional_text("sku", limits.NAME_CHARS_MAX, NAME_CHARS),
        release=fields.optional_text("release", limits.NAME_CHARS_MAX, NAME_CHARS),
        manifest=signed_manifest_from_object(fields.source["manifest"]) if fields.has("manifest") else None,
        force=fields.flag("force"),
        rollback=fields.flag("rollback"),
        attempt=fields.integer("attempt") if fields.has("attempt") else 1,
        delta=_parse_delta(fields.nested("delta")) if fields.has("delta") else None,
    )
    if offer.delta is not None and _size_bytes(offer) > limits.OFFER_BYTES_MAX:
        # The longer way is open to a robot that cannot remember the shorter one.
        offer = offer.replace(delta=None)
    size_bytes = _size_bytes(offer)
    if size_bytes > limits.OFFER_BYTES_MAX:
        raise Refused(CODE, f"The offer has {size_bytes} bytes: a robot can remember {limits.OFFER_BYTES_MAX}.")
    return offer


def offer_to_object(offer: Offer) -> "dict[str, Any]":
    """Return the offer as a JSON object; what is None or False is left out."""
    value: "dict[str, Any]" = {
        "id": offer.id,
        "url": offer.url,
        "sha256": offer.sha256,
        "version": str(offer.version),
        "attempt": offer.attempt,
    }
    for name in ("size_bytes", "digest", "sku", "release"):
        if getattr(offer, name) is not None:
            value[name] = getattr(offer, name)
    for name in ("force", "rollback"):
        if getattr(offer, name):
            value[name] = True
    if offer.manifest is not None:
        value["manifest"] = signed_manifest_to_object(offer.manifest)
    if offer.delta is not None:
        value["delta"] = {name: getattr(offer.delta, name) for name in Delta.__slots__}
    return value


def _parse_delta(fields: Fields) -> Delta:
    return Delta(
        url=fields.text("url", limits.URL_CHARS_MAX, PRINTABLE_CHARS),
        sha256=fields.digest("sha256"),
        size_bytes=fields.integer("size_bytes", limits.IMAGE_BYTES_MAX),
        source_digest=fields.digest("source_digest"),
    )


def _size_bytes(offer: Offer) -> int:
    return len(encode_object(offer_to_object(offer)))


def parse_answer(data: bytes) -> Answer:
    """Parse the server's answer from JSON bytes.

    Raises:
        Refused: `refused-answer-format`, and the codes of `offer_from_object`.
    """
    return answer_from_object(parse_object(data, ANSWER_CODE, limits.ANSWER_BYTES_MAX))


def answer_from_object(source: object) -> Answer:
    """Build an answer from a parsed JSON object; raise as `parse_answer` does."""
    fields = Fields(source, ANSWER_CODE, "answer")
    return Answer(
        acknowledged=fields.optional_text("acknowledged", limits.ASSIGNMENT_ID_CHARS_MAX, ID_CHARS),
        offer=offer_from_object(fields.source["order"]) if fields.has("order") else None,
        cancelled=fields.optional_text("cancel", limits.ASSIGNMENT_ID_CHARS_MAX, ID_CHARS),
        stale=fields.flag("stale"),
        next_check_s=fields.optional_integer("next_check_s"),
    )


def answer_to_object(answer: Answer) -> "dict[str, Any]":
    """Return the answer as a JSON object."""
    return {
        "acknowledged": answer.acknowledged,
        "order": None if answer.offer is None else offer_to_object(answer.offer),
        "cancel": answer.cancelled,
        "stale": answer.stale,
        "next_check_s": answer.next_check_s,
    }


def encode_answer(answer: Answer) -> bytes:
    """Return the answer as JSON bytes."""
    return encode_object(answer_to_object(answer))
