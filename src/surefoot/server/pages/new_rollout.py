"""A rollout to start: which release, by which plan, and what that would do, before it does."""

import asyncio
from dataclasses import dataclass, replace
from hashlib import sha256

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from surefoot.fleet.aws_limits import warnings
from surefoot.fleet.model import Release
from surefoot.fleet.plan_yaml import plan_from_yaml, plan_to_yaml
from surefoot.fleet.ports import Rows
from surefoot.rollout.explain import Outlook, explain
from surefoot.rollout.plan import Plan, default_plan
from surefoot.rollout.plan_format import plan_to_object
from surefoot.server.operators.release_models import RolloutIn
from surefoot.server.operators.rollouts import post_rollout
from surefoot.server.pages.dependencies import FormDependency, Operator, ServicesDependency, SnapshotsDependency
from surefoot.server.pages.errors import status_for
from surefoot.server.pages.fleet_counts import fleet_counts
from surefoot.server.pages.rendering import render
from surefoot.wire.errors import Refused

RELEASES_MAX = 200

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a plan would do with so many robots, None while they are being counted: phase by phase.

    `warnings` say which robots cannot get the release.
    """

    robots: int | None
    phases: tuple[Outlook, ...]
    warnings: tuple[str, ...] = ()


@router.get("/rollouts/new")
async def get_new_rollout(
    request: Request, actor: Operator, services: ServicesDependency, release_id: str = ""
) -> Response:
    """Ask for release and plan."""
    releases = await services.read(usable_releases)
    return _page(request, releases, release_id, plan_to_yaml(default_plan()), None, None)


@router.post("/rollouts/new")
async def post_new_rollout(
    request: Request,
    actor: Operator,
    services: ServicesDependency,
    snapshots: SnapshotsDependency,
    form: FormDependency,
) -> Response:
    """Show what the plan would do, or start the rollout."""
    releases = await services.read(usable_releases)
    release_id, text = form.get("release_id", ""), form.get("plan", "")
    forecast = None
    try:
        release = next((one for one in releases if one.release_id == release_id), None)
        if release is None:
            raise Refused("not-found-release", "Choose a release that is published and not recalled.")
        plan = plan_of(text)
        counts = await fleet_counts(services, snapshots)
        robots = None if counts is None else counts.by_sku.get(release.sku, 0)
        forecast = await asyncio.to_thread(forecast_of, plan, robots)
        told = await services.read(lambda rows: warnings(rows, release, services.fleet))
        forecast = replace(forecast, warnings=tuple(told))
        # What was changed since it was looked at is shown once more, and not started.
        if "start" in form and form.get("seen") == seen_as(release_id, text):
            started = await post_rollout(services, actor, RolloutIn(release_id=release_id, plan=plan_to_object(plan)))
            snapshots.forget()
            return RedirectResponse(f"/rollouts/{started.rollout_id}?done=started", status_code=303)
    except Refused as error:
        return _page(request, releases, release_id, text, forecast, error)
    return _page(request, releases, release_id, text, forecast, None, changed="start" in form)


def usable_releases(rows: Rows) -> list[Release]:
    """Return the releases that a rollout may bring, newest first."""
    found = rows.find(Release, newest_first=True, limit=RELEASES_MAX)
    return [release for release in found if release.recalled_at_s is None]


def plan_of(text: str) -> Plan:
    """Read a plan; `Refused` (`refused-plan-format`) naming the line."""
    return plan_from_yaml(text.encode(), "plan")


def seen_as(release_id: str, text: str) -> str:
    """Return what stands for a release and a plan that somebody has seen the forecast of."""
    # Browsers send line ends of their own.
    return sha256(f"{release_id}\n{text}".replace("\r\n", "\n").encode()).hexdigest()


def forecast_of(plan: Plan, robots: int | None) -> Forecast:
    """Say what the plan would do: whom each phase reaches, and what its gates can notice."""
    return Forecast(robots=robots, phases=tuple(explain(plan, robots or 0)))


def _page(
    request: Request,
    releases: list[Release],
    release_id: str,
    text: str,
    forecast: Forecast | None,
    error: Refused | None,
    *,
    changed: bool = False,
) -> Response:
    return render(
        request,
        "new_rollout.html",
        title="New rollout",
        http_status=status_for(error),
        releases=releases,
        release_id=release_id,
        plan=text,
        seen=seen_as(release_id, text),
        forecast=forecast,
        changed=changed,
        error=error,
    )
