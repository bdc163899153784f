"""How a robot goes on after a boot: a table over what the journal intended and what the bootloader says is true.

Power can fail between any two writes, so the journal never says what runs; it only tells which of the stories that
end in these slots was the one that happened. The first row that matches wins; None in a column matches everything.

Which image runs is told by slot and digest together, because an image that is installed again over itself has one
digest in both slots.
"""

from surefoot.agent.effects import GoBack, Reboot, SaveJournal
from surefoot.agent.events import Booted
from surefoot.agent.steps import Step, save_and_tell, wanted_digest
from surefoot.agent.trial import installed
from surefoot.agent.values import AgentState, Identity, Slots
from surefoot.wire import report as wire_report
from surefoot.wire.journal import IDLE, Journal, blank_journal
from surefoot.wire.record import Record

SOURCE = "source"
WANTED = "wanted"
OTHER = "other"

CONFIRMED = wire_report.CONFIRMED
TRIAL = wire_report.TRIAL
ROLLED_BACK = wire_report.ROLLED_BACK

# What a row makes of the story.
KEEP = "keep"
STAGE_AGAIN = "stage again"
GO_BACK = "go back"
FORGET = "forget"


# An image that three boots in a row did not see confirmed is not booted a fourth time, whatever the bootloader does.
TRIAL_BOOTS_MAX = 3


class ResumeRow(Record):
    """One story: journal states, which image runs, its state, the spare's state, and what the robot resumes as.

    `resume_as` is a journal state, or one of KEEP, STAGE_AGAIN, GO_BACK, FORGET; `code` is recorded unless the journal
    holds a more exact one already.
    """

    __slots__ = ("name", "journal", "running", "state", "spare", "resume_as", "code")
    name: str
    journal: "tuple[str, ...] | None"
    running: "str | None"
    state: "str | None"
    spare: "str | None"
    resume_as: str
    code: "str | None"


def _row(
    name: str,
    journal: "tuple[str, ...] | None",
    running: "str | None",
    state: "str | None",
    spare: "str | None",
    resume_as: str,
    code: "str | None" = None,
) -> ResumeRow:
    return ResumeRow(
        name=name, journal=journal, running=running, state=state, spare=spare, resume_as=resume_as, code=code
    )


ENDED = (IDLE, wire_report.INSTALLED, wire_report.ROLLED_BACK, wire_report.REFUSED)
LOADING = (wire_report.DOWNLOADING, wire_report.VERIFYING)
STAGED = (wire_report.STAGED,)
TRYING = (wire_report.TRIAL,)
CONFIRMING = (wire_report.CONFIRMING,)
BOOTED = STAGED + TRYING + CONFIRMING

# fmt: off
RESUME: "tuple[ResumeRow, ...]" = (
    #    story                                     journal     running  state      spare        resume as, code
    _row("nothing was in hand",                    ENDED,      None,    CONFIRMED, None,        KEEP),
    _row("cut while downloading or verifying",     LOADING,    SOURCE,  CONFIRMED, None,        KEEP),
    _row("confirmed, only the word was lost",      BOOTED,     WANTED,  CONFIRMED, None,        wire_report.INSTALLED),
    _row("first boot of the trial",                STAGED,     WANTED,  TRIAL,     None,        wire_report.TRIAL),
    _row("the agent restarted during the trial",   TRYING,     WANTED,  TRIAL,     None,        wire_report.TRIAL),
    _row("self-test passed, not confirmed yet",    CONFIRMING, WANTED,  TRIAL,     None,        KEEP),
    _row("cut while confirming, record lost",      CONFIRMING, SOURCE,  CONFIRMED, None,
         wire_report.ROLLED_BACK, "confirm-interrupted"),
    _row("the trial ended",                        TRYING,     SOURCE,  CONFIRMED, None,
         wire_report.ROLLED_BACK, "trial-interrupted"),
    _row("the trial ended before it could say so", STAGED,     SOURCE,  CONFIRMED, ROLLED_BACK,
         wire_report.ROLLED_BACK, "trial-interrupted"),
    _row("the boot record never reached flash",    STAGED,     SOURCE,  CONFIRMED, None,
         STAGE_AGAIN, "stage-failed"),
    _row("no known story, on trial",               None,       None,    TRIAL,     None,
         GO_BACK, "unknown-journal"),
    _row("no known story",                         None,       None,    CONFIRMED, None,
         FORGET, "unknown-journal"),
)
# fmt: on


