"""Taking a release back, for operators."""

import secrets
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from surefoot.fleet import audit
from surefoot.fleet.model import Release
from surefoot.fleet.ports import Rows
from surefoot.fleet.recall import Recalled, recall_release
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.models import Model
from surefoot.server.operators.permissions import Actor, Permission, needs
from surefoot.server.operators.release_models import ReleaseOut
from surefoot.server.operators.rollouts import SALT_BYTES

Operator = Annotated[Actor, needs(Permission.OPERATE)]

router = APIRouter(tags=["releases"])


class RecallIn(Model):
    """Why a release is taken back, and whether robots that run it are led back to what they ran before."""

    reason: str = Field(default="", max_length=500)
    roll_back: bool = False


class RecallOut(Model):
    """The recalled release, the rollouts that halted with it, and the rollout that leads its robots back, if any."""

    release: ReleaseOut
    halted_rollout_ids: list[str]
    way_back_rollout_id: str | None


@router.post("/releases/{release_id}/recall")
async def post_recall(services: ServicesDependency, actor: Operator, release_id: str, body: RecallIn) -> RecallOut:
    """Take a release back: nobody is offered it or served its file again. Doing it again changes nothing."""

    def work(rows: Rows) -> Recalled:
        now_s = services.now_s()
        before = rows.get(Release, release_id)
        recalled = recall_release(
            rows,
            release_id,
            body.reason,
            now_s,
            public_url=services.fleet.public_url,
            who=actor.name,
            new_salt=lambda: secrets.token_bytes(SALT_BYTES),
            roll_back=body.roll_back,
        )
        old = None if before is None else {"recalled_at_s": before.recalled_at_s}
        back_id = None if recalled.way_back is None else recalled.way_back.rollout_id
        new = {"recalled_at_s": recalled.release.recalled_at_s, "way_back_rollout_id": back_id}
        audit.record(rows, actor.name, "release.recall", release_id, old, new, body.reason, now_s)
        return recalled

    recalled = await services.write(work)
    return RecallOut(
        release=ReleaseOut.of(recalled.release),
        halted_rollout_ids=[rollout.rollout_id for rollout in recalled.halted],
        way_back_rollout_id=None if recalled.way_back is None else recalled.way_back.rollout_id,
    )
