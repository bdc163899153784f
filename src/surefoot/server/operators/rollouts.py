"""Rollouts, for operators."""

import secrets
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter

from surefoot.fleet import audit
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
from surefoot.rollout.plan import default_plan, plan_from_object
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.permissions import Actor, Permission, needs
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

    def work(rows: Rows) -> RolloutProgress:
        now_s = services.now_s()
        started = start_rollout(rows, body.release_id, plan, rollout_id, salt, now_s, who=actor.name)
        audit.record(rows, actor.name, "rollout.start", rollout_id, None, started, None, now_s)
        return progress(rows, rollout_id, now_s)

    return RolloutOut.of(await services.write(work))


@router.get("/rollouts/{rollout_id}", dependencies=[needs(Permission.READ)])
async def get_rollout(services: ServicesDependency, rollout_id: str) -> RolloutOut:
    """Show where a rollout stands."""
    return RolloutOut.of(await services.read(lambda rows: progress(rows, rollout_id, services.now_s())))


@router.post("/rollouts/{rollout_id}/{change}")
async def change_rollout(
    services: ServicesDependency, actor: Operator, rollout_id: str, change: Change, body: ReasonIn
) -> RolloutOut:
    """Pause, resume or halt a rollout."""

    def work(rows: Rows) -> RolloutProgress:
        now_s = services.now_s()
        before = rows.get(Rollout, rollout_id)
        CHANGES[change](rows, rollout_id, body.reason, now_s, actor.name)
        after = progress(rows, rollout_id, now_s)
        old_state, new_state = before and {"state": before.state}, {"state": after.rollout.state}
        audit.record(rows, actor.name, f"rollout.{change}", rollout_id, old_state, new_state, body.reason, now_s)
        return after

    return RolloutOut.of(await services.write(work))
