"""What server processes promise together while any of them may be killed: each a sentence and a function.

A function returns None while its promise holds, or else what broke it; its first line is its sentence.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from surefoot.fleet import audit
from surefoot.fleet.lease import Lease
from surefoot.fleet.model import Facts, Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollout_history import RolloutAction, RolloutChange

# A report's place among its robot's others, of one epoch: (boot, seq).
Place = tuple[int, int]

TAKEOVER_S_MAX = 5.0


def no_report_lost(acknowledged: Place | None, facts: Facts | None) -> str | None:
    """No acknowledged report is lost."""
    if acknowledged is None:
        return None
    if facts is None:
        return f"{acknowledged} was acknowledged, and nothing is stored"
    stored = (facts.report.boot, facts.report.seq)
    return None if stored >= acknowledged else f"{acknowledged} was acknowledged, and {stored} is stored"


def record_moves_forward(before: Facts | None, after: Facts | None) -> str | None:
    """What is stored of a robot never goes back."""
    if before is None:
        return None
    return no_report_lost((before.report.boot, before.report.seq), after)


def within_download_limit(limit: int, taken: Iterable[tuple[int, int]]) -> str | None:
    """No robot takes more downloads than its limit; `taken` are received bytes and size of each file."""
    downloads = sum(-(-received // size) for received, size in taken)
    return None if downloads <= limit else f"it received {downloads} downloads of bytes, and {limit} are allowed"


def within_capacity(rollout: Rollout, open_assignments: int) -> str | None:
    """No more assignments are open than the plan's capacity."""
    allowed = rollout.plan.capacity
    return None if open_assignments <= allowed else f"{open_assignments} are open, and the plan allows {allowed}"


def decided_once(rollout: Rollout, changes: Sequence[RolloutChange]) -> str | None:
    """Nothing is decided twice: a rollout starts once, opens each phase once and in order, and ends once."""
    numbers = [change.number for change in changes]
    if numbers != list(range(1, len(changes) + 1)):
        return f"its changes are numbered {numbers}"
    if not changes or changes[0].action is not RolloutAction.STARTED:
        return "its first change is not its start"
    for before, after in pairwise(changes):
        opened = after.phase == before.phase + (after.action is RolloutAction.PHASE_OPENED)
        if not opened or after.action not in _FOLLOWING[before.state]:
            return f"{after.action} of phase {after.phase} came after {before.action} of phase {before.phase}"
    newest = changes[-1]
    agrees = (newest.phase, newest.state) == (rollout.phase, rollout.state)
    return None if agrees else f"it stands at {rollout.state} {rollout.phase}, and {newest.action} was its last change"


_FOLLOWING: Mapping[RolloutState, tuple[RolloutAction, ...]] = {
    RolloutState.RUNNING: (
        RolloutAction.PHASE_OPENED,
        RolloutAction.PAUSED,
        RolloutAction.HALTED,
        RolloutAction.FINISHED,
    ),
    RolloutState.PAUSED: (RolloutAction.RESUMED, RolloutAction.HALTED),
    RolloutState.HALTED: (RolloutAction.RESUMED,),
    RolloutState.FINISHED: (),
}


def passed_with_its_robots(rollout: Rollout, changes: Sequence[RolloutChange], rows: Rows) -> str | None:
    """A phase that names its robots passes after all of them have installed the release."""
    opened = [change for change in changes if change.action is RolloutAction.PHASE_OPENED]
    for change in opened:
        for robot_id in rollout.plan.phases[change.phase - 1].robots:
            found = rows.assignment_for(rollout.rollout_id, robot_id)
            if found is None or found.installed_at_s is None or found.installed_at_s > change.at_s:
                return f"phase {change.phase} opened at {change.at_s} ({change.reason}), and {robot_id} has {found}"
    return None


def told_once(
    decided: frozenset[str], waiting: frozenset[str], received: Mapping[str, frozenset[bytes]], *, ended: bool
) -> str | None:
    """Each decision has one message that stays the same however often it is sent, and none is lost.

    `decided` was looked up after `received` and with `waiting`, so that nothing is missing that is only on its way;
    when the outbox has `ended`, every decision must have been received.
    """
    strange = (set(received) | waiting) - decided
    if strange:
        return f"nobody decided {sorted(strange)[0]}, and it was told"
    changed = [event for event, bodies in received.items() if len(bodies) > 1]
    if changed:
        return f"{changed[0]} was told in {len(received[changed[0]])} ways"
    lost = decided - set(received) - waiting if ended else frozenset()
    return f"{min(lost)} was decided and never told" if lost else None


def one_leader_per_epoch(before: Lease | None, after: Lease | None) -> str | None:
    """An epoch has one leader: it rises with each of them, and within it only the beat does."""
    if before is None:
        return None
    if after is None:
        return "the lease is gone"
    if after.epoch == before.epoch:
        same = after.beat >= before.beat and after.holder in (before.holder, "")
        return None if same else f"epoch {after.epoch} went from {before} to {after}"
    return None if after.epoch > before.epoch else f"epoch {after.epoch} came after {before.epoch}"


def epoch_taken_once(epochs: Sequence[int]) -> str | None:
    """No two processes ever begin to lead under the same epoch."""
    twice = sorted({epoch for epoch in epochs if epochs.count(epoch) > 1})
    return f"epoch {twice[0]} was taken twice" if twice else None


def taken_over_in_time(takeover_s: float) -> str | None:
    """A killed leader is replaced in less than five seconds."""
    return None if takeover_s < TAKEOVER_S_MAX else f"it took {takeover_s:.2f} s"


def audit_chain_holds(entries: Sequence[audit.Entry]) -> str | None:
    """The audit log's chain holds from its first entry on."""
    found = audit.verify(entries)
    return None if found is None else f"entry {found.number}: {found.why}"


def recorded_once(entries: Sequence[audit.Entry], rollout: Rollout, changes: Sequence[RolloutChange]) -> str | None:
    """What an operator did to a rollout stands in the audit log as often as in its history."""
    for action, word in _WORDS.items():
        done = sum(change.action is action for change in changes)
        recorded = sum(entry.target == rollout.rollout_id and entry.action == word for entry in entries)
        if done != recorded:
            return f"{word} was done {done} times and recorded {recorded} times"
    return None


_WORDS = {
    RolloutAction.STARTED: "rollout.start",
    RolloutAction.PAUSED: "rollout.pause",
    RolloutAction.RESUMED: "rollout.resume",
}


def answers_as_agreed(unexpected: Sequence[str]) -> str | None:
    """Every answer is one that the protocol knows, and never a server's error."""
    return unexpected[0] if unexpected else None


def runs_to_its_end(failed: str | None) -> str | None:
    """The run goes on to its end and comes to rest: else it would prove nothing."""
    return failed


def sentence_of(promise: Callable[..., str | None]) -> str:
    """Return the sentence of a promise."""
    return (promise.__doc__ or "").splitlines()[0]
