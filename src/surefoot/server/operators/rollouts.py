"""Rollouts, for operators."""

import secrets
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter

from surefoot.fleet import audit
from surefoot.fleet.approvals import approve_phase
from surefoot.fleet.aws_limits import require_a_robot
from surefoot.fleet.emergency import Wish, halt_as_asked
from surefoot.fleet.gate_view import gate_view
from surefoot.fleet.model import Rollout
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollout_detail import rollout_detail
from surefoot.fleet.rollouts import (
    Purpose,
    RolloutProgress,
    pause_rollout,
    progress,
    require_reason,
    resume_rollout,
    start_rollout,
)
from surefoot.fleet.waiting import waiting
from surefoot.rollout.plan import Plan, default_plan, one_robot_plan
from surefoot.rollout.plan_format import plan_from_object
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.permissions import Actor, Permission, needs
from surefoot.server.operators.plan_models import ApprovalIn, InstallIn, WaitingOut
from surefoot.server.operators.release_models import ChangeIn, RolloutIn, RolloutOut, RolloutsOut
from surefoot.server.services import Services
from surefoot.wire.errors import Refused

SALT_BYTES = 16

Operator = Annotated[Actor, needs(Permission.OPERATE)]

router = APIRouter(tags=["rollouts"])


class Change(StrEnum):
    """What an operator can do to a rollout."""

    PAUSE = "pause"
    RESUME = "resume"
    HALT = "halt"


_CHANGES = {Change.PAUSE: pause_rollout, Change.RESUME: resume_rollout}


@router.get("/rollouts", dependencies=[needs(Permission.READ)])
async def get_rollouts(services: ServicesDependency) -> RolloutsOut:
    """List the rollouts with their progress."""

    def work(rows: Rows) -> list[RolloutProgress]:
        return [
            progress(rows, rollout.rollout_id, services.now_s()) for rollout in rows.find(Rollout, newest_first=True)
        ]

    return RolloutsOut(rollouts=[RolloutOut.of(found) for found in await services.read(work)])


@router.post("/rollouts", status_code=201)
async def post_rollout(services: ServicesDependency, actor: Operator, body: RolloutIn) -> RolloutOut:
    """Start to bring a release to its sku."""
    plan = default_plan() if body.plan is None else plan_from_object(body.plan)
    return await services.write(_start(services, actor, body.release_id, plan, Purpose(force=body.force)))


@router.post("/robots/{robot_id}/install", status_code=201)
async def post_install(services: ServicesDependency, actor: Operator, robot_id: str, body: InstallIn) -> RolloutOut:
    """Bring a release to one robot alone, by a rollout of its own that ends once the robot has installed it."""
    require_reason(body.reason)
    plan = one_robot_plan(robot_id)
    purpose = Purpose(force=body.force, reason=body.reason.strip())
    return await services.write(_start(services, actor, body.release_id, plan, purpose))


def _start(
    services: Services, actor: Actor, release_id: str, plan: Plan, purpose: Purpose
) -> Callable[[Rows], RolloutOut]:
    rollout_id, salt = services.new_id(), secrets.token_bytes(SALT_BYTES)

    def work(rows: Rows) -> RolloutOut:
        now_s = services.now_s()
        started = start_rollout(rows, release_id, plan, rollout_id, salt, now_s, who=actor.name, purpose=purpose)
        require_a_robot(rows, started.release_id, services.fleet)
        audit.record(rows, actor.name, "rollout.start", rollout_id, None, started, purpose.reason or None, now_s)
        return _shown(rows, rollout_id, now_s)

    return work


@router.get("/rollouts/{rollout_id}", dependencies=[needs(Permission.READ)])
async def get_rollout(services: ServicesDependency, rollout_id: str) -> RolloutOut:
    """Show where a rollout stands, and what its gate says."""
    return await services.read(lambda rows: _shown(rows, rollout_id, services.now_s()))


@router.get("/rollouts/{rollout_id}/robots/waiting", dependencies=[needs(Permission.READ)])
async def get_waiting(services: ServicesDependency, rollout_id: str) -> WaitingOut:
    """Show who waits in a rollout, counted by the refusal that keeps them waiting."""
    return WaitingOut.of(await services.read(lambda rows: waiting(rows, rollout_id, services.now_s())))


@router.post("/rollouts/{rollout_id}/approve")
async def post_approval(
    services: ServicesDependency,
    actor: Annotated[Actor, needs(Permission.APPROVE)],
    rollout_id: str,
    body: ApprovalIn,
) -> RolloutOut:
    """Let a phase open once the one before has passed; that may be said before it is due."""

    def work(rows: Rows) -> RolloutOut:
        now_s = services.now_s()
        _, approval = approve_phase(rows, rollout_id, body.phase, body.reason, now_s, actor.name)
        audit.record(rows, actor.name, "rollout.approve", rollout_id, None, approval, body.reason, now_s)
        return _shown(rows, rollout_id, now_s)

    return await services.write(work)


@router.post("/rollouts/{rollout_id}/{change}")
async def change_rollout(
    services: ServicesDependency, actor: Operator, rollout_id: str, change: Change, body: ChangeIn
) -> RolloutOut:
    """Pause, resume or halt a rollout; of a halt, `roll_back` and `recall` may be asked later, too."""
    wish = Wish(roll_back=body.roll_back, recall=body.recall)
    asks_more = wish.roll_back or wish.recall
    if asks_more and change is not Change.HALT:
        raise Refused("refused-request-format", f"Nothing is rolled back or recalled to {change} a rollout: halt it.")

    def work(rows: Rows) -> RolloutOut:
        now_s = services.now_s()
        before = rows.get(Rollout, rollout_id)
        if change is Change.HALT:
            url = services.fleet.public_url
            halt_as_asked(rows, rollout_id, body.reason, wish, now_s, actor.name, url)
        else:
            _CHANGES[change](rows, rollout_id, body.reason, now_s, actor.name)
        after = _shown(rows, rollout_id, now_s)
        old = before and {"state": before.state}
        new = {"state": after.state} | ({"roll_back": wish.roll_back, "recall": wish.recall} if asks_more else {})
        audit.record(rows, actor.name, f"rollout.{change}", rollout_id, old, new, body.reason, now_s)
        return after

    return await services.write(work)


def _shown(rows: Rows, rollout_id: str, now_s: float) -> RolloutOut:
    found = progress(rows, rollout_id, now_s)
    return RolloutOut.of(found, gate_view(rows, rollout_id), rollout_detail(rows, found.rollout))
