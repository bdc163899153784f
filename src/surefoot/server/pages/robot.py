"""One robot: what it runs, what it should run, why they differ, and what happened to it."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from surefoot.fleet.model import Release, Rollout
from surefoot.fleet.pins import Pin
from surefoot.fleet.ports import Rows
from surefoot.fleet.robot_health import RobotHealth
from surefoot.fleet.robots import RobotStatus, robot_status
from surefoot.fleet.zones import zone_of
from surefoot.server.operators.enrolment import RevocationIn, post_revocation
from surefoot.server.pages.dependencies import FormDependency, Operator, Reader, ServicesDependency
from surefoot.server.pages.errors import status_for
from surefoot.server.pages.live import live_response
from surefoot.server.pages.rendering import render, render_part
from surefoot.server.pages.telemetry import Telemetry, telemetry
from surefoot.wire.errors import Refused, SurefootError
from surefoot.wire.report import SlotReport

PARTS = {"robot": "robot_state.html", "telemetry": "robot_telemetry.html", "history": "robot_history.html"}
REASON_CHARS_MAX = 500

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotShown:
    """A robot with what its assignment leads to, its telemetry if it sends any, and what people decided about it."""

    status: RobotStatus
    rollout: Rollout | None
    release: Release | None
    telemetry: Telemetry | None
    pin: Pin | None
    zone: str

    @property
    def slots(self) -> list[tuple[str, SlotReport]]:
        """Its slots as it reported them, the running one first."""
        facts = self.status.facts
        if facts is None:
            return []
        spare = facts.report.spare
        return [("running", facts.report.running), *([] if spare is None else [("spare", spare)])]

    @property
    def runs_wanted(self) -> bool:
        """Whether it runs what it should."""
        facts, wanted = self.status.facts, self.status.wanted_digest
        return facts is not None and wanted is not None and facts.report.running.digest == wanted


def robot_shown(rows: Rows, robot_id: str, now_s: float) -> RobotShown:
    """Gather what the page shows; `Refused` (`not-found-robot`)."""
    status = robot_status(rows, robot_id, now_s)
    given = status.assignment
    return RobotShown(
        status=status,
        rollout=None if given is None else rows.get(Rollout, given.rollout_id),
        release=None if given is None else rows.get(Release, given.release_id),
        telemetry=telemetry(rows.get(RobotHealth, robot_id)),
        pin=rows.get(Pin, robot_id),
        zone=zone_of(rows, robot_id),
    )


@router.get("/robots/{robot_id}")
async def get_robot(
    request: Request, actor: Reader, services: ServicesDependency, robot_id: str, done: str | None = None
) -> Response:
    """Show a robot."""
    view = await services.read(lambda rows: robot_shown(rows, robot_id, services.now_s()))
    said = "Its credentials have ended; a new enrolment code lets it back in." if done == "revoked" else None
    return render(request, "robot.html", title=robot_id, view=view, live=f"/live/robots/{robot_id}", done=said)


@router.get("/live/robots/{robot_id}")
async def get_live_robot(request: Request, actor: Reader, services: ServicesDependency, robot_id: str) -> Response:
    """Send what changes of the page."""
    await services.read(lambda rows: robot_status(rows, robot_id, services.now_s()))

    async def parts() -> Mapping[str, str]:
        view = await services.read(lambda rows: robot_shown(rows, robot_id, services.now_s()))
        return {name: render_part(request, template, view=view) for name, template in PARTS.items()}

    return live_response(request, parts)


@router.get("/robots/{robot_id}/revoke")
async def get_revoke(request: Request, actor: Operator, services: ServicesDependency, robot_id: str) -> Response:
    """Ask before a robot's credentials end."""
    await services.read(lambda rows: robot_status(rows, robot_id, services.now_s()))
    return _ask(request, robot_id, "", None)


@router.post("/robots/{robot_id}/revoke")
async def post_revoke(
    request: Request, actor: Operator, services: ServicesDependency, robot_id: str, form: FormDependency
) -> Response:
    """End a robot's credentials."""
    reason = form.get("reason", "").strip()[:REASON_CHARS_MAX]
    try:
        await post_revocation(services, actor, robot_id, RevocationIn(reason=reason))
    except Refused as error:
        return _ask(request, robot_id, reason, error)
    return RedirectResponse(f"/robots/{robot_id}?done=revoked", status_code=303)


def _ask(request: Request, robot_id: str, reason: str, error: SurefootError | None) -> Response:
    return render(
        request,
        "robot_revoke.html",
        title=f"Revoke the credentials of {robot_id}",
        http_status=status_for(error),
        robot_id=robot_id,
        reason=reason,
        error=error,
    )
