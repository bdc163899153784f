"""Rollouts, for operators."""

import secrets
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter

from surefoot.fleet import audit
from surefoot.fleet.approvals import approve_phase
from surefoot.fleet.gate_view import gate_view
from surefoot.fleet.model import Rollout
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollouts import (
    RolloutProgress,
    halt_rollout,
    pause_rollout,
    progress,
    resume_rollout,
    start_rollout,
)
from surefoot.fleet.waiting import waiting
from surefoot.rollout.plan import default_plan
from surefoot.rollout.plan_format import plan_from_object
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.permissions import Actor, Permission, needs
from surefoot.server.operators.plan_models import ApprovalIn, WaitingOut
from surefoot.server.operators.release_models import ReasonIn, RolloutIn, RolloutOut, RolloutsOut

SALT_BYTES = 16

Operator = Annotated[Actor, needs(Permission.OPERATE)]

router = APIRouter(tags=["rollouts"])


class Change(StrEnum):
    """What an operator can do to a rollout."""

    PAUSE = "pause"
    RESUME = "resume"
    HALT = "halt"


CHANGES = {Change.PAUSE: pause_rollout, Change.RESUME: resume_rollout, Change.HALT: halt_rollout}


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
    rollout_id, salt = services.new_id(), secrets.token_bytes(SALT_BYTES)

    def work(rows: Rows) -> RolloutOut:
        now_s = services.now_s()
        started = start_rollout(rows, body.release_id, plan, rollout_id, salt, now_s, who=actor.name)
        audit.record(rows, actor.name, "rollout.start", rollout_id, None, started, None, now_s)
        return _shown(rows, rollout_id, now_s)

    return await services.write(work)


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
    services: ServicesDependency, actor: Operator, rollout_id: str, change: Change, body: ReasonIn
) -> RolloutOut:
    """Pause, resume or halt a rollout."""

    def work(rows: Rows) -> RolloutOut:
        now_s = services.now_s()
        before = rows.get(Rollout, rollout_id)
        CHANGES[change](rows, rollout_id, body.reason, now_s, actor.name)
        after = _shown(rows, rollout_id, now_s)
        old_state, new_state = before and {"state": before.state}, {"state": after.state}
        audit.record(rows, actor.name, f"rollout.{change}", rollout_id, old_state, new_state, body.reason, now_s)
        return after

    return await services.write(work)


def _shown(rows: Rows, rollout_id: str, now_s: float) -> RolloutOut:
    return RolloutOut.of(progress(rows, rollout_id, now_s), gate_view(rows, rollout_id))
