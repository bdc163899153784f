"""What happens to the agent. Each event is the world's answer to an effect, or comes by itself."""

from surefoot.agent.values import Slots
from surefoot.wire.journal import Journal
from surefoot.wire.offer import Answer
from surefoot.wire.record import Record


class Event(Record):
    """Base of all events."""

    __slots__ = ()


class Booted(Event):
    """The robot started; `journal` is None when nothing readable was kept, `fresh_epoch` is a random word for then.

    `accepts` names the formats of deltas that the robot can apply.
    """

    __slots__ = ("slots", "journal", "damaged", "fresh_epoch", "accepts")
    slots: Slots
    journal: "Journal | None"
    damaged: bool
    fresh_epoch: str
    accepts: "tuple[str, ...]"


class CheckDue(Event):
    """It is time to ask the server: by schedule, by a push, or because a person asked."""

    __slots__ = ()


class Answered(Event):
    """The server answered a report.

    `refusal` is the code under which signed metadata refuses the answer's offer, None where there is nothing to refuse
    or the robot goes by its keys alone; `now_s` is the time (Unix seconds), None when the robot does not know it.
    """

    __slots__ = ("answer", "refusal", "now_s")
    answer: Answer
    refusal: "str | None"
    now_s: "int | None"


class Unreachable(Event):
    """The server did not answer a report, or not in a way that can be used."""

    __slots__ = ("code",)
    code: str


class PreflightPassed(Event):
    """Nothing speaks against going on."""

    __slots__ = ()


class PreflightHeld(Event):
    """The robot is in no state to be updated now; `code` says why."""

    __slots__ = ("code",)
    code: str


class ChunkArrived(Event):
    """A piece of the file: the header first, then pieces of `CHUNK_BYTES`, the last one short."""

    __slots__ = ("offset_bytes", "data")
    offset_bytes: int
    data: bytes


class DownloadFailed(Event):
    """The download broke off and may be taken up again."""

    __slots__ = ("code",)
    code: str


class DownloadRefused(Event):
    """The server will not serve this file, now or later; or it is a delta that makes no image."""

    __slots__ = ("code",)
    code: str


class RetryDue(Event):
    """The pause after a failed download is over."""

    __slots__ = ()


class SpareDigested(Event):
    """What stands in the spare slot: SHA-256 of header and image, of the image alone, and what the image says inside.

    `image_code` is the code under which the image is no image at all, None when it could be read.
    """

    __slots__ = ("sha256", "digest", "descriptor_version", "chip_id", "image_code")
    sha256: str
    digest: str
    descriptor_version: str
    chip_id: "int | None"
    image_code: "str | None"


class BootSlotRefused(Event):
    """The boot record could not be set."""

    __slots__ = ("code",)
    code: str


class SelfTestPassed(Event):
    """The validation window ended with every check passed."""

    __slots__ = ()


class SelfTestFailed(Event):
    """A check of the validation window failed or ran out of time."""

    __slots__ = ("code",)
    code: str


class Confirmed(Event):
    """The boot record was written and read back; `slots` is what stands there now."""

    __slots__ = ("slots",)
    slots: Slots
