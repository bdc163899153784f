"""Rollouts: starting them, holding them, and one tick of the engine over the rows."""

from dataclasses import dataclass, replace

from surefoot.fleet.gather import gather
from surefoot.fleet.model import Release, Rollout, RolloutState, Status
from surefoot.fleet.ports import Rows
from surefoot.rollout.decide import Decision, Finish, Halt, OpenPhase, RolloutFacts, Standing, Wait, decide
from surefoot.rollout.plan import Plan
from surefoot.wire.errors import Refused

# Longer than this between two looks and the server was down: nobody could report, so nothing is concluded from it.
OUTAGE_S = 300.0


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
        Refused: `not-found-release`, `not-found-robot` when the plan names one that is not enrolled.
    """
    release = _release(rows, release_id)
    for robot_id in (robot_id for phase in plan.phases for robot_id in phase.robots):
        if rows.robot(robot_id) is None:
            detail = f"The plan names robot {robot_id}, which the fleet does not know: enrol it or correct the plan."
            raise Refused("not-found-robot", detail)
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
        looked_at_s=now_s,
        watched_since_s=now_s,
        soaked_s=0.0,
        reason=f"Started; phase {plan.phases[0].name} is open.",
    )
    rows.put(rollout)
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
    moved = _move(rows, rollout_id, allowed, RolloutState.RUNNING, reason)
    # Whoever an outage kept from reporting is no failure to accept.
    rollout = replace(_watched(moved, now_s), soaked_s=0.0)
    if before.state is RolloutState.HALTED:
        release = _release(rows, rollout.release_id)
        failures_max = max(rollout.plan.failures_max, len(gather(rows, rollout, release, now_s).failed))
        rollout = replace(rollout, plan=replace(rollout.plan, failures_max=failures_max))
    rows.put(rollout)
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
    """Run the engine once over every rollout that is not finished; return a sentence for each thing that changed."""
    changes = (look_at(rows, rollout, now_s) for rollout in rows.find(Rollout, newest_first=True))
    return [change for change in changes if change is not None]


def look_at(rows: Rows, stored: Rollout, now_s: float) -> str | None:
    """Run the engine once over one rollout; return the sentence for what changed, None when nothing did."""
    if stored.state is RolloutState.FINISHED:
        return None
    rollout = _watched(stored, now_s)
    facts = gather(rows, rollout, _release(rows, rollout.release_id), now_s)
    if stored.state is RolloutState.RUNNING:
        rollout = replace(rollout, soaked_s=_soaked_s(stored, facts, now_s))
        standing = Standing(phase=rollout.phase, soaked_s=rollout.soaked_s)
        rollout = _apply(rollout, decide(rollout.plan, standing, facts), now_s)
    rows.put(rollout)
    if rollout.state is RolloutState.FINISHED:
        rows.put(replace(_release(rows, rollout.release_id), stable=True))
    # A countdown in the reason is worth storing, but not worth telling each time it moves.
    if (rollout.state, rollout.phase) == (stored.state, stored.phase):
        return None
    return f"Rollout {rollout.rollout_id}: {rollout.reason}"


def _is_unbroken(rollout: Rollout, now_s: float) -> bool:
    """Whether the engine looked lately: after an outage, or with a clock set back, time has passed unwatched."""
    return 0 <= now_s - rollout.looked_at_s <= OUTAGE_S


def _watched(rollout: Rollout, now_s: float) -> Rollout:
    watched_since_s = rollout.watched_since_s if _is_unbroken(rollout, now_s) else now_s
    return replace(rollout, looked_at_s=now_s, watched_since_s=watched_since_s)


def _soaked_s(rollout: Rollout, facts: RolloutFacts, now_s: float) -> float:
    """Return how long the phase has soaked: time that was watched, with nobody updating, since the last one settled."""
    if facts.updating or facts.unreached:
        return 0.0
    watched_s = now_s - rollout.looked_at_s if _is_unbroken(rollout, now_s) else 0.0
    return min(rollout.soaked_s + watched_s, now_s - min(facts.settled_at_s, now_s))


def _apply(rollout: Rollout, decision: Decision, now_s: float) -> Rollout:
    match decision:
        case Wait():
            return replace(rollout, reason=decision.reason)
        case OpenPhase():
            return replace(rollout, phase=decision.phase, phase_opened_at_s=now_s, soaked_s=0.0, reason=decision.reason)
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
    rows.put(moved)
    return moved


def _require(reason: str) -> None:
    if not reason.strip():
        raise Refused("refused-reason-missing", "This change needs a reason: say why, for whoever reads it later.")


def _rollout(rows: Rows, rollout_id: str) -> Rollout:
    rollout = rows.get(Rollout, rollout_id)
    if rollout is None:
        raise Refused("not-found-rollout", f"There is no rollout {rollout_id}: list the rollouts.")
    return rollout


def _release(rows: Rows, release_id: str) -> Release:
    release = rows.get(Release, release_id)
    if release is None:
        raise Refused("not-found-release", f"There is no release {release_id}: publish it first.")
    return release
