"""What became of a rollout, change by change: who, why and when, and who else must hear of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from surefoot.fleet.alarms import AFTERCARE_S
from surefoot.fleet.incidents import LineKind, add_line, open_incident, open_incident_of
from surefoot.fleet.model import Rollout, RolloutState
from surefoot.fleet.outbox import OutboxKind, enqueue
from surefoot.fleet.ports import Rows
from surefoot.fleet.webhooks import Event, announce

# Who decided where no person did.
ENGINE = "engine"
SHOWN = 100


class RolloutAction(StrEnum):
    """What can happen to a rollout."""

    STARTED = "started"
    PHASE_OPENED = "phase_opened"
    APPROVED = "approved"
    PAUSED = "paused"
    RESUMED = "resumed"
    HALTED = "halted"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutChange:
    """One change of a rollout, and where it stood behind it; changes are numbered from 1, `at_s` is in Unix seconds."""

    change_id: str
    rollout_id: str
    number: int
    at_s: float
    who: str
    action: RolloutAction
    state: RolloutState
    phase: int
    reason: str


EVENTS = {
    RolloutAction.STARTED: Event.ROLLOUT_STARTED,
    RolloutAction.PHASE_OPENED: Event.ROLLOUT_PHASE_OPENED,
    RolloutAction.APPROVED: Event.ROLLOUT_APPROVED,
    RolloutAction.PAUSED: Event.ROLLOUT_PAUSED,
    RolloutAction.RESUMED: Event.ROLLOUT_RESUMED,
    RolloutAction.HALTED: Event.ROLLOUT_HALTED,
    RolloutAction.FINISHED: Event.ROLLOUT_FINISHED,
}
# What robots should hear of before they ask. A pause lets those go on that have their offer, and calls nobody.
PUSHES = {
    RolloutAction.STARTED: OutboxKind.MQTT_WAKE,
    RolloutAction.PHASE_OPENED: OutboxKind.MQTT_WAKE,
    RolloutAction.RESUMED: OutboxKind.MQTT_WAKE,
    RolloutAction.HALTED: OutboxKind.MQTT_RECALL,
}


def note_change(rows: Rows, rollout: Rollout, action: RolloutAction, who: str, now_s: float) -> RolloutChange:
    """Keep what happened to a rollout, in the transaction in which it does, and tell whoever wants to know.

    A halt opens an incident; while one is open, every change is a line of it.
    """
    newest = rows.find(RolloutChange, newest_first=True, limit=1, rollout_id=rollout.rollout_id)
    number = newest[0].number + 1 if newest else 1
    # Made from what it is of, so that a decision that was lost and made again has the same id.
    change = RolloutChange(
        change_id=f"{rollout.rollout_id}-{number}",
        rollout_id=rollout.rollout_id,
        number=number,
        at_s=now_s,
        who=who,
        action=action,
        state=rollout.state,
        phase=rollout.phase,
        reason=rollout.reason,
    )
    rows.put(change)
    told = {
        "rollout_id": rollout.rollout_id,
        "release_id": rollout.release_id,
        "sku": rollout.sku,
        "state": rollout.state,
        "phase": rollout.plan.phases[rollout.phase].name,
        "reason": rollout.reason,
        "who": who,
    }
    announce(rows, EVENTS[action], change.change_id, told, now_s)
    if action in PUSHES:
        enqueue(rows, f"{change.change_id}.push", PUSHES[action], rollout.rollout_id, "", now_s)
    if action is RolloutAction.HALTED:
        open_incident(rows, rollout, change.change_id, who, rollout.reason, now_s)
    elif (incident := open_incident_of(rows, rollout.rollout_id)) is not None:
        said = action.replace("_", " ").capitalize()
        add_line(rows, incident, LineKind.DECISION, who, f"{said}: {rollout.reason}", now_s)
    return change


def ended_at_s(rows: Rows, rollout_id: str) -> float:
    """Return when a finished rollout finished (Unix seconds), 0 where nobody knows."""
    ends = rows.find(RolloutChange, newest_first=True, limit=1, rollout_id=rollout_id, action=RolloutAction.FINISHED)
    return ends[0].at_s if ends else 0.0


def is_behind_aftercare(changes: Sequence[RolloutChange], at_s: float) -> bool:
    """Whether a rollout with these changes, oldest first, had finished so long ago that an alarm did not halt it."""
    before = [change for change in changes if change.at_s <= at_s]
    return bool(before) and before[-1].action is RolloutAction.FINISHED and at_s - before[-1].at_s > AFTERCARE_S


def changes_of(rows: Rows, rollout_id: str) -> list[RolloutChange]:
    """Return the newest changes of a rollout, oldest first."""
    return rows.find(RolloutChange, newest_first=True, limit=SHOWN, rollout_id=rollout_id)[::-1]
