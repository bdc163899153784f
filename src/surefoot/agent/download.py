"""Downloading into the spare slot, and judging what stands there before it may boot."""

from surefoot.agent.deltas import DELTA_RETRIES_MAX, delta_of, fall_back, without_delta
from surefoot.agent.effects import (
    EraseBlock,
    Fetch,
    Preflight,
    PrepareSpare,
    ScheduleRetry,
    StopFetch,
    WriteChunk,
)
from surefoot.agent.events import DownloadFailed, PreflightHeld
from surefoot.agent.offers import begin, cancel, ended, is_cancelled, is_new, is_stale, refuse, start_epoch
from surefoot.agent.preflight import fits_companion
from surefoot.agent.steps import Step, backoff_s, offer_of, rest, save, save_and_tell, stay, tell
from surefoot.agent.values import AgentState
from surefoot.wire import report as wire_report
from surefoot.wire.errors import Refused
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.limits import CHUNK_BYTES
from surefoot.wire.manifest import parse_manifest
from surefoot.wire.offer import offer_from_object, offer_to_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.agent.events import (
        Answered,
        CheckDue,
        ChunkArrived,
        DownloadRefused,
        PreflightPassed,
        RetryDue,
        Unreachable,
    )
    from surefoot.agent.values import SlotImage
    from surefoot.wire.offer import Offer

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
    if is_cancelled(state, event.answer):
        return cancel(state)
    if offer is not None and is_new(state, offer):
        return begin(state.replace(retries=0), offer, event)
    known = offer_of(journal)
    if offer is not None and offer.id == known.id and offer.sha256 == known.sha256:
        # Servers move and signed addresses run out; the bytes received so far are of the same file.
        moved = _at(known, offer)
        if moved != known:
            return save(state, journal.replace(offer=moved), Preflight())
    return stay(state, Preflight())


def _at(offer: "Offer", now: "Offer") -> "Offer":
    """Return the offer at the addresses of now, unless that makes it longer than a journal can give back."""
    delta = offer.delta
    if delta is not None and now.delta is not None and now.delta.sha256 == delta.sha256:
        delta = delta.replace(url=now.delta.url)
    try:
        return offer_from_object(offer_to_object(offer.replace(url=now.url, delta=delta)))
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


def fetch_if_understood(state: AgentState, event: "PreflightPassed") -> Step:
    """Download, unless the companion would not understand the new firmware."""
    return held_by_companion(state) or fetch(state, event)


def held_by_companion(state: AgentState) -> "Step | None":
    """Return the step that waits for the companion, or None when it understands the offered firmware."""
    offer = offer_of(state.journal)
    protocol = None if offer.manifest is None else parse_manifest(offer.manifest.payload).protocol
    if fits_companion(offer, protocol, state.identity.companion_version):
        return None
    return hold(state, PreflightHeld(code="held-companion"))


def fetch(state: AgentState, event: "PreflightPassed | RetryDue") -> Step:
    """Ask for the first byte that is not recorded as received."""
    journal = state.journal
    state = state.replace(hold=None, judged=False, slots=state.slots.replace(spare=_overwritten(state.slots.spare)))
    if journal.received_bytes and journal.header:
        return stay(state, _fetch(state, HEADER_BYTES + journal.received_bytes, CHUNK_BYTES))
    return stay(state, PrepareSpare(), _fetch(state, 0, HEADER_BYTES))


def _overwritten(spare: "SlotImage") -> "SlotImage":
    """What was seen there at boot is being erased: it must be neither reported nor booted any more."""
    return spare.replace(digest=None, version="", state=wire_report.UNKNOWN)


def _fetch(state: AgentState, first_byte: int, first_chunk_bytes: int) -> Fetch:
    offer = offer_of(state.journal)
    return Fetch(
        url=offer.url,
        sha256=offer.sha256,
        first_byte=first_byte,
        first_chunk_bytes=first_chunk_bytes,
        delta=delta_of(state),
    )


def take_chunk(state: AgentState, event: "ChunkArrived") -> Step:
    """Put a piece where it belongs; record what is complete at the end of each block."""
    if event.offset_bytes == 0:
        return _take_header(state, event.data)
    journal = state.journal
    header = ImageHeader.parse(journal.header)
    offset = event.offset_bytes - HEADER_BYTES
    end = offset + len(event.data)
    if end > header.size_bytes:
        return start_over(state, "refused-image-format")
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
    journal, offer = state.journal, offer_of(state.journal)
    try:
        header = ImageHeader.parse(data)
    except Refused as refusal:
        return start_over(state, refusal.code)
    if offer.size_bytes not in (None, HEADER_BYTES + header.size_bytes):
        # A download without this end in sight would be taken up again for ever.
        return start_over(state, "refused-image-format")
    if offer.digest not in (None, header.digest):
        # What a header says of another image must not end this assignment.
        return start_over(state, "refused-digest")
    if header.size_bytes > state.slots.spare_bytes:
        return _closing(refuse(state, "refused-size"))
    if header.digest == state.slots.running.digest and not offer.force:
        return _closing(save_and_tell(state, ended(journal, wire_report.INSTALLED, None)))
    # Kept in memory only: it becomes durable together with the first block, which is what it is needed for.
    return stay(state.replace(journal=journal.replace(header=data)))


def _closing(step: Step) -> Step:
    return Step(state=step.state, effects=(StopFetch(),) + step.effects)


def retry_download(state: AgentState, event: "DownloadFailed") -> Step:
    """Take the download up again after a pause that doubles; after some tries, at the next check."""
    retries = state.retries + 1
    state = state.replace(retries=retries, hold=event.code)
    if retries > DELTA_RETRIES_MAX and delta_of(state) is not None:
        # The bytes so far are of the same file, and the full one goes on behind them.
        return save(state, without_delta(state.journal), ScheduleRetry(delay_s=backoff_s(state.retries - 1)))
    if retries > RETRIES_MAX:
        return rest(state, backoff_s(retries))
    return stay(state, ScheduleRetry(delay_s=backoff_s(state.retries - 1)))


def refuse_download(state: AgentState, event: "DownloadRefused") -> Step:
    """End: the file will not be served. What is said of a delta is not said of the file."""
    if delta_of(state) is not None:
        return fall_back(state)
    return refuse(state, event.code)


def start_over(state: AgentState, code: str) -> Step:
    """Fetch the file again from its first byte, so often; then it is not chance, and it is refused."""
    if delta_of(state) is not None:
        return fall_back(state)
    journal = state.journal
    if journal.restarts >= RESTARTS_MAX:
        return _closing(refuse(state, code))
    again = journal.replace(
        state=wire_report.DOWNLOADING, restarts=journal.restarts + 1, received_bytes=0, header=b"", code=None
    )
    return save(state, again, StopFetch(), Preflight())
