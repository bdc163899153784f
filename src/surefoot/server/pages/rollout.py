"""One rollout: where it stands and when it can go on, who waits and why, and what a person can do about it."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from surefoot.fleet.model import Rollout, RolloutState, Status
from surefoot.fleet.ports import Rows
from surefoot.server.pages.dependencies import Reader, ServicesDependency, SnapshotsDependency
from surefoot.server.pages.fleet_counts import fleet_counts
from surefoot.server.pages.live import live_response
from surefoot.server.pages.rendering import render, render_part
from surefoot.server.pages.rollout_actions import DONE, actions_for
from surefoot.server.pages.rollout_lines import RolloutLine, rollout_line
from surefoot.server.pages.rollout_view import RolloutView, counted, find_rollout, rollout_view
from surefoot.wire import limits

LISTED = 50
ROBOTS_LISTED = 100
PARTS = {
    "state": "rollout_state.html",
    "track": "rollout_track.html",
    "gate": "rollout_gate.html",
    "counts": "rollout_counts.html",
    "changes": "rollout_changes.html",
}
After = Annotated[str | None, Query(max_length=limits.NAME_CHARS_MAX)]

router = APIRouter()


@router.get("/rollouts")
async def get_rollouts(
    request: Request,
    actor: Reader,
    services: ServicesDependency,
    snapshots: SnapshotsDependency,
    state: RolloutState | None = None,
    after: After = None,
) -> Response:
    """List the rollouts, newest first, a page at a time."""
    counts = await fleet_counts(services, snapshots)
    equals = {} if state is None else {"state": state}

    def work(rows: Rows) -> list[RolloutLine]:
        found = rows.find(Rollout, newest_first=True, limit=LISTED, after=after, **equals)
        return [rollout_line(rows, rollout, counts) for rollout in found]

    lines = await services.read(work)
    following = lines[-1].rollout.rollout_id if len(lines) == LISTED else None
    return render(request, "rollouts.html", title="Rollouts", lines=lines, state=state, after=after, next=following)


@router.get("/rollouts/{rollout_id}")
async def get_rollout(
    request: Request,
    actor: Reader,
    services: ServicesDependency,
    snapshots: SnapshotsDependency,
    rollout_id: str,
    done: str | None = None,
) -> Response:
    """Show a rollout."""
    view = await rollout_view(services, snapshots, rollout_id)
    title = f"{view.release.version} for {view.rollout.sku}"
    return render(
        request,
        "rollout.html",
        title=title,
        live=f"/live/rollouts/{rollout_id}",
        done=DONE.get(done or ""),
        **_of(view),
    )


@router.get("/live/rollouts/{rollout_id}")
async def get_live_rollout(
    request: Request, actor: Reader, services: ServicesDependency, snapshots: SnapshotsDependency, rollout_id: str
) -> Response:
    """Send what changes of the page."""
    await services.read(lambda rows: find_rollout(rows, rollout_id))

    async def parts() -> Mapping[str, str]:
        view = await rollout_view(services, snapshots, rollout_id)
        return {name: render_part(request, template, **_of(view)) for name, template in PARTS.items()}

    return live_response(request, parts)


@router.get("/rollouts/{rollout_id}/robots")
async def get_rollout_robots(
    request: Request,
    actor: Reader,
    services: ServicesDependency,
    rollout_id: str,
    status: Status,
    after: After = None,
) -> Response:
    """List a rollout's robots of a status by name, a page at a time."""
    rollout, release = await services.read(lambda rows: find_rollout(rows, rollout_id))
    found = await services.read(lambda rows: rows.assignments_of_status(rollout_id, status, after, ROBOTS_LISTED))
    return render(
        request,
        "rollout_robots.html",
        title=f"Robots of {release.version} for {rollout.sku}",
        rollout=rollout,
        status_shown=status,
        found=found,
        next=found[-1].assignment_id if len(found) == ROBOTS_LISTED else None,
    )


def _of(view: RolloutView) -> dict[str, Any]:
    statuses = {} if view.counts is None else view.counts.statuses
    return {"view": view, "counted": counted(statuses), "actions": actions_for(view), "gate": view.gate}
