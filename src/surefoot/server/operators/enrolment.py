"""One-time codes for robots, and the end of their credentials, for operators."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from surefoot.fleet import audit
from surefoot.fleet.enrolment import make_code, revoke
from surefoot.fleet.ports import Rows
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.models import Model
from surefoot.server.operators.permissions import Actor, Permission, needs
from surefoot.server.tokens import new_token, token_sha256
from surefoot.wire import limits
from surefoot.wire.errors import Refused

router = APIRouter(tags=["robots"])


class EnrolmentCodeIn(Model):
    """A robot that is to enrol."""

    robot_id: str = Field(max_length=limits.ROBOT_ID_CHARS_MAX)
    sku: str = Field(max_length=limits.NAME_CHARS_MAX)


class EnrolmentCodeOut(Model):
    """Its code, shown this once."""

    robot_id: str
    sku: str
    code: str
    expires_at_s: float


class RevocationIn(Model):
    """Why a robot's credentials end."""

    reason: str = Field(max_length=1000)


class RevocationOut(Model):
    """A robot without credentials."""

    robot_id: str


@router.post("/enrolment-codes", status_code=201)
async def post_enrolment_code(
    services: ServicesDependency,
    actor: Annotated[Actor, needs(Permission.OPERATE)],
    body: EnrolmentCodeIn,
    response: Response,
) -> EnrolmentCodeOut:
    """Make a code with which this robot can enrol once; its earlier codes end."""
    code, now_s = new_token(), services.now_s()
    expires_at_s = now_s + services.settings.enrolment_code_s

    def work(rows: Rows) -> None:
        make_code(rows, token_sha256(code), body.robot_id, body.sku, expires_at_s, now_s)
        after = {"sku": body.sku, "expires_at_s": expires_at_s}
        audit.record(rows, actor.name, "robot.invite", body.robot_id, None, after, None, now_s)

    await services.write(work)
    response.headers["Cache-Control"] = "no-store"
    return EnrolmentCodeOut(robot_id=body.robot_id, sku=body.sku, code=code, expires_at_s=expires_at_s)


@router.post("/robots/{robot_id}/revoke")
async def post_revocation(
    services: ServicesDependency,
    actor: Annotated[Actor, needs(Permission.OPERATE)],
    robot_id: str,
    body: RevocationIn,
) -> RevocationOut:
    """End the robot's token, certificates and codes; a new code lets it back in."""
    if not body.reason.strip():
        raise Refused("refused-reason-missing", "This change needs a reason: say why, for whoever reads it later.")
    nobodys, now_s = token_sha256(new_token()), services.now_s()

    def work(rows: Rows) -> None:
        revoke(rows, robot_id, nobodys, now_s)
        audit.record(rows, actor.name, "robot.revoke", robot_id, None, None, body.reason, now_s)

    await services.write(work)
    return RevocationOut(robot_id=robot_id)
