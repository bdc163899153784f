"""Approvals: a person's word that a phase may open, given before or when it is due."""

from dataclasses import dataclass, replace

from surefoot.fleet.model import Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollout_history import RolloutAction, note_change
from surefoot.wire.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Who let a rollout's phase open, why and when (Unix seconds); `phase` is its index."""

    approval_id: str
    rollout_id: str
    phase: int
    approved_by: str
    reason: str
    approved_at_s: float


def approve_phase(
    rows: Rows, rollout_id: str, phase_name: str | None, reason: str, now_s: float, who: str
) -> tuple[Rollout, Approval]:
    """Let a phase open once the one before has passed; without a name, the next one that waits for a word.

    Raises:
        Refused: `not-found-rollout`, `refused-reason-missing`, `refused-rollout-state`, `refused-approval`.
    """
    rollout = rows.get(Rollout, rollout_id)
    if rollout is None:
        raise Refused("not-found-rollout", f"There is no rollout {rollout_id}: list the rollouts.")
    if not reason.strip():
        raise Refused("refused-reason-missing", "An approval needs a reason: say what you looked at.")
    if rollout.state is RolloutState.FINISHED:
        raise Refused("refused-rollout-state", f"Rollout {rollout_id} is finished: there is nothing to approve.")
    phase = _wanted(rows, rollout, phase_name)
    name = rollout.plan.phases[phase].name
    approval = Approval(
        approval_id=_id(rollout, phase),
        rollout_id=rollout_id,
        phase=phase,
        approved_by=who,
        reason=reason,
        approved_at_s=now_s,
    )
    rows.put(approval)
    said = replace(rollout, reason=f"Phase {name}: {reason}")
    note_change(rows, said, RolloutAction.APPROVED, who, now_s)
    return rollout, approval


def is_approved(rows: Rows, rollout: Rollout, phase: int) -> bool:
    """Whether a phase, by its index, may open as far as people go: it needs no approval, or has it."""
    if not rollout.plan.phases[phase].approval:
        return True
    return rows.get(Approval, _id(rollout, phase)) is not None


def next_may_open(rows: Rows, rollout: Rollout) -> bool:
    """Whether the phase behind the open one may open as far as people go; there may be none."""
    following = rollout.phase + 1
    return following == len(rollout.plan.phases) or is_approved(rows, rollout, following)


def approvals_of(rows: Rows, rollout_id: str) -> list[Approval]:
    """Return the approvals of a rollout, the first given first."""
    return rows.find(Approval, rollout_id=rollout_id)


def _wanted(rows: Rows, rollout: Rollout, name: str | None) -> int:
    waiting = [
        index
        for index in range(rollout.phase + 1, len(rollout.plan.phases))
        if not is_approved(rows, rollout, index) and name in (None, rollout.plan.phases[index].name)
    ]
    if waiting:
        return waiting[0]
    what = "no phase" if name is None else f"no phase {name}"
    detail = f"Rollout {rollout.rollout_id} has {what} that still needs an approval: look at its status."
    raise Refused("refused-approval", detail)


def _id(rollout: Rollout, phase: int) -> str:
    return f"{rollout.rollout_id}-{phase}"
