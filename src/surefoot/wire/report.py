"""The report: what a robot says is true, at every contact.

A report carries facts, never results: what runs, what stands in the spare slot, and what the journal remembers of the
last assignment. (`epoch`, `boot`, `seq`) orders reports; the server keeps the greatest and ignores the rest.
"""

from surefoot.wire import limits
from surefoot.wire.fields import HEX_DIGITS, ID_CHARS, NAME_CHARS, Fields, encode_object, is_surrogate, parse_object
from surefoot.wire.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONFIRMED = "confirmed"
TRIAL = "trial"
ROLLED_BACK = "rolled_back"
EMPTY = "empty"
UNKNOWN = "unknown"
RUNNING_STATES = (CONFIRMED, TRIAL)
SPARE_STATES = (CONFIRMED, ROLLED_BACK, EMPTY, UNKNOWN)

DOWNLOADING = "downloading"
VERIFYING = "verifying"
STAGED = "staged"
CONFIRMING = "confirming"
INSTALLED = "installed"
REFUSED = "refused"
IN_PROGRESS_STATES = (DOWNLOADING, VERIFYING, STAGED, TRIAL, CONFIRMING)
TERMINAL_STATES = (INSTALLED, ROLLED_BACK, REFUSED)
ASSIGNMENT_STATES = IN_PROGRESS_STATES + TERMINAL_STATES

CODE = "refused-report-format"
# Robots from before epochs existed say none; they all live in this one.
FIRST_EPOCH = "0"


class SlotReport(Record):
    """One slot: its label, and version and digest of the image in it where the robot can tell."""

    __slots__ = ("slot", "version", "digest", "state")
    slot: str
    version: "str | None"
    digest: "str | None"
    state: str


class AssignmentReport(Record):
    """What the journal remembers of the last assignment; `code` says why it was refused, held or rolled back."""

    __slots__ = ("id", "state", "attempts", "received_bytes", "code")
    id: str
    state: str
    attempts: int
    received_bytes: int
    code: "str | None"


class Report(Record):
    """All the facts of one robot at one moment; `accepts` names the formats of deltas that it can apply now."""

    __slots__ = (
        "robot_id",
        "sku",
        "epoch",
        "boot",
        "seq",
        "running",
        "spare",
        "assignment",
        "version_floor",
        "protocol",
        "companion_version",
        "trusted_keys",
        "accepts",
        "code",
    )
    robot_id: str
    sku: str
    epoch: str
    boot: int
    seq: int
    running: SlotReport
    spare: "SlotReport | None"
    assignment: "AssignmentReport | None"
    version_floor: "str | None"
    protocol: "int | None"
    companion_version: "str | None"
    trusted_keys: "tuple[str, ...]"
    accepts: "tuple[str, ...]"
    code: "str | None"


def parse_report(data: bytes) -> Report:
    """Parse a report from JSON bytes; raise `Refused` (`refused-report-format`) naming the field that is wrong."""
    return report_from_object(parse_object(data, CODE, limits.REPORT_BYTES_MAX))


def report_from_object(source: object) -> Report:
    """Build a report from a parsed JSON object; raise `Refused` (`refused-report-format`)."""
    fields = Fields(source, CODE, "report")
    return Report(
        robot_id=fields.text("robot_id", limits.ROBOT_ID_CHARS_MAX, NAME_CHARS),
        sku=fields.text("sku", limits.NAME_CHARS_MAX, NAME_CHARS),
        epoch=fields.optional_text("epoch", limits.NAME_CHARS_MAX, ID_CHARS) or FIRST_EPOCH,
        boot=fields.integer("boot"),
        seq=fields.integer("seq"),
        running=_parse_slot(fields.nested("running"), RUNNING_STATES),
        spare=_parse_slot(fields.nested("spare"), SPARE_STATES) if fields.has("spare") else None,
        assignment=_parse_assignment(fields.nested("assignment")) if fields.has("assignment") else None,
        version_floor=_parse_words(fields, "version_floor"),
        protocol=fields.optional_integer("protocol", 65535),
        companion_version=_parse_words(fields, "companion_version"),
        trusted_keys=_parse_key_ids(fields),
        accepts=_parse_formats(fields),
        code=fields.optional_text("code", limits.CODE_CHARS_MAX, ID_CHARS),
    )


def report_to_object(report: Report) -> "dict[str, Any]":
    """Return the report as a JSON object; what is None is left out."""
    value: "dict[str, Any]" = {
        "robot_id": report.robot_id,
        "sku": report.sku,
        "epoch": report.epoch,
        "boot": report.boot,
        "seq": report.seq,
        "running": _plain(report.running),
        "trusted_keys": list(report.trusted_keys),
    }
    if report.spare is not None:
        value["spare"] = _plain(report.spare)
    if report.accepts:
        value["accepts"] = list(report.accepts)
    if report.assignment is not None:
        value["assignment"] = _plain(report.assignment)
    for name in ("version_floor", "protocol", "companion_version", "code"):
        if getattr(report, name) is not None:
            value[name] = getattr(report, name)
    return value


def encode_report(report: Report) -> bytes:
    """Return the report as JSON bytes."""
    return encode_object(report_to_object(report))


def _plain(record: Record) -> "dict[str, Any]":
    return {name: getattr(record, name) for name in record.__slots__}


def _parse_slot(fields: Fields, states: "tuple[str, ...]") -> SlotReport:
    return SlotReport(
        slot=fields.text("slot", limits.NAME_CHARS_MAX, NAME_CHARS),
        version=_parse_words(fields, "version"),
        digest=fields.optional_digest("digest"),
        state=fields.choice("state", states),
    )


def _parse_assignment(fields: Fields) -> AssignmentReport:
    return AssignmentReport(
        id=fields.text("id", limits.ASSIGNMENT_ID_CHARS_MAX, ID_CHARS),
        state=fields.choice("state", ASSIGNMENT_STATES),
        attempts=fields.integer("attempts") if fields.has("attempts") else 0,
        received_bytes=fields.integer("received_bytes") if fields.has("received_bytes") else 0,
        code=fields.optional_text("code", limits.CODE_CHARS_MAX, ID_CHARS),
    )


def _parse_words(fields: Fields, key: str) -> "str | None":
    """Read what a build calls itself: anything, but what no database takes."""
    words = fields.optional_text(key, limits.NAME_CHARS_MAX)
    if words is not None and any(char == "\0" or is_surrogate(char) for char in words):
        raise fields.refuse(key, "without NUL and halves of characters")
    return words


def _parse_key_ids(fields: Fields) -> "tuple[str, ...]":
    key_ids = fields.array("trusted_keys", limits.TRUSTED_KEYS_MAX)
    for key_id in key_ids:
        if not isinstance(key_id, str) or len(key_id) != 64 or key_id.strip(HEX_DIGITS):
            raise fields.refuse("trusted_keys", "key ids of 64 lower-case hex digits")
    return tuple(key_ids)


def _parse_formats(fields: Fields) -> "tuple[str, ...]":
    names = fields.array("accepts", limits.DELTA_FORMATS_MAX)
    for name in names:
        if not isinstance(name, str) or not 0 < len(name) <= limits.NAME_CHARS_MAX or name.strip(ID_CHARS):
            raise fields.refuse("accepts", "names of delta formats")
    return tuple(names)
