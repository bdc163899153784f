"""Rollouts: starting them, holding them, and one tick of the engine over the rows."""

from dataclasses import dataclass, replace

from surefoot.fleet.judge import judge_for, record_verdict
from surefoot.fleet.model import Assignment, Release, Rollout, RolloutState, Status
from surefoot.fleet.ports import Rows
from surefoot.rollout.decide import Decision, Finish, Halt, OpenPhase, RolloutFacts, Standing, Wait, decide
from surefoot.rollout.door import Door, refusal
from surefoot.rollout.plan import Plan
from surefoot.wire.codes import RETRYABLE
from surefoot.wire.errors import Refused

# A robot in one of these has come to the end of its assignment for now and holds no phase up.
_SETTLED = (Status.INSTALLED, Status.REFUSED, Status.DRIFTED, Status.SUPERSEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutProgress:
    """A rollout with its release, its open phase, and its robots counted by status."""

    rollout: Rollout
    release: Release
    phase_name: str
    counts: dict[Status, int]


def start_rollout(rows: Rows, release_id: str, plan: Plan, rollout_id: str, salt: bytes, now_s: float) -> Rollout:
    """Begin to bring a release to its sku: one row, however large the fleet.

    Args:
        rows: The transaction's rows.
        release_id: The release to bring.
        plan: How.
        rollout_id: The new rollout's id.
        salt: Random bytes that fix which robots are first.
        now_s: Unix seconds.

    Raises:
        Refused: `not-found-release`.
    """
    release = _release(rows, release_id)
    rollout = Rollout(
        rollout_id=rollout_id,
        release_id=release_id,
        sku=release.sku,
        plan=plan,
        salt=salt,
        state=RolloutState.RUNNING,
        phase=0,
        phase_opened_at_s=now_s,
        started_at_s=now_s,
        reason=f"Started; phase {plan.phases[0].name} is open.",
    )
    rows.put_rollout(rollout)
    return rollout


def pause_rollout(rows: Rows, rollout_id: str, reason: str, now_s: float) -> Rollout:
    """Stop offering until someone resumes; `Refused` (`not-found-rollout`, `refused-rollout-state`)."""
    return _move(rows, rollout_id, (RolloutState.RUNNING,), RolloutState.PAUSED, reason.strip() or "Paused.")


def halt_rollout(rows: Rows, rollout_id: str, reason: str, now_s: float) -> Rollout:
    """Stop offering for cause; `Refused` (`not-found-rollout`, `refused-rollout-state`, `refused-reason-missing`)."""
    _require(reason)
    allowed = (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.FINISHED)
    return _move(rows, rollout_id, allowed, RolloutState.HALTED, reason)


def resume_rollout(rows: Rows, rollout_id: str, reason: str, now_s: float) -> Rollout:
    """Let a paused or halted rollout go on; its phase soaks anew.

    Resuming a halted rollout accepts the failures there are: the plan allows that many from now on, and the next one
    halts it again.

    Raises:
        Refused: `not-found-rollout`, `refused-rollout-state`, `refused-reason-missing`.
    """
    _require(reason)
    before = _rollout(rows, rollout_id)
    allowed = (RolloutState.PAUSED, RolloutState.HALTED)
    rollout = replace(_move(rows, rollout_id, allowed, RolloutState.RUNNING, reason), phase_opened_at_s=now_s)
    if before.state is RolloutState.HALTED:
        failures_max = max(rollout.plan.failures_max, len(gather(rows, rollout, now_s).failed))
        rollout = replace(rollout, plan=replace(rollout.plan, failures_max=failures_max))
    rows.put_rollout(rollout)
    return rollout


def progress(rows: Rows, rollout_id: str, now_s: float) -> RolloutProgress:
    """Return where a rollout stands; `Refused` (`not-found-rollout`)."""
    rollout = _rollout(rows, rollout_id)
    return RolloutProgress(
        rollout=rollout,
        release=_release(rows, rollout.release_id),
        phase_name=rollout.plan.phases[rollout.phase].name,
        counts=rows.count_by_status(rollout_id),
    )


def tick(rows: Rows, now_s: float) -> list[str]:
    """Run the engine once over every running rollout; return a sentence for each thing that changed."""
    changes = []
    for rollout in rows.rollouts():
        if rollout.state is not RolloutState.RUNNING:
            continue
        facts = gather(rows, rollout, now_s)
        # After a clock was set back the phase soaks from now on, neither too short nor until the clock catches up.
        opened_at_s = min(rollout.phase_opened_at_s, now_s)
        standing = Standing(phase=rollout.phase, phase_opened_at_s=opened_at_s)
        decision = decide(rollout.plan, standing, facts, now_s)
        after = _apply(replace(rollout, phase_opened_at_s=opened_at_s), decision, now_s)
        if after == rollout:
            continue
        rows.put_rollout(after)
        if after.state is RolloutState.FINISHED:
            rows.put_release(replace(_release(rows, after.release_id), stable=True))
        # A countdown in the reason is worth storing, but not worth telling each time it moves.
        if (after.state, after.phase) != (rollout.state, rollout.phase):
            changes.append(f"Rollout {rollout.rollout_id}: {after.reason}")
    return changes


def gather(rows: Rows, rollout: Rollout, now_s: float) -> RolloutFacts:
    """Derive a rollout's facts from its robots, bringing the record of silent ones up to date on the way."""
    release = _release(rows, rollout.release_id)
    assignments = rows.assignments(rollout.rollout_id)
    installed, updating, failed, settled_at_s = 0, 0, [], 0.0
    for stored in assignments:
        assignment, counts_as_failed = _latest(rows, rollout, release, stored, now_s)
        if counts_as_failed:
            failed.append(assignment.robot_id)
        elif assignment.status in _SETTLED:
            installed += assignment.status is Status.INSTALLED
        else:
            updating += 1
        settled_at_s = max(settled_at_s, assignment.status_since_s)
    return RolloutFacts(
        installed=installed,
        updating=updating,
        unreached=_count_unreached(rows, rollout, release, {known.robot_id for known in assignments}, now_s),
        failed=tuple(failed),
        settled_at_s=settled_at_s,
    )


def _latest(
    rows: Rows, rollout: Rollout, release: Release, stored: Assignment, now_s: float
) -> tuple[Assignment, bool]:
    """Judge an assignment again where time alone can have changed it; the rest is as the last report left it."""
    assignment = _not_in_future(rows, stored, now_s)
    if assignment.status in (Status.INSTALLED, Status.DRIFTED, Status.SUPERSEDED):
        return assignment, False
    newest = rows.newest_assignment(assignment.robot_id)
    if newest is not None and newest.assignment_id != assignment.assignment_id:
        # The robot speaks of its newer assignment now; what it says of that one must not rewrite how this one ended.
        went_back = assignment.status is Status.ROLLED_BACK and assignment.code not in RETRYABLE
        return assignment, went_back or assignment.status is Status.REFUSED
    judged = judge_for(rollout, release, assignment, rows.facts(assignment.robot_id), now_s)
    return record_verdict(rows, judged, now_s), judged.verdict.failed


def _not_in_future(rows: Rows, assignment: Assignment, now_s: float) -> Assignment:
    """Bring back to now what a clock that was set back since left in the future: no soak could end before it."""
    if assignment.status_since_s <= now_s:
        return assignment
    healed = replace(assignment, status_since_s=now_s)
    rows.put_assignment(healed)
    return healed


def _count_unreached(rows: Rows, rollout: Rollout, release: Release, reached: set[str], now_s: float) -> int:
    """Count robots behind the open doors that are alive and have no assignment from this rollout yet."""
    door = Door(
        plan=rollout.plan,
        salt=rollout.salt,
        phase=rollout.phase,
        closed_by=None,
        version=release.version,
        open_assignments=0,
    )
    newer = _newer_rollout_ids(rows, rollout)
    count = 0
    for robot_id in rows.robot_ids(rollout.sku):
        if robot_id in reached or refusal(door, robot_id, None) is not None:
            continue
        facts = rows.facts(robot_id)
        if facts is None or now_s - facts.heard_at_s > rollout.plan.silence_deadline_s:
            continue
        if refusal(door, robot_id, facts.running_version) is not None:
            continue
        # A robot that a newer rollout took is never asked by this one, and must not hold it up for ever.
        taken = rows.newest_assignment(robot_id) if newer else None
        count += taken is None or taken.rollout_id not in newer
    return count


def _newer_rollout_ids(rows: Rows, rollout: Rollout) -> set[str]:
    newest_first = [known.rollout_id for known in rows.rollouts_for(rollout.sku)]
    return set(newest_first[: newest_first.index(rollout.rollout_id)])


def _apply(rollout: Rollout, decision: Decision, now_s: float) -> Rollout:
    match decision:
        case Wait():
            return replace(rollout, reason=decision.reason)
        case OpenPhase():
            return replace(rollout, phase=decision.phase, phase_opened_at_s=now_s, reason=decision.reason)
        case Halt():
            return replace(rollout, state=RolloutState.HALTED, reason=decision.reason)
        case Finish():
            return replace(rollout, state=RolloutState.FINISHED, reason=decision.reason)


def _move(rows: Rows, rollout_id: str, allowed: tuple[RolloutState, ...], to: RolloutState, reason: str) -> Rollout:
    rollout = _rollout(rows, rollout_id)
    if rollout.state not in allowed:
        names = " or ".join(allowed)
        detail = f"Rollout {rollout_id} is {rollout.state} and cannot become {to}: only a {names} one can."
        raise Refused("refused-rollout-state", detail)
    moved = replace(rollout, state=to, reason=reason)
    rows.put_rollout(moved)
    return moved


def _require(reason: str) -> None:
    if not reason.strip():
        raise Refused("refused-reason-missing", "This change needs a reason: say why, for whoever reads it later.")


def _rollout(rows: Rows, rollout_id: str) -> Rollout:
    rollout = rows.rollout(rollout_id)
    if rollout is None:
        raise Refused("not-found-rollout", f"There is no rollout {rollout_id}: list the rollouts.")
    return rollout


def _release(rows: Rows, release_id: str) -> Release:
    release = rows.release(release_id)
    if release is None:
        raise Refused("not-found-release", f"There is no release {release_id}: publish it first.")
    return release