def relation(journal: Journal, slots: Slots) -> str:
    """Return which image runs: the one the update began from, the wanted one, or another."""
    digest = slots.running.digest
    in_source_slot = slots.running.slot == journal.source_slot
    if in_source_slot and (digest or "") == journal.source_digest:
        return SOURCE
    if not in_source_slot and digest is not None and digest == wanted_digest(journal):
        return WANTED
    return OTHER


def running_state(journal: Journal, slots: Slots) -> str:
    """Return whether the running image is on trial: by the bootloader's word, or by the journal where it has none.

    A bootloader built without rollback calls an image confirmed that nobody has tested yet. The journal knows better
    until it says `confirming`, which is recorded before anything is confirmed.
    """
    untested = journal.state in STAGED + TRYING and relation(journal, slots) == WANTED
    return TRIAL if untested and not slots.enforces_trial else slots.running.state


def find_row(journal: Journal, slots: Slots) -> ResumeRow:
    """Return the first row that matches."""
    running = relation(journal, slots)
    state = running_state(journal, slots)
    for row in RESUME:
        if (
            (row.journal is None or journal.state in row.journal)
            and row.running in (None, running)
            and row.state in (None, state)
            and row.spare in (None, slots.spare.state)
        ):
            return row
    raise AssertionError("the last two rows match every journal")


def boot(identity: Identity, event: Booted) -> Step:
    """Return the first step after a boot: count it, find the story, record both, report."""
    found = event.journal
    journal = blank_journal(event.fresh_epoch) if found is None else found
    row = find_row(journal, event.slots)
    running = event.slots.running.replace(state=running_state(journal, event.slots))
    boot_code = _boot_code(row, event)
    journal = _told_by(row, journal, identity).replace(boot=journal.boot + 1)
    if journal.state == IDLE:
        # A robot that goes back has no chance to say why before the next boot.
        journal = journal.replace(code=boot_code if row.resume_as == GO_BACK else None)
    state = AgentState(
        identity=identity,
        journal=journal,
        slots=event.slots.replace(running=running),
        seq=0,
        retries=0,
        hold=None,
        judged=False,
        boot_code=boot_code,
        fresh_epoch=event.fresh_epoch,
        accepts=event.accepts,
    )
    # A code says that the trial was lost already: a second self-test by chance must not keep the image.
    is_lost = journal.code is not None or journal.trial_boots > TRIAL_BOOTS_MAX
    gives_up = journal.state == wire_report.TRIAL and is_lost
    if row.resume_as == GO_BACK or gives_up:
        return Step(state=state, effects=(SaveJournal(journal=journal), GoBack(), Reboot()))
    return save_and_tell(state, journal)


def _boot_code(row: ResumeRow, event: Booted) -> "str | None":
    if event.damaged:
        return "damaged-journal"
    if row.resume_as in (GO_BACK, FORGET):
        return row.code
    return event.journal.code if event.journal is not None and event.journal.state == IDLE else None


def _told_by(row: ResumeRow, journal: Journal, identity: Identity) -> Journal:
    if row.resume_as == KEEP:
        return journal
    if row.resume_as in (GO_BACK, FORGET):
        return _forget(journal)
    if row.resume_as == STAGE_AGAIN:
        if journal.attempts >= identity.attempts_max:
            return journal.replace(state=wire_report.ROLLED_BACK, code=row.code, acknowledged=False)
        return journal.replace(state=wire_report.VERIFYING)
    if row.resume_as == wire_report.INSTALLED:
        return installed(journal)
    if row.resume_as == wire_report.TRIAL:
        return journal.replace(state=wire_report.TRIAL, trial_boots=journal.trial_boots + 1)
    code = None if row.code is None else journal.code or row.code
    return journal.replace(state=row.resume_as, code=code, acknowledged=False)


def _forget(journal: Journal) -> Journal:
    return journal.replace(
        state=IDLE, offer=None, attempts=0, restarts=0, code=None, acknowledged=False, received_bytes=0, header=b""
    )
