"""Incidents: what went wrong, who did what about it, who is back, and closing it."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from surefoot.fleet.incident_changelog import changelog_entry
from surefoot.fleet.incidents import Incident, TimelineLine, Whereabouts, find_incident, timeline, whereabouts
from surefoot.fleet.model import Release, Rollout
from surefoot.fleet.ports import Rows
from surefoot.fleet.way_back import way_back_of
from surefoot.server.operators.incidents import NoteIn, post_incident_close, post_incident_note
from surefoot.server.operators.release_models import ReasonIn
from surefoot.server.pages.dependencies import (
    FormDependency,
    Operator,
    Reader,
    ServicesDependency,
    SnapshotsDependency,
)
from surefoot.server.pages.errors import status_for
from surefoot.server.pages.live import live_response
from surefoot.server.pages.rendering import render, render_part
from surefoot.server.pages.rollout import After
from surefoot.server.pages.snapshots import Snapshots
from surefoot.server.services import Services
from surefoot.wire.errors import Damaged, Refused, SurefootError

LISTED = 50
NAMED_MAX = 100
REASON_CHARS_MAX, NOTE_CHARS_MAX = 500, 2000
PARTS = {"state": "incident_state.html", "robots": "incident_robots.html", "timeline": "incident_timeline.html"}
DONE = {"noted": "The note is on the timeline.", "closed": "The incident is closed."}

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentLine:
    """An incident as lists show it, with the release it is about as people call it."""

    incident: Incident
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Robots that are alike, the first of them by name."""

    name: str
    tone: str
    count: int
    robot_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    """An incident with its timeline; `groups` and `changelog` are empty while its robots are being looked at."""

    incident: Incident
    rollout: Rollout | None
    release: Release
    lines: tuple[TimelineLine, ...]
    groups: tuple[Group, ...] | None
    changelog: str
    way_back: Rollout | None


@router.get("/incidents")
async def get_incidents(request: Request, actor: Reader, services: ServicesDependency, after: After = None) -> Response:
    """List the incidents, newest first, a page at a time."""

    def work(rows: Rows) -> list[IncidentLine]:
        found = rows.find(Incident, newest_first=True, limit=LISTED, after=after)
        return [incident_line(rows, incident) for incident in found]

    lines = await services.read(work)
    following = lines[-1].incident.incident_id if len(lines) == LISTED else None
    return render(request, "incidents.html", title="Incidents", lines=lines, after=after, next=following)


@router.get("/incidents/{incident_id}")
async def get_incident(
    request: Request,
    actor: Reader,
    services: ServicesDependency,
    snapshots: SnapshotsDependency,
    incident_id: str,
    done: str | None = None,
) -> Response:
    """Show an incident."""
    view = await incident_view(services, snapshots, incident_id)
    return _page(request, view, None, {}, DONE.get(done or ""))


@router.get("/live/incidents/{incident_id}")
async def get_live_incident(
    request: Request, actor: Reader, services: ServicesDependency, snapshots: SnapshotsDependency, incident_id: str
) -> Response:
    """Send what changes of the page."""
    await services.read(lambda rows: find_incident(rows, incident_id))

    async def parts() -> Mapping[str, str]:
        view = await incident_view(services, snapshots, incident_id)
        return {name: render_part(request, template, view=view) for name, template in PARTS.items()}

    return live_response(request, parts)


@router.post("/incidents/{incident_id}/notes")
async def post_note(
    request: Request,
    actor: Operator,
    services: ServicesDependency,
    snapshots: SnapshotsDependency,
    incident_id: str,
    form: FormDependency,
) -> Response:
    """Add what somebody found out."""
    text = form.get("text", "").strip()[:NOTE_CHARS_MAX]
    try:
        await post_incident_note(services, actor, incident_id, NoteIn(text=text))
    except Refused as error:
        return _page(request, await incident_view(services, snapshots, incident_id), error, form, None)
    return RedirectResponse(f"/incidents/{incident_id}?done=noted", status_code=303)


@router.post("/incidents/{incident_id}/close")
async def post_close(
    request: Request,
    actor: Operator,
    services: ServicesDependency,
    snapshots: SnapshotsDependency,
    incident_id: str,
    form: FormDependency,
) -> Response:
    """Close it, saying why."""
    reason = form.get("reason", "").strip()[:REASON_CHARS_MAX]
    try:
        await post_incident_close(services, actor, incident_id, ReasonIn(reason=reason))
    except Refused as error:
        return _page(request, await incident_view(services, snapshots, incident_id), error, form, None)
    return RedirectResponse(f"/incidents/{incident_id}?done=closed", status_code=303)


def incident_line(rows: Rows, incident: Incident) -> IncidentLine:
    """Return an incident's line."""
    release = rows.get(Release, incident.release_id)
    about = incident.incident_id if release is None else f"{release.version} for {release.sku}"
    return IncidentLine(incident=incident, about=about)


async def incident_view(services: Services, snapshots: Snapshots, incident_id: str) -> IncidentView:
    """Gather what the page shows; `Refused` (`not-found-incident`)."""
    incident = await services.read(lambda rows: find_incident(rows, incident_id))
    found = await snapshots.get(
        ("whereabouts", incident_id), lambda rows: whereabouts(rows, incident, services.now_s())
    )
    return await services.read(lambda rows: _view(rows, incident_id, found))


def _view(rows: Rows, incident_id: str, found: Whereabouts | None) -> IncidentView:
    incident = find_incident(rows, incident_id)
    release = rows.get(Release, incident.release_id)
    if release is None:
        raise Damaged("damaged-assignment", f"Incident {incident_id} has no release: restore a backup.")
    lines = timeline(rows, incident_id)
    return IncidentView(
        incident=incident,
        rollout=rows.get(Rollout, incident.rollout_id),
        release=release,
        lines=tuple(lines),
        groups=None if found is None else groups(found),
        changelog="" if found is None else changelog_entry(incident, release, lines, found),
        way_back=way_back_of(rows, release),
    )


def groups(found: Whereabouts) -> tuple[Group, ...]:
    """Return where the robots are that ran the release."""
    known = (("not back", "bad", found.not_back), ("silent", "careful", found.silent), ("back", "good", found.back))
    return tuple(
        Group(name=name, tone=tone, count=len(robot_ids), robot_ids=robot_ids[:NAMED_MAX])
        for name, tone, robot_ids in known
    )


def _page(
    request: Request, view: IncidentView, error: SurefootError | None, said: Mapping[str, str], done: str | None
) -> Response:
    return render(
        request,
        "incident.html",
        title=f"Incident of {view.release.version} for {view.release.sku}",
        http_status=status_for(error),
        view=view,
        live=f"/live/incidents/{view.incident.incident_id}",
        error=error,
        said=said,
        done=done,
    )
