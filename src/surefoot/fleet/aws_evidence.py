"""What an AWS-style device's job updates tell of what it runs.

The known fault: power fails between marking an image valid and reporting it; the next boot finds a job in self-test
while nothing is on trial any more, and says FAILED of a device that runs the new firmware. So an update is not
believed for its status but read as evidence: what the device called itself when it was about to activate the image,
what it called itself since, and which check of its own made it give up. Codes as the firmware's `OtaErr_t` numbers
them. The table is tested row by row.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from surefoot.fleet.aws_words import JobStatus
from surefoot.wire import report as wire


class Signal(StrEnum):
    """What one update says."""

    RECEIVING = "receiving"
    READY = "ready"
    ACTIVE_NEW = "active, by a new version"
    ACTIVE_OLD = "active, by the version from before"
    SUCCEEDED = "succeeded"
    NO_DOWNGRADE = "failed 0x0f"
    SAME_VERSION = "failed 0x10"
    NOT_IN_SELF_TEST = "failed 0x11"
    GAVE_UP = "failed 0x0e or 0x13"
    FAILED = "failed otherwise"
    REJECTED = "rejected"


class Active(StrEnum):
    """Who was last heard to run its self-test for this job.

    `NEW_BEFORE` is the new version, which asked for the job once more since: it may have started anew, and gone back.
    """

    NOBODY = "nobody"
    NEW = "new"
    NEW_BEFORE = "new, before it asked again"
    OLD = "old"


HAS_TRIED = (Active.NEW, Active.NEW_BEFORE)


class Runs(StrEnum):
    """Which image that tells to be running."""

    WANTED = "wanted"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; None in a column matches everything. `state` is the assignment's, None for no word."""

    signal: Signal
    ready: bool | None = None
    active: tuple[Active, ...] | None = None
    runs: Runs
    confirmed: bool = True
    state: str | None
    code: str | None = None


_W, _O, _U = Runs.WANTED, Runs.OTHER, Runs.UNKNOWN
_TRIED = (*HAS_TRIED, Active.OLD)
# fmt: off
TABLE: tuple[Row, ...] = (
    Row(signal=Signal.RECEIVING, runs=_O, state=wire.DOWNLOADING),
    Row(signal=Signal.READY, runs=_O, state=wire.STAGED),
    Row(signal=Signal.ACTIVE_NEW, runs=_W, confirmed=False, state=wire.TRIAL),
    Row(signal=Signal.ACTIVE_OLD, runs=_O, state=wire.STAGED),
    Row(signal=Signal.SUCCEEDED, runs=_W, state=wire.INSTALLED),
    # It checks versions before states, and says which it is each time it started: who came this far and calls itself
    # new has committed the image.
    Row(signal=Signal.NOT_IN_SELF_TEST, ready=True, active=(Active.NEW,), runs=_W, state=wire.INSTALLED),
    Row(signal=Signal.NOT_IN_SELF_TEST, ready=True, active=(Active.OLD,), runs=_O,
        state=wire.ROLLED_BACK, code="trial-interrupted"),
    # Its word of which version is active got lost: only the next one tells.
    Row(signal=Signal.NOT_IN_SELF_TEST, runs=_U, state=None),
    Row(signal=Signal.SAME_VERSION, ready=True, active=_TRIED, runs=_O,
        state=wire.ROLLED_BACK, code="trial-interrupted"),
    Row(signal=Signal.SAME_VERSION, ready=True, active=(Active.NOBODY,), runs=_O,
        state=wire.ROLLED_BACK, code="stage-failed"),
    Row(signal=Signal.SAME_VERSION, runs=_O, state=wire.REFUSED, code="refused-by-device"),
    Row(signal=Signal.NO_DOWNGRADE, runs=_O, state=wire.REFUSED, code="refused-version-order"),
    Row(signal=Signal.GAVE_UP, active=(Active.NOBODY, Active.OLD), runs=_O, state=wire.REFUSED, code="cancelled"),
    Row(signal=Signal.GAVE_UP, runs=_O, state=wire.ROLLED_BACK, code="trial-interrupted"),
    # It resets after that, and its bootloader goes back to the image from before.
    Row(signal=Signal.FAILED, active=HAS_TRIED, runs=_O, state=wire.ROLLED_BACK, code="trial-failed"),
    Row(signal=Signal.FAILED, runs=_O, state=wire.REFUSED, code="refused-by-device"),
    Row(signal=Signal.REJECTED, runs=_O, state=wire.REFUSED, code="refused-by-device"),
)
# fmt: on

_REASON = re.compile(r"rejected:\s*0x([0-9a-fA-F]{1,8})")
_BY_NUMBER = {
    0x0E: Signal.GAVE_UP,
    0x0F: Signal.NO_DOWNGRADE,
    0x10: Signal.SAME_VERSION,
    0x11: Signal.NOT_IN_SELF_TEST,
    0x13: Signal.GAVE_UP,
}
_VERSION_HEX = re.compile(r"0x([0-9a-fA-F]{8})")


def find_row(signal: Signal, *, ready: bool, active: Active) -> Row:
    """Return the first row of the table that matches; there is one for every combination."""
    return next(
        row
        for row in TABLE
        if row.signal is signal and row.ready in (None, ready) and (row.active is None or active in row.active)
    )


def signal_of(status: JobStatus, details: dict[str, str], ready_version: str | None) -> Signal:
    """Return what an update says, to whoever knows what the device called itself when it was ready to activate."""
    match status:
        case JobStatus.SUCCEEDED:
            return Signal.SUCCEEDED
        case JobStatus.REJECTED:
            return Signal.REJECTED
        case JobStatus.FAILED:
            found = _REASON.search(details.get("reason", ""))
            return Signal.FAILED if found is None else _BY_NUMBER.get(int(found[1], 16), Signal.FAILED)
        case _:
            pass
    match details.get("self_test"):
        case "ready":
            return Signal.READY
        case "active":
            is_old = ready_version is not None and details.get("updatedBy") == ready_version
            return Signal.ACTIVE_OLD if is_old else Signal.ACTIVE_NEW
        case _:
            return Signal.RECEIVING


def version_text(updated_by: str | None) -> str | None:
    """Return what a device calls its version, as people write it: `0x01020003` is 1.2.3; other words as they are."""
    if updated_by is None:
        return None
    found = _VERSION_HEX.fullmatch(updated_by.strip())
    if found is None:
        return updated_by.strip() or None
    number = int(found[1], 16)
    return f"{number >> 24}.{number >> 16 & 255}.{number & 65535}"
