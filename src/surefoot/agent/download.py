"""Downloading into the spare slot, and judging what stands there before it may boot."""

from surefoot.agent.effects import (
    DigestSpare,
    EraseBlock,
    Fetch,
    Preflight,
    PrepareSpare,
    ScheduleRetry,
    StopFetch,
    WriteChunk,
)
from surefoot.agent.events import DownloadFailed
from surefoot.agent.offers import begin, ended, is_new, is_stale, refuse, start_epoch
from surefoot.agent.steps import (
    Step,
    backoff_s,
    ground,
    rest,
    save,
    save_and_tell,
    stay,
    tell,
    wanted_digest,
)
from surefoot.agent.values import AgentState
from surefoot.trust.rules import check_image, check_offer
from surefoot.wire import report as wire_report
from surefoot.wire.errors import Misuse, Refused
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.limits import CHUNK_BYTES
from surefoot.wire.offer import offer_from_object, offer_to_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.agent.events import (
        Answered,
        CheckDue,
        ChunkArrived,
        DownloadRefused,
        PreflightHeld,
        PreflightPassed,
        RetryDue,
        SpareDigested,
        Unreachable,
    )
    from surefoot.agent.values import SlotImage
    from surefoot.wire.journal import Journal
    from surefoot.wire.offer import Offer
    from surefoot.wire.version import Version

RESTARTS_MAX = 2
# Between two checks a broken download is taken up this often; then it waits for the next check, for ever if need be.
RETRIES_MAX = 5
# A robot that is busy or charging is looked at again after this.
HOLD_S = 60


def heard_while_busy(state: AgentState, event: "Answered") -> Step:
    """Let a newer assignment replace this one; else go on with it, from where the server now says the file lies."""
    offer, journal = event.answer.offer, state.journal
    if is_stale(state, event.answer):
        return start_epoch(state)
    if offer is not None and is_new(state, offer):
        return begin(state.replace(retries=0), offer)
    known = _offer(journal)
    if offer is not None and offer.id == known.id and offer.sha256 == known.sha256:
        # Servers move and signed addresses run out; the bytes received so far are of the same file.
        moved = _at(known, offer.url)
        if moved != known:
            return save(state, journal.replace(offer=moved), Preflight())
    return stay(state, Preflight())


def _at(offer: "Offer", url: str) -> "Offer":
    """Return the offer at this address, unless that makes it longer than a journal can give back."""
    try:
        return offer_from_object(offer_to_object(offer.replace(url=url)))
    except Refused:
        return offer


def unheard_while_busy(state: AgentState, event: "Unreachable") -> Step:
    """Go on: the way to the images may be open where the way to the server is not."""
    return stay(state, Preflight())


def check_while_held(state: AgentState, event: "CheckDue") -> Step:
    """Say how far it is, and look again whether it may go on."""
    state, exchange = tell(state.replace(retries=0))
    return stay(state, StopFetch(), exchange)


def hold(state: AgentState, event: "PreflightHeld") -> Step:
    """Wait; the next check says why and looks again."""
    return rest(state.replace(hold=event.code), HOLD_S)


def fetch(state: AgentState, event: "PreflightPassed | RetryDue") -> Step:
    """Ask for the first byte that is not recorded as received."""
    journal = state.journal
    state = state.replace(hold=None, judged=False, slots=state.slots.replace(spare=_overwritten(state.slots.spare)))
    if journal.received_bytes and journal.header:
        return stay(state, _fetch(journal, HEADER_BYTES + journal.received_bytes, CHUNK_BYTES))
    return stay(state, PrepareSpare(), _fetch(journal, 0, HEADER_BYTES))


def _overwritten(spare: "SlotImage") -> "SlotImage":
    """What was seen there at boot is being erased: it must be neither reported nor booted any more."""
    return spare.replace(digest=None, version="", state=wire_report.UNKNOWN)


def _fetch(journal: "Journal", first_byte: int, first_chunk_bytes: int) -> Fetch:
    offer = _offer(journal)
    return Fetch(url=offer.url, sha256=offer.sha256, first_byte=first_byte, first_chunk_bytes=first_chunk_bytes)


