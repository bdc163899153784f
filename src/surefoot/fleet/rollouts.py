"""Rollouts: starting and holding them, and showing where they stand."""

from dataclasses import dataclass, replace

from surefoot.fleet.approvals import Approval, approvals_of
from surefoot.fleet.gates import accept
from surefoot.fleet.gather import judge_again
from surefoot.fleet.keys import require_usable, signers_of
from surefoot.fleet.model import Release, Rollout, RolloutState, Status
from surefoot.fleet.one_robot import require_installable
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollout_history import RolloutAction, RolloutChange, changes_of, note_change
from surefoot.fleet.watched import watched
from surefoot.rollout.plan import Order, Plan
from surefoot.wire.errors import Refused

OPERATOR = "operator"
# With one salt for all of them, the same robots go first in each.
SAME_SALT = b"the same robots"


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutProgress:
    """A rollout with its release, its open phase, its robots counted by status, and what became of it so far.

    `earliest_end_s` is when it would finish if from now on nothing kept it waiting, None where it does not run.
    """

    rollout: Rollout
    release: Release
    phase_name: str
    counts: dict[Status, int]
    changes: tuple[RolloutChange, ...] = ()
    approvals: tuple[Approval, ...] = ()
    earliest_end_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What a rollout is for, beyond bringing its release.

    `rolls_back` names the recalled release to lead robots back from; with `force` robots that run the release already
    install it once more; `reason` is why, where somebody said.
    """

    rolls_back: str | None = None
    force: bool = False
    reason: str = ""


FORWARD = Purpose()


def start_rollout(
    rows: Rows,
    release_id: str,
    plan: Plan,
    rollout_id: str,
    salt: bytes,
    now_s: float,
    *,
    who: str = OPERATOR,
    purpose: Purpose = FORWARD,
) -> Rollout:
    """Begin to bring a release to its sku, or to the plan's one robot: one row, however large the fleet.

    Args:
        rows: The transaction's rows.
        release_id: The release to bring.
        plan: How. On the way back from a recalled release its ramp does not count: nobody waits there.
        rollout_id: The new rollout's id.
        salt: Random bytes that fix which robots are first.
        now_s: Unix seconds.
        who: Who wants it.
        purpose: What it is for.

    Raises:
        Refused: `not-found-release`, `refused-release-recalled`, `refused-key-revoked`, `not-found-robot` when the
            plan names one that is not enrolled; of a plan for one robot what `one_robot.require_installable` raises.
    """
    release = _usable(rows, _release(rows, release_id))
    # First, as nobody who names one robot wrote a plan to correct.
    if plan.only_robot_id is not None and purpose.rolls_back is None:
        require_installable(rows, plan.only_robot_id, release, force=purpose.force)
    for robot_id in (robot_id for phase in plan.phases for robot_id in phase.robots):
        if rows.robot(robot_id) is None:
            detail = f"The plan names robot {robot_id}, which the fleet does not know: enrol it or correct the plan."
            raise Refused("not-found-robot", detail)
    ramp = plan.ramp if purpose.rolls_back is None else None
    rollout = Rollout(
        rollout_id=rollout_id,
        release_id=release_id,
        sku=release.sku,
        plan=plan,
        salt=SAME_SALT if plan.order is Order.SAME else salt,
        state=RolloutState.RUNNING,
        phase=0,
        phase_opened_at_s=now_s,
        started_at_s=now_s,
        looked_at_s=now_s,
        watched_since_s=now_s,
        soaked_s=0.0,
        reason=purpose.reason or f"Started; phase {plan.phases[0].name} is open.",
        rolls_back=purpose.rolls_back,
        offers_max=None if ramp is None else ramp.first_wave,
        only_robot_id=plan.only_robot_id,
        force=purpose.force,
    )
    rows.put(rollout)
    note_change(rows, rollout, RolloutAction.STARTED, who, now_s)
    return rollout


def pause_rollout(rows: Rows, rollout_id: str, reason: str, now_s: float, who: str = OPERATOR) -> Rollout:
    """Stop offering until someone resumes; `Refused` (`not-found-rollout`, `refused-rollout-state`)."""
    moved = _move(rows, rollout_id, (RolloutState.RUNNING,), RolloutState.PAUSED, reason.strip() or "Paused.")
    note_change(rows, moved, RolloutAction.PAUSED, who, now_s)
    return moved


def halt_rollout(rows: Rows, rollout_id: str, reason: str, now_s: float, who: str = OPERATOR) -> Rollout:
    """Stop offering for cause and open an incident; a finished rollout's release is not stable any more.

    Raises:
        Refused: `not-found-rollout`, `refused-rollout-state`, `refused-reason-missing`.
    """
    require_reason(reason)
    finished = find_rollout(rows, rollout_id).state is RolloutState.FINISHED
    allowed = (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.FINISHED)
    moved = _move(rows, rollout_id, allowed, RolloutState.HALTED, reason)
    if finished and moved.only_robot_id is None:
        rows.put(replace(_release(rows, moved.release_id), stable=False))
    note_change(rows, moved, RolloutAction.HALTED, who, now_s)
    return moved


def halt_for_key(rows: Rows, key_id: str, reason: str, now_s: float, who: str = OPERATOR) -> list[Rollout]:
    """Halt every rollout that brings what this key signed, the image or its manifest; return those that went on.

    Raises:
        Refused: `refused-reason-missing`.
    """
    require_reason(reason)
    signed = [release for release in rows.find(Release) if key_id in signers_of(release)]
    return [
        halt_rollout(rows, rollout.rollout_id, reason, now_s, who)
        for release in signed
        for rollout in rows.find(Rollout, release_id=release.release_id)
        if rollout.state is not RolloutState.HALTED
        and (rollout.only_robot_id is None or rollout.state is not RolloutState.FINISHED)
    ]


def resume_rollout(rows: Rows, rollout_id: str, reason: str, now_s: float, who: str = OPERATOR) -> Rollout:
    """Let a paused or halted rollout go on; its phase soaks anew.

    Resuming a halted rollout accepts what there is: failures, of which the plan allows as many from now on if it counts
    them, alarms, and the evidence, which begins anew. Robots that were led back stay where they are; no more are.

    Raises:
        Refused: `not-found-rollout`, `refused-rollout-state`, `refused-reason-missing`, `refused-release-recalled`,
            `refused-key-revoked`.
    """
    require_reason(reason)
    before = find_rollout(rows, rollout_id)
    release = _usable(rows, _release(rows, before.release_id))
    moved = _move(rows, rollout_id, (RolloutState.PAUSED, RolloutState.HALTED), RolloutState.RUNNING, reason)
    # Whoever an outage kept from reporting is no failure to accept.
    rollout = replace(watched(moved, now_s), soaked_s=0.0)
    if before.state is RolloutState.HALTED:
        failed = judge_again(rows, rollout, release, now_s).failed
        if rollout.plan.failures_max is not None:
            failures_max = max(rollout.plan.failures_max, len(failed))
            rollout = replace(rollout, plan=replace(rollout.plan, failures_max=failures_max))
        accept(rows, rollout, failed)
        _hold_way_back(rows, rollout, who, now_s)
    rows.put(rollout)
    note_change(rows, rollout, RolloutAction.RESUMED, who, now_s)
    return rollout


def _hold_way_back(rows: Rows, rollout: Rollout, who: str, now_s: float) -> None:
    # One that has finished would go on to take back whoever installs the release from now on.
    going_on = (RolloutState.RUNNING, RolloutState.FINISHED)
    ways = rows.find(Rollout, rolls_back=rollout.release_id, only_robot_id=rollout.only_robot_id)
    for way_back in (known for known in ways if known.state in going_on):
        held = replace(way_back, state=RolloutState.PAUSED, reason=f"Rollout {rollout.rollout_id} goes on.")
        rows.put(held)
        note_change(rows, held, RolloutAction.PAUSED, who, now_s)


def progress(rows: Rows, rollout_id: str, now_s: float) -> RolloutProgress:
    """Return where a rollout stands; `Refused` (`not-found-rollout`)."""
    rollout = find_rollout(rows, rollout_id)
    return RolloutProgress(
        rollout=rollout,
        release=_release(rows, rollout.release_id),
        phase_name=rollout.plan.phases[rollout.phase].name,
        counts=rows.count_by_status(rollout_id),
        changes=tuple(changes_of(rows, rollout_id)),
        approvals=tuple(approvals_of(rows, rollout_id)),
        earliest_end_s=_earliest_end_s(rollout, now_s),
    )


def _earliest_end_s(rollout: Rollout, now_s: float) -> float | None:
    if rollout.state is not RolloutState.RUNNING:
        return None
    soaks_s = [phase.soak_s for phase in rollout.plan.phases[rollout.phase :]]
    return now_s + max(0.0, sum(soaks_s) - rollout.soaked_s)


def _move(rows: Rows, rollout_id: str, allowed: tuple[RolloutState, ...], to: RolloutState, reason: str) -> Rollout:
    rollout = find_rollout(rows, rollout_id)
    if rollout.state not in allowed:
        names = " or ".join(allowed)
        detail = f"Rollout {rollout_id} is {rollout.state} and cannot become {to}: only a {names} one can."
        raise Refused("refused-rollout-state", detail)
    moved = replace(rollout, state=to, reason=reason)
    rows.put(moved)
    return moved


def require_reason(reason: str) -> None:
    """Raise `Refused` (`refused-reason-missing`) unless somebody said why."""
    if not reason.strip():
        raise Refused("refused-reason-missing", "This change needs a reason: say why, for whoever reads it later.")


def find_rollout(rows: Rows, rollout_id: str) -> Rollout:
    """Return a rollout; `Refused` (`not-found-rollout`)."""
    rollout = rows.get(Rollout, rollout_id)
    if rollout is None:
        raise Refused("not-found-rollout", f"There is no rollout {rollout_id}: list the rollouts.")
    return rollout


def _usable(rows: Rows, release: Release) -> Release:
    if release.recalled_at_s is not None:
        detail = f"Release {release.release_id} was recalled and goes to no robot again: publish a newer one."
        raise Refused("refused-release-recalled", detail)
    require_usable(rows, release)
    return release


def _release(rows: Rows, release_id: str) -> Release:
    release = rows.get(Release, release_id)
    if release is None:
        raise Refused("not-found-release", f"There is no release {release_id}: publish it first.")
    return release
