"""Incidents: what went wrong with a rollout, who did what about it and when, and how its robots are now.

An incident is opened by a halt and closed by a person. While it is open, another halt of the same rollout is a line of
its timeline. Who came back is not noted but derived from what each robot says runs.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from surefoot.fleet.model import Release, Rollout, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.webhooks import Event, announce
from surefoot.rollout.decide import HALT_ENDINGS
from surefoot.wire.errors import Refused

NOTE_CHARS_MAX = 2000


class LineKind(StrEnum):
    """What a line of a timeline is: a fact that came in, a decision by engine or person, or a person's note."""

    FACT = "fact"
    DECISION = "decision"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One thing that went wrong, with one rollout; times are Unix seconds, the closing ones None while it is open."""

    incident_id: str
    rollout_id: str
    release_id: str
    opened_at_s: float
    opened_by: str
    reason: str
    closed_at_s: float | None = None
    closed_by: str | None = None
    closing_reason: str | None = None
    is_open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineLine:
    """One line of an incident's timeline; lines are numbered from 1."""

    line_id: str
    incident_id: str
    number: int
    at_s: float
    who: str
    kind: LineKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """The robots that ran the release: who is `back` on another image, who is `not_back`, and who is `silent`."""

    back: tuple[str, ...]
    not_back: tuple[str, ...]
    silent: tuple[str, ...]


def open_incident(rows: Rows, rollout: Rollout, change_id: str, who: str, reason: str, now_s: float) -> Incident:
    """Open the incident of a halt, or add the halt to the one that is open; `change_id` names the halt."""
    known = open_incident_of(rows, rollout.rollout_id)
    # Each line says that it is a halt, and the entry in a changelog does.
    for ending in HALT_ENDINGS:
        reason = reason.removesuffix(ending)
    if known is not None:
        add_line(rows, known, LineKind.DECISION, who, f"Halted again: {reason}", now_s)
        return known
    incident = Incident(
        incident_id=change_id,
        rollout_id=rollout.rollout_id,
        release_id=rollout.release_id,
        opened_at_s=now_s,
        opened_by=who,
        reason=reason,
    )
    rows.put(incident)
    for fact in _facts(rows, rollout):
        add_line(rows, incident, LineKind.FACT, who, fact, now_s)
    add_line(rows, incident, LineKind.DECISION, who, f"Halted: {reason}", now_s)
    announce(rows, Event.INCIDENT_OPENED, f"{change_id}.opened", _told(incident), now_s)
    return incident


def open_incident_of(rows: Rows, rollout_id: str) -> Incident | None:
    """Return the rollout's incident that nobody has closed yet, or None."""
    found = rows.find(Incident, newest_first=True, limit=1, rollout_id=rollout_id, is_open=True)
    return found[0] if found else None


def add_line(rows: Rows, incident: Incident, kind: LineKind, who: str, text: str, now_s: float) -> TimelineLine:
    """Append to an incident's timeline."""
    newest = rows.find(TimelineLine, newest_first=True, limit=1, incident_id=incident.incident_id)
    number = newest[0].number + 1 if newest else 1
    line = TimelineLine(
        line_id=f"{incident.incident_id}.{number}",
        incident_id=incident.incident_id,
        number=number,
        at_s=now_s,
        who=who,
        kind=kind,
        text=text,
    )
    rows.put(line)
    return line


def add_note(rows: Rows, incident_id: str, text: str, who: str, now_s: float) -> Incident:
    """Add what a person found out; `Refused` (`not-found-incident`, `refused-reason-missing`)."""
    incident = find_incident(rows, incident_id)
    _require(text)
    add_line(rows, incident, LineKind.NOTE, who, text.strip(), now_s)
    return incident


def close_incident(rows: Rows, incident_id: str, reason: str, who: str, now_s: float) -> Incident:
    """Close an incident, saying why.

    Raises:
        Refused: `not-found-incident`, `refused-incident-state` when it is closed, `refused-reason-missing`.
    """
    incident = find_incident(rows, incident_id)
    _require(reason)
    if not incident.is_open:
        detail = f"Incident {incident_id} was closed by {incident.closed_by}: add a note, or leave it."
        raise Refused("refused-incident-state", detail)
    add_line(rows, incident, LineKind.DECISION, who, f"Closed: {reason.strip()}", now_s)
    closed = replace(incident, closed_at_s=now_s, closed_by=who, closing_reason=reason.strip(), is_open=False)
    rows.put(closed)
    announce(rows, Event.INCIDENT_CLOSED, f"{incident_id}.closed", _told(closed), now_s)
    return closed


def find_incident(rows: Rows, incident_id: str) -> Incident:
    """Return an incident; `Refused` (`not-found-incident`)."""
    incident = rows.get(Incident, incident_id)
    if incident is None:
        raise Refused("not-found-incident", f"There is no incident {incident_id}: list the incidents.")
    return incident


def timeline(rows: Rows, incident_id: str) -> list[TimelineLine]:
    """Return the lines of an incident in the order they were written."""
    return rows.find(TimelineLine, incident_id=incident_id)


def whereabouts(rows: Rows, incident: Incident, now_s: float) -> Whereabouts:
    """Derive from their facts where the robots are now that the rollout brought to run the release."""
    rollout, release = rows.get(Rollout, incident.rollout_id), rows.get(Release, incident.release_id)
    back: list[str] = []
    not_back: list[str] = []
    silent: list[str] = []
    if rollout is None or release is None:
        return Whereabouts(back=(), not_back=(), silent=())
    for ran in rows.robots_that_ran(rollout.rollout_id, release.digest):
        heard_at_s = ran.assigned_at_s if ran.heard_at_s is None else ran.heard_at_s
        if now_s - max(heard_at_s, rollout.watched_since_s) > rollout.plan.silence_deadline_s:
            silent.append(ran.robot_id)
        elif ran.running_digest is None or ran.running_digest == release.digest:
            not_back.append(ran.robot_id)
        else:
            back.append(ran.robot_id)
    return Whereabouts(back=tuple(back), not_back=tuple(not_back), silent=tuple(silent))


def _facts(rows: Rows, rollout: Rollout) -> list[str]:
    counts = rows.count_by_status(rollout.rollout_id)
    told = ", ".join(f"{counts[status]} {status.replace('_', ' ')}" for status in Status if counts.get(status))
    phase = rollout.plan.phases[rollout.phase].name
    return [f"In phase {phase} the rollout's robots stand at: {told or 'none has been offered it'}."]


def _told(incident: Incident) -> dict[str, object]:
    return {
        "incident_id": incident.incident_id,
        "rollout_id": incident.rollout_id,
        "release_id": incident.release_id,
        "reason": incident.closing_reason or incident.reason,
        "who": incident.closed_by or incident.opened_by,
    }


def _require(text: str) -> None:
    if not text.strip():
        raise Refused("refused-reason-missing", "This needs words: say why, for whoever reads it later.")
