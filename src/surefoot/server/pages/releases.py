"""Releases: what is published, uploading what was signed elsewhere, and taking one back."""

from collections import Counter
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from surefoot.fleet.deltas import count_offered
from surefoot.fleet.model import Release, Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.server.operators.recall import RecallIn, post_recall
from surefoot.server.pages.dependencies import (
    FormDependency,
    Operator,
    Publisher,
    Reader,
    ServicesDependency,
    SnapshotsDependency,
)
from surefoot.server.pages.errors import status_for
from surefoot.server.pages.fleet_counts import FleetCounts, fleet_counts
from surefoot.server.pages.rendering import render
from surefoot.server.pages.rollout import After
from surefoot.server.pages.rollout_lines import RolloutLine, rollout_line
from surefoot.wire.errors import Refused, SurefootError

LISTED = 50
ROLLOUTS_LISTED = 20
REASON_CHARS_MAX = 500

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseView:
    """A release with its rollouts, the newest first; `running` robots say that they run its version, None for not yet.

    `deltas` counts the shorter ways to it that robots are offered.
    """

    release: Release
    deltas: int
    rollouts: tuple[RolloutLine, ...]
    running: int | None


@router.get("/releases")
async def get_releases(request: Request, actor: Reader, services: ServicesDependency, after: After = None) -> Response:
    """List the releases, newest first, a page at a time."""

    def work(rows: Rows) -> tuple[list[Release], Counter[str]]:
        return rows.find(Release, newest_first=True, limit=LISTED, after=after), Counter(count_offered(rows))

    found, deltas = await services.read(work)
    following = found[-1].release_id if len(found) == LISTED else None
    return render(request, "releases.html", title="Releases", found=found, deltas=deltas, after=after, next=following)


@router.get("/releases/upload")
async def get_upload(request: Request, actor: Publisher, services: ServicesDependency) -> Response:
    """Offer to upload a signed image with its signed manifest."""
    return render(request, "release_upload.html", title="Publish a release", size_max=services.settings.image_bytes_max)


@router.get("/releases/{release_id}")
async def get_release(
    request: Request,
    actor: Reader,
    services: ServicesDependency,
    snapshots: SnapshotsDependency,
    release_id: str,
    done: str | None = None,
) -> Response:
    """Show a release."""
    counts = await fleet_counts(services, snapshots)
    view = await services.read(lambda rows: release_view(rows, release_id, counts))
    said = {"published": "The release is published. No robot installs it before a rollout starts."}.get(done or "")
    title = f"Release {view.release.version} for {view.release.sku}"
    return render(request, "release.html", title=title, view=view, done=said)


@router.get("/releases/{release_id}/recall")
async def get_recall(
    request: Request, actor: Operator, services: ServicesDependency, snapshots: SnapshotsDependency, release_id: str
) -> Response:
    """Ask before a release is taken back."""
    counts = await fleet_counts(services, snapshots)
    view = await services.read(lambda rows: release_view(rows, release_id, counts))
    return _ask(request, view, "", False, None)


@router.post("/releases/{release_id}/recall")
async def post_recall_form(
    request: Request,
    actor: Operator,
    services: ServicesDependency,
    snapshots: SnapshotsDependency,
    release_id: str,
    form: FormDependency,
) -> Response:
    """Take it back; where robots are led back, go to the rollout that does so."""
    reason, roll_back = form.get("reason", "").strip()[:REASON_CHARS_MAX], "roll_back" in form
    try:
        recalled = await post_recall(services, actor, release_id, RecallIn(reason=reason, roll_back=roll_back))
    except Refused as error:
        counts = await fleet_counts(services, snapshots)
        view = await services.read(lambda rows: release_view(rows, release_id, counts))
        return _ask(request, view, reason, roll_back, error)
    snapshots.forget()
    back = recalled.way_back_rollout_id
    return RedirectResponse(f"/rollouts/{back}" if back else f"/releases/{release_id}", status_code=303)


def release_view(rows: Rows, release_id: str, counts: FleetCounts | None) -> ReleaseView:
    """Gather what the page shows; `Refused` (`not-found-release`)."""
    release = rows.get(Release, release_id)
    if release is None:
        raise Refused("not-found-release", f"There is no release {release_id}: list the releases.")
    rollouts = rows.find(Rollout, newest_first=True, limit=ROLLOUTS_LISTED, release_id=release_id)
    versions = {} if counts is None else counts.metrics.versions.get(release.sku, {})
    return ReleaseView(
        release=release,
        deltas=count_offered(rows)[release_id],
        rollouts=tuple(rollout_line(rows, rollout, counts) for rollout in rollouts),
        running=None if counts is None else versions.get(str(release.version), 0),
    )


def _ask(request: Request, view: ReleaseView, reason: str, roll_back: bool, error: SurefootError | None) -> Response:
    under_way = [line for line in view.rollouts if line.rollout.state is not RolloutState.HALTED]
    return render(
        request,
        "release_recall.html",
        title=f"Recall {view.release.version} for {view.release.sku}",
        http_status=status_for(error),
        view=view,
        halting=len(under_way),
        reason=reason,
        roll_back=roll_back,
        error=error,
    )
