"""Bringing a release to one robot alone: asked on a page that says first what will happen."""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from surefoot.fleet.model import Release
from surefoot.fleet.ports import Rows
from surefoot.fleet.robots import robot_status
from surefoot.server.operators.plan_models import InstallIn
from surefoot.server.operators.rollouts import post_install
from surefoot.server.pages.dependencies import FormDependency, Operator, ServicesDependency, SnapshotsDependency
from surefoot.server.pages.errors import status_for
from surefoot.server.pages.new_rollout import usable_releases
from surefoot.server.pages.rendering import render
from surefoot.wire.errors import Refused

REASON_CHARS_MAX = 500

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The releases that a robot may be brought, the highest version first, and the version that it runs."""

    releases: list[Release]
    runs: str | None


@router.get("/robots/{robot_id}/install")
async def get_install(request: Request, actor: Operator, services: ServicesDependency, robot_id: str) -> Response:
    """Ask which release, and why."""
    choice = await services.read(lambda rows: _choice(rows, robot_id, services.now_s()))
    return _ask(request, robot_id, choice, {}, None)


@router.post("/robots/{robot_id}/install")
async def post_robot_install(
    request: Request,
    actor: Operator,
    services: ServicesDependency,
    snapshots: SnapshotsDependency,
    robot_id: str,
    form: FormDependency,
) -> Response:
    """Start the robot's own rollout."""
    choice = await services.read(lambda rows: _choice(rows, robot_id, services.now_s()))
    reason = form.get("reason", "").strip()[:REASON_CHARS_MAX]
    body = InstallIn(release_id=form.get("release_id", ""), reason=reason, force="force" in form)
    try:
        started = await post_install(services, actor, robot_id, body)
    except Refused as error:
        return _ask(request, robot_id, choice, dict(form), error)
    snapshots.forget()
    return RedirectResponse(f"/rollouts/{started.rollout_id}?done=started", status_code=303)


def _choice(rows: Rows, robot_id: str, now_s: float) -> Choice:
    status = robot_status(rows, robot_id, now_s)
    releases = [release for release in usable_releases(rows) if release.sku == status.robot.sku]
    releases.sort(key=lambda release: release.version, reverse=True)
    return Choice(releases=releases, runs=None if status.facts is None else status.facts.report.running.version)


def _ask(request: Request, robot_id: str, choice: Choice, form: dict[str, str], error: Refused | None) -> Response:
    return render(
        request,
        "robot_install.html",
        title=f"Install a release on {robot_id}",
        http_status=status_for(error),
        robot_id=robot_id,
        releases=choice.releases,
        runs=choice.runs,
        release_id=form.get("release_id", ""),
        reason=form.get("reason", ""),
        force="force" in form,
        error=error,
    )
