"""The shorter way to an image: whether a robot takes the delta of its offer, and how it goes back to the full file.

A delta is only ever another source of the same bytes. What it makes is written, judged and tried like the full file,
and giving it up costs neither an attempt nor a restart of the download.
"""

from surefoot.agent.effects import Preflight, StopFetch
from surefoot.agent.steps import Step, offer_of, save
from surefoot.wire.delta import FORMAT
from surefoot.wire.report import CONFIRMED, DOWNLOADING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.agent.values import AgentState
    from surefoot.wire.journal import Journal
    from surefoot.wire.offer import Delta

# Each try reads the delta from its first byte on, where the full file would go on from the last recorded block.
DELTA_RETRIES_MAX = 2


def delta_of(state: "AgentState") -> "Delta | None":
    """Return the delta to download, None where the full file is.

    Its source must be what runs and is confirmed: the bootloader may take back an image on trial. And the offer must
    say what comes out, for a delta brings its own header, and what that says is believed of the file that was offered
    only.
    """
    offer, running = offer_of(state.journal), state.slots.running
    delta = offer.delta
    if delta is None or FORMAT not in state.accepts or offer.digest is None or offer.size_bytes is None:
        return None
    return delta if running.state == CONFIRMED and running.digest == delta.source_digest else None


def without_delta(journal: "Journal") -> "Journal":
    """Return the journal that has forgotten the delta: it is not tried again for this offer."""
    offer = journal.offer
    return journal if offer is None else journal.replace(offer=offer.replace(delta=None))


def fall_back(state: "AgentState") -> Step:
    """Fetch the full file from its first byte: what the delta made until now may be wrong."""
    again = without_delta(state.journal).replace(state=DOWNLOADING, received_bytes=0, header=b"", code=None)
    return save(state, again, StopFetch(), Preflight())
