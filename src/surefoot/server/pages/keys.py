"""The signing keys, and rotations: which step comes next, and which robots it waits for, by name."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from surefoot.fleet.adoption import RobotStanding
from surefoot.fleet.keys import find_key, signers_of
from surefoot.fleet.model import Key, KeyState, Release, Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.fleet.rotation import TABLE, Rotation, RotationAction, RotationStep, find_rotation
from surefoot.fleet.rotation_steps import RotationProgress, progress
from surefoot.server.operators import rotations as api
from surefoot.server.operators.permissions import Actor
from surefoot.server.operators.release_models import ReasonIn
from surefoot.server.operators.rotation_models import ExclusionIn, RotationIn
from surefoot.server.pages.dependencies import Admin, FormDependency, Reader, ServicesDependency, SnapshotsDependency
from surefoot.server.pages.errors import status_for
from surefoot.server.pages.live import live_response
from surefoot.server.pages.rendering import render, render_part
from surefoot.server.pages.snapshots import Snapshots
from surefoot.server.problems import unknown_path
from surefoot.server.services import Services
from surefoot.trust.keys import PublicKey
from surefoot.wire.errors import Refused, SurefootError

NAMED_MAX = 200
REASON_CHARS_MAX = 500
STEPS = (
    (RotationStep.GENERATE, "New key"),
    (RotationStep.TRANSITION, "Transition releases"),
    (RotationStep.VERIFY, "Every robot adopts it"),
    (RotationStep.DESTROY, "Old key destroyed"),
)

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLine:
    """A key with its short id, and its rotation if it has one."""

    key: Key
    short_id: str
    rotation: Rotation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a rotation would do: how many rollouts halt, and how many of those are under way."""

    line: KeyLine
    halting: int
    under_way: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationView:
    """A rotation; `progress` and `behind` are empty while its robots are being looked at."""

    rotation: Rotation
    old_key: KeyLine
    new_key: KeyLine | None
    progress: RotationProgress | None
    behind: tuple[RobotStanding, ...]
    allowed: frozenset[RotationAction]


@router.get("/keys")
async def get_keys(request: Request, actor: Reader, services: ServicesDependency) -> Response:
    """List the keys."""
    lines = await services.read(lambda rows: [_line(rows, key) for key in rows.find(Key)])
    return render(request, "keys.html", title="Keys", lines=lines, active=KeyState.ACTIVE)


@router.get("/keys/{key_id}/rotate")
async def get_rotate(request: Request, actor: Admin, services: ServicesDependency, key_id: str) -> Response:
    """Ask before a key is rotated."""
    return _ask(request, await services.read(lambda rows: _asked(rows, key_id)), "", None)


@router.post("/keys/{key_id}/rotate")
async def post_rotate(
    request: Request, actor: Admin, services: ServicesDependency, key_id: str, form: FormDependency
) -> Response:
    """Begin a rotation."""
    reason = form.get("reason", "").strip()[:REASON_CHARS_MAX]
    try:
        begun = await api.post_rotation(services, actor, RotationIn(key_id=key_id, reason=reason))
    except Refused as error:
        return _ask(request, await services.read(lambda rows: _asked(rows, key_id)), reason, error)
    return RedirectResponse(f"/rotations/{begun.rotation_id}", status_code=303)


@router.get("/rotations/{rotation_id}")
async def get_rotation(
    request: Request, actor: Reader, services: ServicesDependency, snapshots: SnapshotsDependency, rotation_id: str
) -> Response:
    """Show a rotation."""
    return await _page(request, services, snapshots, rotation_id, None)


@router.get("/live/rotations/{rotation_id}")
async def get_live_rotation(
    request: Request, actor: Reader, services: ServicesDependency, snapshots: SnapshotsDependency, rotation_id: str
) -> Response:
    """Send what changes of the page."""
    await services.read(lambda rows: find_rotation(rows, rotation_id))

    async def parts() -> Mapping[str, str]:
        view = await rotation_view(services, snapshots, rotation_id)
        return {"rotation": render_part(request, "rotation_state.html", view=view, steps=STEPS)}

    return live_response(request, parts)


