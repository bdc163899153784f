"""Changes of a rollout by a person, asked before they are done."""

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from surefoot.server.operators.permissions import Needs
from surefoot.server.operators.plan_models import ApprovalIn
from surefoot.server.operators.release_models import ChangeIn
from surefoot.server.operators.rollouts import Change, change_rollout, post_approval
from surefoot.server.pages.dependencies import FormDependency, Reader, ServicesDependency, SnapshotsDependency
from surefoot.server.pages.errors import status_for
from surefoot.server.pages.rendering import render
from surefoot.server.pages.rollout_actions import ACTIONS, LEAD_BACK, Action
from surefoot.server.pages.rollout_view import RolloutView, rollout_view
from surefoot.server.problems import unknown_path
from surefoot.wire.errors import Refused, SurefootError

REASON_CHARS_MAX = 500

router = APIRouter()


@router.get("/rollouts/{rollout_id}/{change}")
async def get_change(
    request: Request,
    actor: Reader,
    services: ServicesDependency,
    snapshots: SnapshotsDependency,
    rollout_id: str,
    change: str,
) -> Response:
    """Ask before a change."""
    action = _action(request, change)
    return _ask(request, action, await rollout_view(services, snapshots, rollout_id), "", None)


@router.post("/rollouts/{rollout_id}/{change}")
async def post_change(
    request: Request,
    actor: Reader,
    services: ServicesDependency,
    snapshots: SnapshotsDependency,
    rollout_id: str,
    change: str,
    form: FormDependency,
) -> Response:
    """Do it, and go back to the rollout."""
    action = _action(request, change)
    reason = form.get("reason", "").strip()
    try:
        if len(reason) > REASON_CHARS_MAX:
            raise Refused("refused-request-format", f"A reason has at most {REASON_CHARS_MAX} characters: shorten it.")
        if action.word == "approve":
            await post_approval(services, actor, rollout_id, ApprovalIn(reason=reason))
        elif action.word == LEAD_BACK:
            await change_rollout(services, actor, rollout_id, Change.HALT, ChangeIn(reason=reason, roll_back=True))
        else:
            asked = {name: action.asks_more and name in form for name in ("roll_back", "recall")}
            await change_rollout(services, actor, rollout_id, Change(action.word), ChangeIn(reason=reason, **asked))
    except Refused as error:
        view = await rollout_view(services, snapshots, rollout_id)
        return _ask(request, action, view, reason, error, form)
    snapshots.forget()
    return RedirectResponse(f"/rollouts/{rollout_id}?done={change}", status_code=303)


def _action(request: Request, change: str) -> Action:
    if change not in ACTIONS:
        raise unknown_path()
    Needs(ACTIONS[change].permission)(request)
    return ACTIONS[change]


def _ask(
    request: Request,
    action: Action,
    view: RolloutView,
    reason: str,
    error: SurefootError | None,
    said: Mapping[str, str] | None = None,
) -> Response:
    return render(
        request,
        "rollout_change.html",
        title=f"{action.button}: {view.release.version} for {view.rollout.sku}",
        http_status=status_for(error),
        view=view,
        action=action,
        effects=action.effects(view),
        # What is still being counted is on no button.
        sums_up="" if view.counts is None or view.robots is None else f": {action.sums_up(view)}",
        reason=reason,
        said=said or {},
        error=error,
    )