def take_chunk(state: AgentState, event: "ChunkArrived") -> Step:
    """Put a piece where it belongs; record what is complete at the end of each block."""
    if event.offset_bytes == 0:
        return _take_header(state, event.data)
    journal = state.journal
    header = ImageHeader.parse(journal.header)
    offset = event.offset_bytes - HEADER_BYTES
    end = offset + len(event.data)
    if end > header.size_bytes:
        return _start_over(state, "refused-image-format")
    if len(event.data) != min(CHUNK_BYTES, header.size_bytes - offset):
        # A piece cut short would put the next one across a block that was not erased.
        return _closing(retry_download(state, DownloadFailed(code="download-interrupted")))
    write = WriteChunk(offset_bytes=offset, data=event.data)
    effects = (EraseBlock(offset_bytes=offset), write) if offset % state.slots.block_bytes == 0 else (write,)
    if end == header.size_bytes:
        done = journal.replace(state=wire_report.VERIFYING, received_bytes=end)
        step = save(state, done, StopFetch(), Preflight())
        return Step(state=step.state, effects=effects + step.effects)
    if end % state.slots.block_bytes == 0:
        step = save(state.replace(retries=0), journal.replace(received_bytes=end))
        return Step(state=step.state, effects=effects + step.effects)
    return stay(state, *effects)


def _take_header(state: AgentState, data: bytes) -> Step:
    journal, offer = state.journal, _offer(state.journal)
    try:
        header = ImageHeader.parse(data)
    except Refused as refusal:
        return _start_over(state, refusal.code)
    if offer.size_bytes not in (None, HEADER_BYTES + header.size_bytes):
        # A download without this end in sight would be taken up again for ever.
        return _start_over(state, "refused-image-format")
    if header.size_bytes > state.slots.spare_bytes:
        return _closing(refuse(state, "refused-size"))
    if header.digest == state.slots.running.digest and not offer.force:
        return _closing(save_and_tell(state, ended(journal, wire_report.INSTALLED, None)))
    # Kept in memory only: it becomes durable together with the first block, which is what it is needed for.
    return stay(state.replace(journal=journal.replace(header=data)))


def _closing(step: Step) -> Step:
    return Step(state=step.state, effects=(StopFetch(),) + step.effects)


def _digest(journal: "Journal") -> DigestSpare:
    return DigestSpare(header=journal.header, size_bytes=ImageHeader.parse(journal.header).size_bytes)


def retry_download(state: AgentState, event: "DownloadFailed") -> Step:
    """Take the download up again after a pause that doubles; after some tries, at the next check."""
    retries = state.retries + 1
    state = state.replace(retries=retries, hold=event.code)
    if retries > RETRIES_MAX:
        return rest(state, backoff_s(retries))
    return stay(state, ScheduleRetry(delay_s=backoff_s(state.retries - 1)))


def refuse_download(state: AgentState, event: "DownloadRefused") -> Step:
    """End: the file will not be served."""
    return refuse(state, event.code)


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
    journal, offer = state.journal, _offer(state.journal)
    if event.sha256 != offer.sha256:
        return _start_over(state, "refused-sha256")
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
    staged = journal.replace(state=wire_report.STAGED, attempts=journal.attempts + 1, code=None)
    return save_and_tell(state.replace(hold=None), staged)


def _start_over(state: AgentState, code: str) -> Step:
    """Fetch the file again from its first byte, so often; then it is not chance, and it is refused."""
    journal = state.journal
    if journal.restarts >= RESTARTS_MAX:
        return _closing(refuse(state, code))
    again = journal.replace(
        state=wire_report.DOWNLOADING, restarts=journal.restarts + 1, received_bytes=0, header=b"", code=None
    )
    return save(state, again, StopFetch(), Preflight())


def _offer(journal: "Journal") -> "Offer":
    if journal.offer is None:
        raise Misuse("misuse-transition", f"The journal is {journal.state} without an offer.")
    return journal.offer
