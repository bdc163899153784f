"""The pieces every handler is made of: a step, the report, and the few moves that several states share."""

from surefoot.agent.effects import Exchange, SaveJournal, ScheduleCheck
from surefoot.agent.values import AgentState, Slots
from surefoot.trust.keys import KeyRing, PublicKey
from surefoot.trust.rules import Ground
from surefoot.wire.errors import Misuse, Refused
from surefoot.wire.image_header import ImageHeader
from surefoot.wire.journal import IDLE, Journal
from surefoot.wire.record import Record
from surefoot.wire.report import TERMINAL_STATES, AssignmentReport, Report, SlotReport
from surefoot.wire.version import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.agent.effects import Effect
    from surefoot.agent.values import SlotImage
    from surefoot.wire.offer import Offer

# Robots ask every 6 h; the server steers it and the shell adds jitter.
CHECK_INTERVAL_S = 6 * 3600
# Whatever an answer says: one that is wrong, or forged, neither silences a robot nor makes it ask without a pause.
CHECK_INTERVAL_S_MAX = 7 * 24 * 3600
RETRY_DELAY_S = 30
# Doubling from 30 s, the tenth retry would wait longer than the ordinary check.
RETRIES_BEFORE_CHECK = 9


class Step(Record):
    """The agent's state after an event, and what it wants done, in this order."""

    __slots__ = ("state", "effects")
    state: AgentState
    effects: "tuple[Effect, ...]"


def stay(state: AgentState, *effects: "Effect") -> Step:
    """Remember nothing new; have these effects done."""
    return Step(state=state, effects=effects)


def save(state: AgentState, journal: Journal, *effects: "Effect") -> Step:
    """Record the journal first, then have these effects done."""
    return Step(state=state.replace(journal=journal), effects=(SaveJournal(journal=journal),) + effects)


def save_and_tell(state: AgentState, journal: Journal) -> Step:
    """Record the journal, then report the facts."""
    told, exchange = tell(state.replace(journal=journal))
    return Step(state=told, effects=(SaveJournal(journal=journal), exchange))


def tell(state: AgentState) -> "tuple[AgentState, Exchange]":
    """Return the state that has counted one more report, and that report."""
    state = state.replace(seq=state.seq + 1)
    return state, Exchange(report=report_of(state))


def rest(state: AgentState, next_check_s: "int | None" = None) -> Step:
    """Wait for the next check, within limits."""
    delay_s = CHECK_INTERVAL_S if next_check_s is None else max(1, min(next_check_s, CHECK_INTERVAL_S_MAX))
    return stay(state, ScheduleCheck(delay_s=delay_s))


def backoff_s(retries: int) -> int:
    """Return the pause before the next try, doubling with every failure in a row."""
    return min(RETRY_DELAY_S << min(retries, RETRIES_BEFORE_CHECK), CHECK_INTERVAL_S)


def wanted_digest(journal: Journal) -> "str | None":
    """Return the digest the journal's offer leads to; None while only a minimal offer is known."""
    if journal.offer is None:
        return None
    if journal.offer.digest is not None:
        return journal.offer.digest
    return ImageHeader.parse(journal.header).digest if journal.header else None


def version_of(journal: Journal, image: "SlotImage") -> "Version | None":
    """Return the version that something signed gives the image in a slot, None where nothing does.

    The slot may hold anything, a refused image or half of one included: what it says must never stop the agent.
    """
    try:
        inside = Version.parse_descriptor(image.version)
        if inside is not None or image.digest is None:
            return inside
        known = journal.version_of(image.digest)
        return None if known is None else Version.parse(known)
    except Refused:
        return None


def version_floor(state: AgentState) -> Version:
    """Return the lowest version this robot installs: the floor it left the factory with, or a higher one set since."""
    factory, journal = state.identity.version_floor, state.journal.version_floor
    return journal if journal > factory else factory


def ring_of(state: AgentState) -> KeyRing:
    """Return the keys the robot trusts: those it was made with, or those an installed release handed over since."""
    handed_over = state.journal.trusted_keys
    return KeyRing(keys=tuple([PublicKey.from_xy(xy) for xy in handed_over])) if handed_over else state.identity.ring


def ground(state: AgentState) -> Ground:
    """Return what the robot stands on when it judges an offer."""
    return Ground(
        sku=state.identity.sku,
        running_version=version_of(state.journal, state.slots.running),
        version_floor=version_floor(state),
        companion_version=state.identity.companion_version,
        ring=ring_of(state),
        verify=state.identity.verify,
        needs_manifest=state.identity.needs_manifest,
        now_s=None,
    )


def is_ended(journal: Journal) -> bool:
    """Whether nothing is in hand."""
    return journal.state == IDLE or journal.state in TERMINAL_STATES


def offer_of(journal: "Journal") -> "Offer":
    """Return what the robot works on; there is always something when this is asked."""
    if journal.offer is None:
        raise Misuse("misuse-transition", f"The journal is {journal.state} without an offer.")
    return journal.offer


def report_of(state: AgentState) -> Report:
    """Return the facts."""
    journal, slots, identity = state.journal, state.slots, state.identity
    return Report(
        robot_id=identity.robot_id,
        sku=identity.sku,
        epoch=journal.epoch,
        boot=journal.boot,
        seq=state.seq,
        running=_slot_report(journal, slots, slots.running),
        spare=_slot_report(journal, slots, slots.spare),
        assignment=_assignment_report(state),
        version_floor=str(version_floor(state)),
        protocol=identity.protocol,
        companion_version=identity.companion_version,
        trusted_keys=ring_of(state).key_ids,
        accepts=state.accepts,
        code=state.boot_code,
    )


def _slot_report(journal: Journal, slots: Slots, image: "SlotImage") -> SlotReport:
    version = version_of(journal, image)
    return SlotReport(
        slot=image.slot,
        version=None if version is None else str(version),
        digest=image.digest,
        state=image.state,
    )


def _assignment_report(state: AgentState) -> "AssignmentReport | None":
    journal = state.journal
    if journal.offer is None:
        return None
    return AssignmentReport(
        id=journal.offer.id,
        state=journal.state,
        attempts=journal.attempts,
        received_bytes=journal.received_bytes,
        code=journal.code or state.hold,
    )
