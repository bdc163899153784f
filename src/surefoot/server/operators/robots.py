"""Robots, for operators."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Response

from surefoot.fleet import audit
from surefoot.fleet.broker_access import SALT_BYTES, give_password, password_hash
from surefoot.fleet.model import Robot
from surefoot.fleet.ports import Rows
from surefoot.fleet.robots import enrol_robot, robot_status, robots_beginning
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.permissions import Actor, Permission, needs
from surefoot.server.operators.robot_models import (
    EnrolledOut,
    RobotDetailOut,
    RobotIn,
    RobotOut,
    RobotsOut,
)
from surefoot.server.tokens import new_token, token_sha256
from surefoot.wire import limits
from surefoot.wire.errors import Refused

ROBOTS_PER_PAGE_MAX = 1000

router = APIRouter()


@router.get("/robots", tags=["robots"], dependencies=[needs(Permission.READ)])
async def get_robots(
    services: ServicesDependency,
    after: Annotated[str, Query(max_length=limits.ROBOT_ID_CHARS_MAX)] = "",
    limit: Annotated[int, Query(ge=1, le=ROBOTS_PER_PAGE_MAX)] = 100,
    beginning: Annotated[str, Query(max_length=limits.ROBOT_ID_CHARS_MAX)] = "",
) -> RobotsOut:
    """List robots in order of id, a page at a time: all, or those whose ids begin so."""
    found = await services.read(lambda rows: robots_beginning(rows, beginning, after, limit, services.now_s()))
    next_after = found[-1].robot.robot_id if len(found) == limit else None
    return RobotsOut(robots=[RobotOut.of(status) for status in found], next_after=next_after)


@router.post("/robots", tags=["robots"], status_code=201)
async def post_robot(
    services: ServicesDependency,
    actor: Annotated[Actor, needs(Permission.OPERATE)],
    body: RobotIn,
    response: Response,
) -> EnrolledOut:
    """Enrol a robot. The answer holds its token, unless the request named the SHA-256 of one."""
    token = None if body.token_sha256 else new_token()
    kept = body.token_sha256 or token_sha256(token or "")
    hashed = body.broker_password_hash if token is None else password_hash(token, secrets.token_bytes(SALT_BYTES))

    def work(rows: Rows) -> Robot:
        if rows.robot_by_token(kept) is not None:
            raise Refused("refused-token-exists", "Another robot has this token: make one for each robot.")
        robot = enrol_robot(rows, body.robot_id, body.sku, kept, services.now_s())
        if hashed is not None:
            give_password(rows, body.robot_id, kept, hashed)
        audit.record(rows, actor.name, "robot.enrol", body.robot_id, None, robot, None, services.now_s())
        return robot

    await services.write(work)
    response.headers["Cache-Control"] = "no-store"
    return EnrolledOut(robot_id=body.robot_id, sku=body.sku, token=token)


@router.get("/robots/{robot_id}", tags=["robots"], dependencies=[needs(Permission.READ)])
async def get_robot(services: ServicesDependency, robot_id: str) -> RobotDetailOut:
    """Show one robot with its latest report and its history."""
    return RobotDetailOut.of(await services.read(lambda rows: robot_status(rows, robot_id, services.now_s())))