async def _exclude(request: Request, services: Services, actor: Actor, rotation_id: str, reason: str) -> object:
    robot_id = request.scope["state"]["form"].get("robot_id", "").strip()
    return await api.post_exclusion(services, actor, rotation_id, ExclusionIn(robot_id=robot_id, reason=reason))


async def _verify(_request: Request, services: Services, actor: Actor, rotation_id: str, _reason: str) -> object:
    return await api.post_verify(services, actor, rotation_id)


async def _destroy(request: Request, services: Services, actor: Actor, rotation_id: str, _reason: str) -> object:
    return await api.post_destroy(services, actor, rotation_id, request)


async def _cancel(request: Request, services: Services, actor: Actor, rotation_id: str, reason: str) -> object:
    return await api.post_cancel(services, actor, rotation_id, ReasonIn(reason=reason), request)


Step = Callable[[Request, Services, Actor, str, str], Awaitable[object]]
TAKEN: dict[str, Step] = {"exclude": _exclude, "verify": _verify, "destroy": _destroy, "cancel": _cancel}


@router.post("/rotations/{rotation_id}/{step}")
async def post_step(
    request: Request,
    actor: Admin,
    services: ServicesDependency,
    snapshots: SnapshotsDependency,
    rotation_id: str,
    step: str,
    form: FormDependency,
) -> Response:
    """Take a step."""
    if step not in TAKEN:
        raise unknown_path()
    try:
        await TAKEN[step](request, services, actor, rotation_id, form.get("reason", "").strip()[:REASON_CHARS_MAX])
    except Refused as error:
        return await _page(request, services, snapshots, rotation_id, error)
    snapshots.forget()
    return RedirectResponse(f"/rotations/{rotation_id}", status_code=303)


async def rotation_view(services: Services, snapshots: Snapshots, rotation_id: str) -> RotationView:
    """Gather what the page shows; `Refused` (`not-found-rotation`)."""
    await services.read(lambda rows: find_rotation(rows, rotation_id))
    found = await snapshots.get(("rotation", rotation_id), lambda rows: progress(rows, rotation_id, services.now_s()))
    return await services.read(lambda rows: _view(rows, rotation_id, found))


def _view(rows: Rows, rotation_id: str, found: RotationProgress | None) -> RotationView:
    rotation = find_rotation(rows, rotation_id)
    return RotationView(
        rotation=rotation,
        old_key=_line(rows, find_key(rows, rotation.old_key_id)),
        new_key=None if rotation.new_key_id is None else _line(rows, find_key(rows, rotation.new_key_id)),
        progress=found,
        behind=() if found is None else found.adoption.behind[:NAMED_MAX],
        allowed=frozenset(action for action, steps in TABLE.items() if rotation.step in steps),
    )


def _line(rows: Rows, key: Key) -> KeyLine:
    found = rows.find(Rotation, limit=1, old_key_id=key.key_id)
    short_id = PublicKey.from_xy(key.public_key_xy).short_id
    return KeyLine(key=key, short_id=short_id, rotation=found[0] if found else None)


async def _page(
    request: Request, services: Services, snapshots: Snapshots, rotation_id: str, error: SurefootError | None
) -> Response:
    view = await rotation_view(services, snapshots, rotation_id)
    return render(
        request,
        "rotation.html",
        title=f"Rotation of key {view.old_key.key.name}",
        http_status=status_for(error),
        view=view,
        steps=STEPS,
        actions=RotationAction,
        live=f"/live/rotations/{rotation_id}",
        error=error,
    )


def _asked(rows: Rows, key_id: str) -> Asked:
    signed = [release for release in rows.find(Release) if key_id in signers_of(release)]
    rollouts = [rollout for release in signed for rollout in rows.find(Rollout, release_id=release.release_id)]
    halting = [rollout for rollout in rollouts if rollout.state is not RolloutState.HALTED]
    return Asked(
        line=_line(rows, find_key(rows, key_id)),
        halting=len(halting),
        under_way=sum(rollout.state is not RolloutState.FINISHED for rollout in halting),
    )


def _ask(request: Request, asked: Asked, reason: str, error: SurefootError | None) -> Response:
    return render(
        request,
        "key_rotate.html",
        title=f"Rotate key {asked.line.key.name}",
        http_status=status_for(error),
        line=asked.line,
        asked=asked,
        reason=reason,
        error=error,
    )
