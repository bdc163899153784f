"""Robots and the keys they trust, for operators."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from surefoot.fleet.keys import trust_key
from surefoot.fleet.model import Key, Robot
from surefoot.fleet.ports import Rows
from surefoot.fleet.robots import enrol_robot, list_robots, robot_status
from surefoot.server.dependencies import ServicesDependency
from surefoot.server.operator_robot_models import (
    EnrolledOut,
    KeyIn,
    KeyOut,
    KeysOut,
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


@router.get("/robots", tags=["robots"])
async def get_robots(
    services: ServicesDependency,
    after: Annotated[str, Query(max_length=limits.ROBOT_ID_CHARS_MAX)] = "",
    limit: Annotated[int, Query(ge=1, le=ROBOTS_PER_PAGE_MAX)] = 100,
) -> RobotsOut:
    """List robots in order of id, a page at a time."""
    found = await services.read(lambda rows: list_robots(rows, after, limit, services.now_s()))
    next_after = found[-1].robot.robot_id if len(found) == limit else None
    return RobotsOut(robots=[RobotOut.of(status) for status in found], next_after=next_after)


@router.post("/robots", tags=["robots"], status_code=201)
async def post_robot(services: ServicesDependency, body: RobotIn, response: Response) -> EnrolledOut:
    """Enrol a robot. The answer holds its token, unless the request named the SHA-256 of one."""
    token = None if body.token_sha256 else new_token()
    kept = body.token_sha256 or token_sha256(token or "")

    def work(rows: Rows) -> Robot:
        if rows.robot_by_token(kept) is not None:
            raise Refused("refused-token-exists", "Another robot has this token: make one for each robot.")
        return enrol_robot(rows, body.robot_id, body.sku, kept, services.now_s())

    await services.write(work)
    response.headers["Cache-Control"] = "no-store"
    return EnrolledOut(robot_id=body.robot_id, sku=body.sku, token=token)


@router.get("/robots/{robot_id}", tags=["robots"])
async def get_robot(services: ServicesDependency, robot_id: str) -> RobotDetailOut:
    """Show one robot with its latest report and its history."""
    return RobotDetailOut.of(await services.read(lambda rows: robot_status(rows, robot_id, services.now_s())))


@router.get("/keys", tags=["keys"])
async def get_keys(services: ServicesDependency) -> KeysOut:
    """List the signing keys."""
    return KeysOut(keys=[KeyOut.of(key) for key in await services.read(lambda rows: rows.find(Key))])


@router.post("/keys", tags=["keys"], status_code=201)
async def post_key(services: ServicesDependency, body: KeyIn) -> KeyOut:
    """Trust a public key; doing it again changes nothing."""
    der = body.der()
    return KeyOut.of(await services.write(lambda rows: trust_key(rows, body.name, der, services.now_s())))
