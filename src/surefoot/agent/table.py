"""The agent's state machine as a table.

States are the journal's, persisted by name. An event that comes in a state without a row for it is a programmer's
mistake and raises; so is a handler that leads to a state its row does not list. The shell brings `CheckDue` only while
the agent rests, and one event at a time, so nothing can arrive late.

    rest         idle, installed, rolled_back, refused: nothing in hand, an ending perhaps not acknowledged yet
    downloading  the spare slot is being filled, or waits to be
    verifying    the spare slot is full: not judged yet, or believed and not let go
    staged       an attempt is burnt; the boot record is, or is about to be, set
    trial        the wanted image runs and has not proved itself
    confirming   it has, and the boot record is being set to say so
"""

from surefoot.agent import download, offers, trial, verification
from surefoot.agent import events as on
from surefoot.agent.steps import Step
from surefoot.agent.values import AgentState
from surefoot.wire.errors import Misuse
from surefoot.wire.journal import IDLE
from surefoot.wire.record import Record
from surefoot.wire.report import (
    CONFIRMING,
    DOWNLOADING,
    INSTALLED,
    REFUSED,
    ROLLED_BACK,
    STAGED,
    TRIAL,
    VERIFYING,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Row(Record):
    """In these states, this event is handled so, and leads to one of these states."""

    __slots__ = ("states", "event", "handler", "leads_to")
    states: "tuple[str, ...]"
    event: "type[on.Event]"
    handler: "Any"
    leads_to: "tuple[str, ...]"


def _row(states: "tuple[str, ...]", event: "type[on.Event]", handler: "Any", leads_to: "tuple[str, ...]") -> Row:
    return Row(states=states, event=event, handler=handler, leads_to=leads_to)


REST = (IDLE, INSTALLED, ROLLED_BACK, REFUSED)
BUSY = (DOWNLOADING, VERIFYING)
# An offer that was taken: to be downloaded, found in the spare slot, running already, or refused.
TAKEN = (DOWNLOADING, VERIFYING, INSTALLED, REFUSED)

# fmt: off
TABLE: "tuple[Row, ...]" = (
    _row(REST,           on.CheckDue,        offers.ask,                     REST),
    _row(REST,           on.Answered,        offers.take_answer,             REST + BUSY),
    _row(REST,           on.Unreachable,     offers.rest_unheard,            REST),

    _row(BUSY,           on.CheckDue,        download.check_while_held,      BUSY),
    _row(BUSY,           on.Answered,        download.heard_while_busy,      TAKEN),
    _row(BUSY,           on.Unreachable,     download.unheard_while_busy,    BUSY),
    _row(BUSY,           on.PreflightHeld,   download.hold,                  BUSY),
    _row((DOWNLOADING,), on.PreflightPassed, download.fetch_if_understood,   (DOWNLOADING,)),
    _row((DOWNLOADING,), on.RetryDue,        download.fetch,                 (DOWNLOADING,)),
    _row((DOWNLOADING,), on.ChunkArrived,    download.take_chunk,            TAKEN),
    _row((DOWNLOADING,), on.DownloadFailed,  download.retry_download,        (DOWNLOADING,)),
    _row((DOWNLOADING,), on.DownloadRefused, download.refuse_download,       (DOWNLOADING, REFUSED)),
    _row((VERIFYING,),   on.PreflightPassed, verification.verify_if_understood, (VERIFYING, STAGED, DOWNLOADING)),
    _row((VERIFYING,),   on.SpareDigested,   verification.judge,              (VERIFYING, DOWNLOADING, REFUSED)),

    _row((STAGED,),      on.Answered,        trial.switch_unless_cancelled,  (STAGED, REFUSED)),
    _row((STAGED,),      on.Unreachable,     trial.switch,                   (STAGED,)),
    _row((STAGED,),      on.PreflightHeld,   trial.unstage,                  (VERIFYING,)),
    _row((STAGED,),      on.BootSlotRefused, trial.cannot_switch,            (ROLLED_BACK,)),
    _row((TRIAL,),       on.Answered,        trial.test,                     (TRIAL,)),
    _row((TRIAL,),       on.Unreachable,     trial.test,                     (TRIAL,)),
    _row((TRIAL,),       on.SelfTestPassed,  trial.confirm,                  (CONFIRMING,)),
    _row((TRIAL,),       on.SelfTestFailed,  trial.go_back,                  (TRIAL,)),
    _row((CONFIRMING,),  on.Answered,        trial.confirm_again,            (CONFIRMING,)),
    _row((CONFIRMING,),  on.Unreachable,     trial.confirm_again,            (CONFIRMING,)),
    _row((CONFIRMING,),  on.Confirmed,       trial.conclude,                 (INSTALLED, TRIAL, ROLLED_BACK)),
)
# fmt: on


def advance(state: AgentState, event: "on.Event") -> Step:
    """Return what the agent makes of an event: its next state, and the effects to carry out in order.

    Raises:
        Misuse: `misuse-transition` when the table has no row for this state and event.
    """
    now = state.journal.state
    for row in TABLE:
        if isinstance(event, row.event) and now in row.states:
            step: Step = row.handler(state, event)
            if step.state.journal.state not in row.leads_to:
                raise Misuse("misuse-transition", f"{now} led to {step.state.journal.state}, which no row allows.")
            return step
    raise Misuse("misuse-transition", f"{type(event).__name__} came in state {now}, which has no row for it.")
