"""The journal: what a robot remembers of its update across power cuts.

Two copies, written in turn, each with a counter and a CRC: a torn write leaves the other copy. The journal says what
was intended; what runs is only ever learnt from the bootloader.
"""

import binascii
import struct

from surefoot.wire import limits
from surefoot.wire.errors import Damaged, Refused
from surefoot.wire.fields import HEX_DIGITS, ID_CHARS, Fields, encode_object, parse_object
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.manifest import public_keys
from surefoot.wire.offer import Offer, offer_from_object, offer_to_object
from surefoot.wire.record import Record
from surefoot.wire.report import ASSIGNMENT_STATES
from surefoot.wire.version import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CODE = "damaged-journal"
IDLE = "idle"
STATES = (IDLE,) + ASSIGNMENT_STATES

_MAGIC = b"SFJ1"
_LAYOUT = "<4sIII"  # magic, counter, payload length, CRC-32 of counter, length and payload
_HEAD_BYTES = struct.calcsize(_LAYOUT)
_LABELS_MAX = 4


class Label(Record):
    """The version that something signed gave to an image: the slot itself may not say it."""

    __slots__ = ("digest", "version")
    digest: str
    version: str


class Journal(Record):
    """Everything remembered.

    `offer` is what the robot works on or last worked on; `attempts` are the tries burnt for it, `trial_boots` the boots
    of the present one on trial, `restarts` the downloads begun anew because the last one was damaged; `header` is the
    signed header as received, b"" before that; `source_slot` and `source_digest` are what ran when the offer was taken;
    `received_bytes` is how much of the image stands in the spare slot for sure; `trusted_keys` are the keys that a
    confirmed image's manifest handed over, none while the robot trusts those it was made with.
    """

    __slots__ = (
        "epoch",
        "boot",
        "state",
        "offer",
        "attempts",
        "trial_boots",
        "restarts",
        "code",
        "acknowledged",
        "received_bytes",
        "header",
        "source_slot",
        "source_digest",
        "version_floor",
        "labels",
        "trusted_keys",
    )
    epoch: str
    boot: int
    state: str
    offer: "Offer | None"
    attempts: int
    trial_boots: int
    restarts: int
    code: "str | None"
    acknowledged: bool
    received_bytes: int
    header: bytes
    source_slot: str
    source_digest: str
    version_floor: Version
    labels: "tuple[Label, ...]"
    trusted_keys: "tuple[bytes, ...]"

    def check(self) -> None:
        if self.state not in STATES or (self.offer is None) != (self.state == IDLE):
            raise Refused(CODE, f"A journal in state {self.state} cannot be: the robot starts a new one.")

    def version_of(self, digest: str) -> "str | None":
        """Return the version something signed gave to the image with this digest, or None."""
        for label in self.labels:
            if label.digest == digest:
                return label.version
        return None

    def with_label(self, digest: str, version: str) -> "Journal":
        """Return the journal that knows this image's version too; the oldest label is forgotten."""
        others = tuple(label for label in self.labels if label.digest != digest)
        return self.replace(labels=(others + (Label(digest=digest, version=version),))[-_LABELS_MAX:])


class Loaded(Record):
    """What two copies hold: the newest journal or None, its counter, the copy to write next, and whether both broke."""

    __slots__ = ("journal", "counter", "next_copy", "damaged")
    journal: "Journal | None"
    counter: int
    next_copy: int
    damaged: bool


def blank_journal(epoch: str) -> Journal:
    """Return the journal of a robot that remembers nothing."""
    return Journal(
        epoch=epoch,
        boot=0,
        state=IDLE,
        offer=None,
        attempts=0,
        trial_boots=0,
        restarts=0,
        code=None,
        acknowledged=False,
        received_bytes=0,
        header=b"",
        source_slot="",
        source_digest="",
        version_floor=Version(major=0, minor=0, patch=0),
        labels=(),
        trusted_keys=(),
    )


