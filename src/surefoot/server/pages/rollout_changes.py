"""Changes of a rollout by a person: what each would do to how many robots, asked before it is done."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from surefoot.fleet.model import RolloutState
from surefoot.server.operators.permissions import Needs, Permission
from surefoot.server.operators.plan_models import ApprovalIn
from surefoot.server.operators.release_models import ReasonIn
from surefoot.server.operators.rollouts import Change, change_rollout, post_approval
from surefoot.server.pages.dependencies import FormDependency, Reader, ServicesDependency, SnapshotsDependency
from surefoot.server.pages.errors import status_for
from surefoot.server.pages.rendering import render
from surefoot.server.pages.rollout_view import RolloutView, rollout_view
from surefoot.server.pages.words import number, plural
from surefoot.server.problems import unknown_path
from surefoot.wire.errors import Refused, SurefootError

REASON_CHARS_MAX = 500

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A change as a page offers it; `effects` says what it does to how many robots."""

    word: str
    permission: Permission
    button: str
    tone: str
    needs_reason: bool
    effects: Callable[[RolloutView], list[str]]


def _pause(view: RolloutView) -> list[str]:
    return [
        f"{plural(view.unreached)} not offered {view.release.version} yet: no offer until somebody resumes.",
        f"{plural(_updating(view))} updating now: the update goes on to its end.",
        f"{plural(view.installed)} with it installed: nothing changes.",
    ]


def _resume(view: RolloutView) -> list[str]:
    found = [
        f"Phase {view.phase.name} goes on, and its soak begins anew.",
        f"{plural(view.unreached)} not offered {view.release.version} yet: offers as their phases open.",
        f"At most {number(view.rollout.plan.capacity)} update at once.",
    ]
    if view.rollout.state is RolloutState.HALTED:
        found.append("The failures there are count as accepted: the next one halts the rollout again.")
    return found


def _halt(view: RolloutView) -> list[str]:
    return [
        f"{plural(view.unreached)} not offered {view.release.version} yet: no offer.",
        f"{plural(_updating(view))} updating now: told to stop where that is still possible.",
        f"{plural(view.installed)} with it installed: nothing changes. Recalling the release leads them back.",
        "An incident opens, and only a person resumes.",
    ]


def _approve(view: RolloutView) -> list[str]:
    phase = view.unapproved
    if phase is None:
        return ["No phase waits for an approval."]
    return [f"Phase {phase.name} may open once the phases before it have passed: {plural(phase.robots or 0)} more."]


def _updating(view: RolloutView) -> int:
    return 0 if view.counts is None else view.counts.open


ACTIONS = {
    "approve": Action(
        word="approve",
        permission=Permission.APPROVE,
        button="Approve",
        tone="main",
        needs_reason=True,
        effects=_approve,
    ),
    "resume": Action(
        word="resume", permission=Permission.OPERATE, button="Resume", tone="main", needs_reason=True, effects=_resume
    ),
    "pause": Action(
        word="pause", permission=Permission.OPERATE, button="Pause", tone="", needs_reason=False, effects=_pause
    ),
    "halt": Action(
        word="halt", permission=Permission.OPERATE, button="Halt", tone="bad", needs_reason=True, effects=_halt
    ),
}
_BY_STATE = {
    RolloutState.RUNNING: ("approve", "pause", "halt"),
    RolloutState.PAUSED: ("approve", "resume", "halt"),
    RolloutState.HALTED: ("resume",),
    RolloutState.FINISHED: ("halt",),
}
# What the rollout's page says behind a change, by the word in its address.
DONE = {
    "started": "The rollout has started.",
    "pause": "The rollout is paused.",
    "resume": "The rollout goes on.",
    "halt": "The rollout is halted, and an incident is open.",
    "approve": "The next phase is approved.",
}


def actions_for(view: RolloutView) -> list[Action]:
    """Return what can be done to a rollout as it stands."""
    found = [ACTIONS[word] for word in _BY_STATE[view.rollout.state]]
    return [action for action in found if action.word != "approve" or view.unapproved is not None]


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
        else:
            await change_rollout(services, actor, rollout_id, Change(action.word), ReasonIn(reason=reason))
    except Refused as error:
        return _ask(request, action, await rollout_view(services, snapshots, rollout_id), reason, error)
    snapshots.forget()
    return RedirectResponse(f"/rollouts/{rollout_id}?done={change}", status_code=303)


def _action(request: Request, change: str) -> Action:
    if change not in ACTIONS:
        raise unknown_path()
    Needs(ACTIONS[change].permission)(request)
    return ACTIONS[change]


def _ask(request: Request, action: Action, view: RolloutView, reason: str, error: SurefootError | None) -> Response:
    return render(
        request,
        "rollout_change.html",
        title=f"{action.button}: {view.release.version} for {view.rollout.sku}",
        http_status=status_for(error),
        view=view,
        action=action,
        effects=action.effects(view),
        reason=reason,
        error=error,
    )
