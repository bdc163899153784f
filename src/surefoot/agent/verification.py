"""Judging what stands in the spare slot before it may boot, and staging it."""

from surefoot.agent.download import held_by_companion, start_over
from surefoot.agent.effects import DigestSpare, Preflight
from surefoot.agent.offers import refuse
from surefoot.agent.steps import Step, ground, offer_of, save, save_and_tell, stay, wanted_digest
from surefoot.agent.values import AgentState
from surefoot.trust.rules import check_image, check_offer
from surefoot.wire import report as wire_report
from surefoot.wire.errors import Refused
from surefoot.wire.image_header import ImageHeader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.agent.events import PreflightPassed, SpareDigested
    from surefoot.wire.journal import Journal
    from surefoot.wire.version import Version


def verify_if_understood(state: AgentState, event: "PreflightPassed") -> Step:
    """Judge or stage, unless the companion would not understand the new firmware."""
    return held_by_companion(state) or verify(state, event)


def verify(state: AgentState, event: "PreflightPassed") -> Step:
    """Read the spare slot back to judge it, or stage what was judged.

    An image that comes back into favour by a rollback order was judged when it was installed.
    """
    journal = state.journal
    if state.judged:
        return stage(state)
    if journal.header:
        return stay(state.replace(hold=None), _digest(journal))
    spare = state.slots.spare
    if spare.digest is not None and spare.digest == wanted_digest(journal) and spare.state == wire_report.CONFIRMED:
        return stage(state)
    return save(state, journal.replace(state=wire_report.DOWNLOADING, received_bytes=0), Preflight())


def judge(state: AgentState, event: "SpareDigested") -> Step:
    """Believe or refuse what stands in the spare slot; then look once more whether the robot may restart."""
    journal, offer = state.journal, offer_of(state.journal)
    if event.sha256 != offer.sha256:
        return start_over(state, "refused-sha256")
    header = ImageHeader.parse(journal.header)
    ground_now = ground(state)
    try:
        if event.image_code is not None:
            raise Refused(event.image_code, "The slot holds no image that can boot: build it again.")
        if state.identity.chip_id is not None and event.chip_id != state.identity.chip_id:
            raise Refused("refused-chip", f"The image is made for chip {event.chip_id}: build it for this one.")
        manifest = check_offer(offer, ground_now)
        version = check_image(header, event.digest, event.descriptor_version, manifest, offer, ground_now)
    except Refused as refusal:
        return refuse(state, refusal.code)
    return stay(state.replace(journal=_labelled(state, event.digest, version), judged=True), Preflight())


def _labelled(state: AgentState, digest: str, version: "Version") -> "Journal":
    """Remember the version of the judged image, and the running one's before that of any that came and went."""
    journal, running = state.journal, state.slots.running.digest
    known = None if running is None else journal.version_of(running)
    if running is not None and known is not None:
        journal = journal.with_label(running, known)
    return journal.with_label(digest, str(version))


def stage(state: AgentState) -> Step:
    """Burn an attempt, record the intention, and give the server the last word before the reboot."""
    journal = state.journal
    staged = journal.replace(state=wire_report.STAGED, attempts=journal.attempts + 1, trial_boots=0, code=None)
    return save_and_tell(state.replace(hold=None), staged)


def _digest(journal: "Journal") -> DigestSpare:
    return DigestSpare(header=journal.header, size_bytes=ImageHeader.parse(journal.header).size_bytes)
