"""What the agent wants done. The shell carries effects out in order and stops at the first one that fails."""

from surefoot.wire.journal import Journal
from surefoot.wire.record import Record
from surefoot.wire.report import Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.wire.offer import Delta


class Effect(Record):
    """Base of all effects."""

    __slots__ = ()


class Check(Record):
    """One check of the validation window: its name, the seconds it may take, and the code if it does not pass."""

    __slots__ = ("name", "timeout_s", "code")
    name: str
    timeout_s: int
    code: str


class SaveJournal(Effect):
    """Make this journal durable before anything behind it is done."""

    __slots__ = ("journal",)
    journal: Journal


class Exchange(Effect):
    """Send the report. Ends in `Answered` or `Unreachable`."""

    __slots__ = ("report",)
    report: Report


class Preflight(Effect):
    """Look whether the robot may be updated now. Ends in `PreflightPassed` or `PreflightHeld`."""

    __slots__ = ()


class PrepareSpare(Effect):
    """Make the bootloader forget what it knew of the spare slot: its old record must not be taken for a new one."""

    __slots__ = ()


class Fetch(Effect):
    """Download from `first_byte` of the file on, the first piece of `first_chunk_bytes`.

    With a delta, that is downloaded instead, and the file is what it makes of the running image.
    Ends in any number of `ChunkArrived`, and in `DownloadFailed` or `DownloadRefused` if it breaks.
    """

    __slots__ = ("url", "sha256", "first_byte", "first_chunk_bytes", "delta")
    url: str
    sha256: str
    first_byte: int
    first_chunk_bytes: int
    delta: "Delta | None"


class StopFetch(Effect):
    """Close the download that is open."""

    __slots__ = ()


class EraseBlock(Effect):
    """Erase the block of the spare slot that begins here."""

    __slots__ = ("offset_bytes",)
    offset_bytes: int


class WriteChunk(Effect):
    """Put these bytes at this offset of the spare slot."""

    __slots__ = ("offset_bytes", "data")
    offset_bytes: int
    data: bytes


class DigestSpare(Effect):
    """Read the spare slot back. Ends in `SpareDigested`."""

    __slots__ = ("header", "size_bytes")
    header: bytes
    size_bytes: int


class SetBootSlot(Effect):
    """Let the bootloader try the spare slot next.

    Ends in `BootSlotRefused` if that cannot be. Right before, the shell looks once more whether the robot may restart,
    and whether the server cancelled it: then nothing is set, and it ends in `PreflightHeld` or `Answered`.
    """

    __slots__ = ()


class RunSelfTest(Effect):
    """Run these checks one after the other. Ends in `SelfTestPassed`, or `SelfTestFailed` at the first that fails."""

    __slots__ = ("checks",)
    checks: "tuple[Check, ...]"


class Confirm(Effect):
    """Mark the running image valid and read that back. Ends in `Confirmed`."""

    __slots__ = ()


class GoBack(Effect):
    """Mark the running image invalid, so that the next boot takes the previous one."""

    __slots__ = ()


class Reboot(Effect):
    """Restart the robot; nothing comes after it."""

    __slots__ = ()


class ScheduleCheck(Effect):
    """Nothing to do until `CheckDue`, which comes in about `delay_s` if nobody asks earlier."""

    __slots__ = ("delay_s",)
    delay_s: int


class ScheduleRetry(Effect):
    """Pause for about `delay_s`. Ends in `RetryDue`."""

    __slots__ = ("delay_s",)
    delay_s: int
