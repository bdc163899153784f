"""Who leads: one row that says which server process decides, and under which epoch.

Processes do not compare clocks. A process that waits takes over when the row has not changed for `LEASE_S` by its own
monotonic clock; the leader changes it with everything it writes and at least every `RENEW_S`. A leader that was
stopped for longer, and wakes up when another leads, is kept out by the epoch: `hold` stands at the beginning of each
of its transactions.
"""

from dataclasses import dataclass, replace

from surefoot.fleet.ports import Rows
from surefoot.wire.errors import Interrupted

LEADER = "leader"
LEASE_S = 3.0
RENEW_S = 1.0
# How often a waiting process looks: a killed leader is replaced within LEASE_S and two looks.
LOOK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The leader's row: `epoch` rises with each leader, `beat` with each renewal; no `holder` when it was let go."""

    name: str
    holder: str
    epoch: int
    beat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a waiting process last saw of the row, and since when by its own monotonic clock."""

    lease: Lease | None
    since_s: float


def look(before: Sight | None, found: Lease | None, monotonic_s: float) -> Sight:
    """Return what is seen now; what has not changed is seen since it was first so."""
    return before if before is not None and before.lease == found else Sight(lease=found, since_s=monotonic_s)


def is_free(sight: Sight, monotonic_s: float) -> bool:
    """Whether the lease may be taken: nobody holds it, or who does has not been heard of for its time."""
    nobody = sight.lease is None or not sight.lease.holder
    return nobody or monotonic_s - sight.since_s >= LEASE_S


def take(rows: Rows, sight: Sight, holder: str) -> Lease | None:
    """Become the leader under a new epoch; None when the row is not as it was seen any more."""
    found = rows.get(Lease, LEADER)
    if found != sight.lease:
        return None
    lease = Lease(name=LEADER, holder=holder, epoch=1 if found is None else found.epoch + 1, beat=0)
    rows.put(lease)
    return lease


def hold(rows: Rows, lease: Lease) -> None:
    """Renew the lease, and fence what this transaction writes next.

    It writes the row that a new leader has to write, so of two such transactions side by side the store undoes one.

    Raises:
        Interrupted: `interrupted-lease` when another process leads by now.
    """
    found = rows.get(Lease, LEADER)
    if found is None or (found.holder, found.epoch) != (lease.holder, lease.epoch):
        raise Interrupted("interrupted-lease", f"Epoch {lease.epoch} is over: another process leads and goes on.")
    rows.put(replace(found, beat=found.beat + 1))


def let_go(rows: Rows, lease: Lease) -> None:
    """Leave the lease to whoever wants it, at an orderly stop; raise as `hold`."""
    hold(rows, lease)
    rows.put(replace(lease, holder=""))
