"""The one function that gives a robot's status: a table over what should run and what the robot says is true.

A status is derived anew from the latest facts, never announced and never frozen, so a lost, late, repeated or
reordered message can delay the truth but not bend it. The first row that matches wins. A column left at None matches
everything.
"""

from dataclasses import dataclass
from enum import StrEnum

from surefoot.fleet.model import Facts, Status
from surefoot.wire import report as wire_report
from surefoot.wire.codes import RETRYABLE
from surefoot.wire.version import Version


class Running(StrEnum):
    """How the running image relates to the wanted one; `claimed`: it names the wanted version and no digest."""

    WANTED = "wanted"
    CLAIMED = "claimed"
    OTHER = "other"
    UNKNOWN = "unknown"


class Device(StrEnum):
    """What the robot's journal says of this very assignment; `cut_off`: it downloads, and cannot get on."""

    NONE = "none"
    IN_PROGRESS = "in_progress"
    CUT_OFF = "cut_off"
    INSTALLED = "installed"
    ROLLED_BACK = "rolled_back"
    REFUSED = "refused"


class Order(StrEnum):
    """What the server says to the robot next."""

    NOTHING = "nothing"
    ACKNOWLEDGE = "acknowledge"
    OFFER = "offer"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What should run: the assignment, the digest that identifies its image, and the version people call it by."""

    assignment_id: str
    digest: str
    version: Version
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the server holds about the assignment.

    `held` is the named refusal under which the offer waits, if any; times are Unix seconds. Before `watched_since_s`
    the server was not there to hear anyone, so nobody was silent then. `keeps_place` tells that the robot holds a place
    by an offer it has not answered yet, and may be following.
    """

    assigned_at_s: float
    installed_before: bool
    attempts_max: int
    silence_deadline_s: float
    repair_drift: bool
    watched_since_s: float = 0.0
    held: str | None = None
    keeps_place: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The status, the code and the sentence that explain it, and what to say to the robot next.

    `failed` tells whether a rollout counts the robot as failed; `is_open` whether it may be updating now, by an offer
    or by what it says; `silent_since_s` is set beside any status.
    """

    status: Status
    code: str | None
    reason: str
    next_order: Order
    failed: bool = False
    is_open: bool = False
    silent_since_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; None in a column matches everything."""

    name: str
    running: Running | None = None
    confirmed: bool | None = None
    device: tuple[Device, ...] | None = None
    installed_before: bool | None = None
    overdue: bool | None = None
    retry: bool | None = None
    status: Status | None
    order: Order
    failed: bool = False
    reason: str


W, O, U = Running.WANTED, Running.OTHER, Running.UNKNOWN  # noqa: E741 - the table's columns need to be narrow
BUSY, ENDED = (Device.IN_PROGRESS,), (Device.INSTALLED,)
S = Status
# fmt: off
TABLE: tuple[Row, ...] = (
    Row(name="installed", running=W, confirmed=True,
        status=S.INSTALLED, order=Order.ACKNOWLEDGE, reason="It runs the wanted image, confirmed."),
    Row(name="rolled back, worth another try", running=O, device=(Device.ROLLED_BACK,), overdue=False, retry=True,
        status=S.ROLLED_BACK, order=Order.OFFER, reason="It went back, but not because of the image: offered again."),
    Row(name="rolled back", running=O, device=(Device.ROLLED_BACK,), retry=False,
        status=S.ROLLED_BACK, order=Order.ACKNOWLEDGE, failed=True, reason="It went back to its previous image."),
    Row(name="cancelled, to be offered again", running=O, device=(Device.REFUSED,), retry=True, overdue=False,
        status=S.WAITING, order=Order.OFFER, reason="Its update was cancelled and may be offered again."),
    Row(name="refused", running=O, device=(Device.REFUSED,), retry=False,
        status=S.REFUSED, order=Order.ACKNOWLEDGE, failed=True, reason="It refused the offer."),
    Row(name="drifted, being repaired", running=O, confirmed=True, installed_before=True, device=BUSY,
        status=S.DRIFTED, order=Order.NOTHING, reason="It ran the wanted image before, and is on its way back to it."),
    Row(name="drifted, worth a repair", running=O, confirmed=True, installed_before=True, retry=True,
        status=S.DRIFTED, order=Order.OFFER, reason="It ran the wanted image before and runs another now."),
    Row(name="drifted", running=O, confirmed=True, installed_before=True,
        status=S.DRIFTED, order=Order.ACKNOWLEDGE, reason="It ran the wanted image before and runs another now."),
    Row(name="silent", overdue=True,
        status=S.SILENT, order=Order.NOTHING, failed=True, reason="It has not reported for longer than the deadline."),
    Row(name="on trial", running=W, confirmed=False,
        status=S.ON_TRIAL, order=Order.NOTHING, reason="It runs the wanted image and has not confirmed it yet."),
    Row(name="in progress", running=O, device=BUSY,
        status=None, order=Order.NOTHING, reason="It is installing."),
    Row(name="cut off from the image", running=O, device=(Device.CUT_OFF,),
        status=None, order=Order.OFFER, reason="It cannot get the image and is told again where it lies."),
    Row(name="installed, it says, yet runs another", running=O, device=ENDED, retry=True,
        status=S.DRIFTED, order=Order.OFFER, reason="It installed the wanted image and runs another now."),
    Row(name="installed, it says, and is past repair", running=O, device=ENDED,
        status=S.DRIFTED, order=Order.ACKNOWLEDGE, reason="It installed the wanted image and runs another now."),
    Row(name="waiting", running=O,
        status=S.WAITING, order=Order.OFFER, reason="It has not taken the offer yet."),
    Row(name="claimed", running=Running.CLAIMED,
        status=S.UNKNOWN, order=Order.ACKNOWLEDGE, reason="It names the wanted version, but not which image runs."),
    Row(name="unknown, to be offered", running=U, device=(Device.NONE, Device.CUT_OFF),
        status=S.UNKNOWN, order=Order.OFFER, reason="It does not say which image runs."),
    Row(name="unknown, busy", running=U, device=BUSY,
        status=S.UNKNOWN, order=Order.NOTHING, reason="It is installing, but does not say which image runs."),
    Row(name="unknown", running=U,
        status=S.UNKNOWN, order=Order.ACKNOWLEDGE, reason="It names an end, but does not say which image runs."),
)
# fmt: on