def encode_journal(journal: Journal, counter: int) -> bytes:
    """Return one copy; `Damaged` (`damaged-journal`) if it would not fit where copies are kept."""
    value: "dict[str, Any]" = {}
    for name in journal.__slots__:
        value[name] = getattr(journal, name)
    value["offer"] = None if journal.offer is None else offer_to_object(journal.offer)
    value["header"] = binascii.hexlify(journal.header).decode()
    value["version_floor"] = str(journal.version_floor)
    value["labels"] = [[label.digest, label.version] for label in journal.labels]
    value["trusted_keys"] = [key.hex() for key in journal.trusted_keys]
    payload = encode_object(value)
    if _HEAD_BYTES + len(payload) > limits.JOURNAL_BYTES_MAX:
        raise Damaged(CODE, f"A journal of {len(payload)} bytes does not fit its copy: the offer is too large.")
    return struct.pack(_LAYOUT, _MAGIC, counter, len(payload), _crc(counter, payload)) + payload


def load_journal(copies: "tuple[bytes, bytes]") -> Loaded:
    """Return what two copies hold; each is the bytes found there, erased flash (0xFF) or b"" when never written."""
    best, counter, next_copy = None, 0, 0
    written = False
    for index in (0, 1):
        found = _decode(copies[index])
        written = written or _is_written(copies[index])
        if found is not None and (best is None or found[1] > counter):
            best, counter, next_copy = found[0], found[1], 1 - index
    return Loaded(journal=best, counter=counter, next_copy=next_copy, damaged=best is None and written)


def _decode(copy: bytes) -> "tuple[Journal, int] | None":
    if len(copy) < _HEAD_BYTES:
        return None
    magic, counter, length, crc = struct.unpack(_LAYOUT, copy[:_HEAD_BYTES])
    payload = copy[_HEAD_BYTES : _HEAD_BYTES + length]
    if magic != _MAGIC or len(payload) != length or crc != _crc(counter, payload):
        return None
    try:
        return _journal(Fields(parse_object(payload, CODE, limits.JOURNAL_BYTES_MAX), CODE, "journal")), counter
    except Refused:
        # Right bytes with a meaning this program does not know: an older or newer one wrote them. Go back, never on.
        return None


def _journal(fields: Fields) -> Journal:
    return Journal(
        epoch=fields.text("epoch", limits.NAME_CHARS_MAX, ID_CHARS),
        boot=fields.integer("boot"),
        state=fields.choice("state", STATES),
        offer=offer_from_object(fields.source["offer"]) if fields.has("offer") else None,
        attempts=fields.integer("attempts"),
        trial_boots=fields.integer("trial_boots") if fields.has("trial_boots") else 0,
        restarts=fields.integer("restarts"),
        code=fields.optional_text("code", limits.CODE_CHARS_MAX, ID_CHARS),
        acknowledged=fields.flag("acknowledged"),
        received_bytes=fields.integer("received_bytes"),
        header=_header(fields),
        source_slot=_text_or_empty(fields, "source_slot"),
        source_digest=_text_or_empty(fields, "source_digest"),
        version_floor=Version.parse(fields.text("version_floor", limits.NAME_CHARS_MAX)),
        labels=tuple(_label(pair) for pair in fields.array("labels", _LABELS_MAX)),
        trusted_keys=public_keys(fields, "trusted_keys") if fields.has("trusted_keys") else (),
    )


def _header(fields: Fields) -> bytes:
    text = fields.source.get("header")
    if text == "":
        return b""
    try:
        header = binascii.unhexlify(fields.text("header", 2 * HEADER_BYTES, HEX_DIGITS))
    except ValueError:
        raise fields.refuse("header", "whole bytes in hex") from None
    ImageHeader.parse(header)
    return header


def _label(pair: object) -> Label:
    if not isinstance(pair, list) or len(pair) != 2:
        raise Refused(CODE, "The journal's labels are pairs of digest and version: the robot starts a new journal.")
    fields = Fields({"digest": pair[0], "version": pair[1]}, CODE, "journal.labels")
    return Label(digest=fields.digest("digest"), version=fields.text("version", limits.NAME_CHARS_MAX))


def _text_or_empty(fields: Fields, key: str) -> str:
    return "" if fields.source.get(key) == "" else fields.text(key, limits.NAME_CHARS_MAX)


def _crc(counter: int, payload: bytes) -> int:
    return binascii.crc32(payload, binascii.crc32(struct.pack("<II", counter, len(payload)))) & 0xFFFFFFFF


def _is_written(copy: bytes) -> bool:
    return any(byte != 0xFF for byte in copy)
