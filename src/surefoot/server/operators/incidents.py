"""Incidents, for operators."""

from typing import Annotated, Self

from fastapi import APIRouter
from pydantic import Field

from surefoot.fleet import audit
from surefoot.fleet.incident_changelog import changelog_entry
from surefoot.fleet.incidents import (
    NOTE_CHARS_MAX,
    Incident,
    LineKind,
    TimelineLine,
    Whereabouts,
    add_note,
    close_incident,
    find_incident,
    timeline,
    whereabouts,
)
from surefoot.fleet.model import Release
from surefoot.fleet.ports import Rows
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.models import Model
from surefoot.server.operators.permissions import Actor, Permission, needs
from surefoot.server.operators.release_models import ReasonIn
from surefoot.wire.errors import Damaged

INCIDENTS_SHOWN = 500
ROBOTS_SHOWN = 100

Operator = Annotated[Actor, needs(Permission.OPERATE)]

router = APIRouter(tags=["incidents"])


class NoteIn(Model):
    """What somebody found out."""

    text: str = Field(max_length=NOTE_CHARS_MAX)


class LineOut(Model):
    """One line of a timeline."""

    number: int
    at_s: float
    who: str
    kind: LineKind
    text: str

    @classmethod
    def of(cls, line: TimelineLine) -> Self:
        """Show a line."""
        return cls(**{name: getattr(line, name) for name in cls.model_fields})


class RobotGroupOut(Model):
    """Robots that are alike: how many, and the first of them by id."""

    count: int
    robot_ids: list[str]

    @classmethod
    def of(cls, robot_ids: tuple[str, ...]) -> Self:
        """Show robots."""
        return cls(count=len(robot_ids), robot_ids=list(robot_ids[:ROBOTS_SHOWN]))


class WhereaboutsOut(Model):
    """Robots that ran the release: back on another image, not back, and silent."""

    back: RobotGroupOut
    not_back: RobotGroupOut
    silent: RobotGroupOut

    @classmethod
    def of(cls, found: Whereabouts) -> Self:
        """Show where robots are."""
        return cls(
            back=RobotGroupOut.of(found.back),
            not_back=RobotGroupOut.of(found.not_back),
            silent=RobotGroupOut.of(found.silent),
        )


class IncidentOut(Model):
    """An incident; the closing fields are null while it is open."""

    incident_id: str
    rollout_id: str
    release_id: str
    opened_at_s: float
    opened_by: str
    reason: str
    is_open: bool
    closed_at_s: float | None
    closed_by: str | None
    closing_reason: str | None

    @classmethod
    def of(cls, incident: Incident) -> Self:
        """Show an incident."""
        return cls(**{name: getattr(incident, name) for name in IncidentOut.model_fields})


class IncidentsOut(Model):
    """Incidents, newest first."""

    incidents: list[IncidentOut]


class IncidentPageOut(IncidentOut):
    """An incident with its timeline, where its robots are now, and its entry for CHANGELOG.md."""

    timeline: list[LineOut]
    robots: WhereaboutsOut
    changelog: str


def _page(rows: Rows, incident_id: str, now_s: float) -> IncidentPageOut:
    incident = find_incident(rows, incident_id)
    release = rows.get(Release, incident.release_id)
    if release is None:
        raise Damaged("damaged-assignment", f"Incident {incident_id} has no release: restore a backup.")
    lines, found = timeline(rows, incident_id), whereabouts(rows, incident, now_s)
    return IncidentPageOut(
        timeline=[LineOut.of(line) for line in lines],
        robots=WhereaboutsOut.of(found),
        changelog=changelog_entry(incident, release, lines, found),
        **IncidentOut.of(incident).model_dump(),
    )


@router.get("/incidents", dependencies=[needs(Permission.READ)])
async def get_incidents(services: ServicesDependency) -> IncidentsOut:
    """List the incidents."""
    found = await services.read(lambda rows: rows.find(Incident, newest_first=True, limit=INCIDENTS_SHOWN))
    return IncidentsOut(incidents=[IncidentOut.of(incident) for incident in found])


@router.get("/incidents/{incident_id}", dependencies=[needs(Permission.READ)])
async def get_incident(services: ServicesDependency, incident_id: str) -> IncidentPageOut:
    """Show an incident with its timeline and its robots."""
    return await services.read(lambda rows: _page(rows, incident_id, services.now_s()))


@router.post("/incidents/{incident_id}/notes", status_code=201)
async def post_incident_note(
    services: ServicesDependency, actor: Operator, incident_id: str, body: NoteIn
) -> IncidentPageOut:
    """Add what somebody found out to an incident's timeline."""

    def work(rows: Rows) -> IncidentPageOut:
        now_s = services.now_s()
        add_note(rows, incident_id, body.text, actor.name, now_s)
        audit.record(rows, actor.name, "incident.note", incident_id, None, {"text": body.text}, None, now_s)
        return _page(rows, incident_id, now_s)

    return await services.write(work)


@router.post("/incidents/{incident_id}/close")
async def post_incident_close(
    services: ServicesDependency, actor: Operator, incident_id: str, body: ReasonIn
) -> IncidentPageOut:
    """Close an incident, saying why."""

    def work(rows: Rows) -> IncidentPageOut:
        now_s = services.now_s()
        before = find_incident(rows, incident_id)
        after = close_incident(rows, incident_id, body.reason, actor.name, now_s)
        audit.record(rows, actor.name, "incident.close", incident_id, before, after, body.reason, now_s)
        return _page(rows, incident_id, now_s)

    return await services.write(work)
