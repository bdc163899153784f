"""Pins and time zones of robots, for operators."""

from typing import Annotated

from fastapi import APIRouter

from surefoot.fleet import audit
from surefoot.fleet.pins import Pin, pin_robot, unpin_robot
from surefoot.fleet.ports import Rows
from surefoot.fleet.zones import RobotZone, set_zone
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.permissions import Actor, Permission, needs
from surefoot.server.operators.plan_models import PinIn, PinOut, PinsOut, ZoneModel

Operator = Annotated[Actor, needs(Permission.OPERATE)]

router = APIRouter(tags=["robots"])


@router.get("/pins", dependencies=[needs(Permission.READ)])
async def get_pins(services: ServicesDependency) -> PinsOut:
    """List the robots that a person keeps from rollouts."""
    found = await services.read(lambda rows: rows.find(Pin))
    return PinsOut(pins=[PinOut.of(pin) for pin in found])


@router.post("/robots/{robot_id}/pin")
async def post_pin(services: ServicesDependency, actor: Operator, robot_id: str, body: PinIn) -> PinOut:
    """Keep a robot from every release, or from every one but the named one."""

    def work(rows: Rows) -> Pin:
        now_s = services.now_s()
        before = rows.get(Pin, robot_id)
        pin = pin_robot(rows, robot_id, body.release_id, body.reason, now_s, actor.name)
        audit.record(rows, actor.name, "robot.pin", robot_id, before, pin, body.reason, now_s)
        return pin

    return PinOut.of(await services.write(work))


@router.delete("/robots/{robot_id}/pin")
async def delete_pin(services: ServicesDependency, actor: Operator, robot_id: str) -> PinOut:
    """Let rollouts reach a pinned robot again; the answer shows the pin it had."""

    def work(rows: Rows) -> Pin:
        now_s = services.now_s()
        pin = unpin_robot(rows, robot_id, now_s)
        audit.record(rows, actor.name, "robot.unpin", robot_id, pin, None, None, now_s)
        return pin

    return PinOut.of(await services.write(work))


@router.post("/robots/{robot_id}/time-zone")
async def post_time_zone(services: ServicesDependency, actor: Operator, robot_id: str, body: ZoneModel) -> ZoneModel:
    """Say in which time zone a robot stands, for maintenance windows."""

    def work(rows: Rows) -> None:
        now_s = services.now_s()
        before = rows.get(RobotZone, robot_id)
        after = set_zone(rows, robot_id, body.zone, now_s)
        audit.record(rows, actor.name, "robot.time_zone", robot_id, before, after, None, now_s)

    await services.write(work)
    return body
