"""What the agent makes of the server's answer while nothing that cannot be taken back is under way."""

from surefoot.agent.effects import Preflight, ScheduleCheck, StopFetch
from surefoot.agent.steps import (
    Step,
    backoff_s,
    ground,
    is_ended,
    rest,
    save,
    save_and_tell,
    stay,
    tell,
    version_of,
)
from surefoot.agent.values import AgentState
from surefoot.trust.rules import check_offer
from surefoot.wire import report as wire_report
from surefoot.wire.errors import Refused
from surefoot.wire.offer import Answer, Offer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.agent.events import Answered, CheckDue, Unreachable
    from surefoot.wire.journal import Journal


def ask(state: AgentState, event: "CheckDue") -> Step:
    """Report the facts and so ask what is to be done."""
    state, exchange = tell(state)
    return stay(state, exchange)


def take_answer(state: AgentState, event: "Answered") -> Step:
    """Note an acknowledgement, take a new offer, or rest."""
    journal, answer = state.journal, event.answer
    state = state.replace(retries=0)
    if is_stale(state, answer):
        return start_epoch(state)
    if answer.offer is not None and is_new(state, answer.offer):
        return begin(state, answer.offer, event)
    if _is_news(state, answer.acknowledged):
        noted = journal.replace(acknowledged=True)
        return save(state, noted, *rest(state, answer.next_check_s).effects)
    return rest(state, answer.next_check_s)


def is_cancelled(state: AgentState, answer: Answer) -> bool:
    """Whether the server takes the offer back that this robot works on."""
    offer = state.journal.offer
    return offer is not None and answer.cancelled == offer.id


def cancel(state: AgentState) -> Step:
    """End the assignment before anything was tried; it may be offered again."""
    step = refuse(state.replace(hold=None, judged=False), "cancelled")
    return Step(state=step.state, effects=(StopFetch(),) + step.effects)


def is_stale(state: AgentState, answer: Answer) -> bool:
    """Whether the fleet knows later facts than this robot's own: its flash was put back to an earlier state."""
    return answer.stale and state.journal.epoch != state.fresh_epoch


def start_epoch(state: AgentState) -> Step:
    """Begin to count anew where the fleet will listen, and say everything again."""
    return save_and_tell(state, state.journal.replace(epoch=state.fresh_epoch))


def rest_unheard(state: AgentState, event: "Unreachable") -> Step:
    """Try again: soon while an ending is not acknowledged, else at the next check."""
    journal = state.journal
    if is_ended(journal) and (journal.offer is None or journal.acknowledged):
        return rest(state)
    return stay(state.replace(retries=state.retries + 1), ScheduleCheck(delay_s=backoff_s(state.retries)))


def is_new(state: AgentState, offer: Offer) -> bool:
    """Whether the offer is one to act on.

    The same assignment again is the same installation, unless its attempt is above every one spent on it. Nothing is
    begun while the running image is itself on trial.
    """
    known = state.journal.offer
    if state.slots.running.state == wire_report.TRIAL:
        return False
    if known is None or known.id != offer.id:
        return True
    return is_ended(state.journal) and offer.attempt > max(known.attempt, state.journal.attempts)


def begin(state: AgentState, offer: Offer, event: "Answered") -> Step:
    """Judge a new offer and take the first step for it."""
    journal, running = state.journal, state.slots.running
    same_assignment = journal.offer is not None and journal.offer.id == offer.id
    taken = journal.replace(
        state=wire_report.DOWNLOADING,
        offer=offer,
        attempts=journal.attempts if same_assignment else 0,
        trial_boots=0,
        restarts=0,
        code=None,
        acknowledged=False,
        received_bytes=0,
        header=b"",
        source_slot=running.slot,
        source_digest=running.digest or "",
    )
    state = state.replace(hold=None, judged=False)
    if running.digest is not None and running.digest == offer.digest and not offer.force:
        return save_and_tell(state, ended(taken, wire_report.INSTALLED, None))
    try:
        check_offer(offer, ground(state).replace(now_s=event.now_s))
    except Refused as refusal:
        return refuse(state.replace(journal=taken), refusal.code)
    if event.refusal is not None:
        return refuse(state.replace(journal=taken), event.refusal)
    if offer.rollback and _spare_holds(state, offer):
        taken = taken.replace(state=wire_report.VERIFYING)
    return save(state, taken, StopFetch(), Preflight())


def refuse(state: AgentState, code: str) -> Step:
    """End the assignment with a refusal, and say so."""
    return save_and_tell(state, ended(state.journal, wire_report.REFUSED, code))


def ended(journal: "Journal", state: str, code: "str | None") -> "Journal":
    """Return the journal of an assignment that came to its end without a trial.

    Its attempt counts as spent all the same: a later offer of it must be told from a copy of this one.
    """
    offered = 0 if journal.offer is None else journal.offer.attempt
    attempts = max(journal.attempts, offered)
    return journal.replace(state=state, code=code, attempts=attempts, acknowledged=False)


def _spare_holds(state: AgentState, offer: Offer) -> bool:
    """Whether the spare slot can be booted as it stands: what is signed must name its version, as after a download."""
    spare = state.slots.spare
    if spare.digest is None or spare.digest != offer.digest or spare.state != wire_report.CONFIRMED:
        return False
    return offer.manifest is not None or version_of(state.journal, spare) == offer.version


def _is_news(state: AgentState, acknowledged: "str | None") -> bool:
    journal = state.journal
    return (
        journal.offer is not None
        and journal.offer.id == acknowledged
        and journal.state in wire_report.TERMINAL_STATES
        and not journal.acknowledged
    )