IN_PROGRESS_STATUS = {
    wire_report.DOWNLOADING: Status.DOWNLOADING,
    wire_report.VERIFYING: Status.VERIFYING,
    **dict.fromkeys((wire_report.STAGED, wire_report.TRIAL, wire_report.CONFIRMING), Status.REBOOTING),
}

DEVICE_SAYS = {
    **dict.fromkeys(wire_report.IN_PROGRESS_STATES, Device.IN_PROGRESS),
    wire_report.INSTALLED: Device.INSTALLED,
    wire_report.ROLLED_BACK: Device.ROLLED_BACK,
    wire_report.REFUSED: Device.REFUSED,
}


def reconcile(wanted: Wanted | None, facts: Facts | None, record: Record | None, now_s: float) -> Verdict:
    """Return what is true of a robot, and what to say to it next.

    `wanted` is what should run and `record` what the server holds about it, both None when nothing was ever assigned;
    `facts` is the robot's greatest report, None when it never reported; `now_s` is in Unix seconds.
    """
    if wanted is None or record is None:
        nothing = "Nothing is assigned to it."
        return Verdict(status=Status.UNASSIGNED, code=None, reason=nothing, next_order=Order.NOTHING)
    said = _said_of(wanted, facts)
    device, running = _device(said), _running(wanted, facts, said)
    confirmed = facts is not None and facts.report.running.state == wire_report.CONFIRMED
    heard_at_s = record.assigned_at_s if facts is None else facts.heard_at_s
    overdue = now_s - max(heard_at_s, record.watched_since_s) > record.silence_deadline_s
    retry = _worth_another_try(device, said, record)
    row = next(
        row
        for row in TABLE
        if row.running in (None, running)
        and row.confirmed in (None, confirmed)
        and (row.device is None or device in row.device)
        and row.installed_before in (None, record.installed_before)
        and row.overdue in (None, overdue)
        and row.retry in (None, retry)
    )
    status = row.status or IN_PROGRESS_STATUS[said.state if said else ""]
    held = record.held if row.order is Order.OFFER else None
    busy = device in (Device.IN_PROGRESS, Device.CUT_OFF)
    # A halt is for cause: who has not restarted into the release yet must not.
    cancels = busy and record.held in ("halted", "key-revoked")
    order = Order.CANCEL if cancels else Order.ACKNOWLEDGE if held else row.order
    return Verdict(
        status=status,
        code=_code(status, held, said),
        reason=row.reason,
        next_order=order,
        failed=row.failed,
        is_open=not overdue and (busy or (row.order is Order.OFFER and (held is None or record.keeps_place))),
        silent_since_s=heard_at_s if overdue else None,
    )


def _code(status: Status, held: str | None, said: wire_report.AssignmentReport | None) -> str | None:
    """Return why: for an ending the robot's own code, else first what holds the next offer back."""
    own = None if said is None or status is Status.INSTALLED else said.code
    return own or held if status is Status.ROLLED_BACK else held or own


def _said_of(wanted: Wanted, facts: Facts | None) -> wire_report.AssignmentReport | None:
    said = None if facts is None else facts.report.assignment
    return said if said is not None and said.id == wanted.assignment_id else None


def _device(said: wire_report.AssignmentReport | None) -> Device:
    if said is None:
        return Device.NONE
    is_cut_off = said.state == wire_report.DOWNLOADING and said.code == "download-interrupted"
    return Device.CUT_OFF if is_cut_off else DEVICE_SAYS[said.state]


def _running(wanted: Wanted, facts: Facts | None, said: wire_report.AssignmentReport | None) -> Running:
    if facts is None:
        return Running.UNKNOWN
    running = facts.report.running
    if running.digest is None:
        if facts.running_version == wanted.version:
            return Running.CLAIMED
        # Two words that agree: it names another version, and says that it is not at this assignment's end.
        is_under_way = running.version is not None and said is not None and said.state != wire_report.INSTALLED
        return Running.OTHER if is_under_way else Running.UNKNOWN
    if running.digest != wanted.digest or not wanted.force:
        return Running.OTHER if running.digest != wanted.digest else Running.WANTED
    # The old and the new copy of a forced image have one digest: only journal and trial tell which of them runs.
    trying = (wire_report.TRIAL, wire_report.CONFIRMING) if running.state == wire_report.TRIAL else ()
    return Running.WANTED if said is not None and said.state in (wire_report.INSTALLED, *trying) else Running.OTHER


def _worth_another_try(device: Device, said: wire_report.AssignmentReport | None, record: Record) -> bool:
    if said is None or said.attempts >= record.attempts_max:
        return said is None and record.repair_drift
    return said.code in RETRYABLE if device in (Device.ROLLED_BACK, Device.REFUSED) else record.repair_drift
