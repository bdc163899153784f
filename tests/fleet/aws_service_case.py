"""The Jobs service of a fleet in memory, as one device reaches it."""

import json
from typing import Any

from fleet.aws_agent import AgentV3
from fleet.fleet_case import SETTINGS, FleetCase
from surefoot.fleet.aws_requests import parse_topic
from surefoot.fleet.aws_service import answer
from surefoot.fleet.image_signatures import ImageSignature
from surefoot.fleet.model import Robot
from surefoot.rollout.plan import Phase, Plan

OLD, NEW = 0x00020000, 0x00020001
PATIENT = Plan(phases=(Phase(name="full", percent=100, soak_s=0),), attempts_max=5, ramp=None)


class Service:
    """The Jobs service, as one device reaches it."""

    def __init__(self, fleet: FleetCase, robot: Robot) -> None:
        self.fleet, self.robot = fleet, robot
        self.rejections: list[dict[str, Any]] = []

    def ask(self, suffix: str, body: dict[str, Any]) -> dict[str, Any]:
        topic = parse_topic(f"$aws/things/{self.robot.robot_id}/jobs/{suffix}")
        assert topic is not None
        self.fleet.now_s += 1
        replies = self.fleet.run(
            lambda rows: answer(
                rows, self.robot, topic, json.dumps(body).encode(), self.fleet.now_s, SETTINGS, self.fleet.new_id
            )
        )
        value: dict[str, Any] = json.loads(replies[0].payload)
        if replies[0].topic.endswith("/rejected"):
            self.rejections.append(value)
        return value


def device_on(fleet: FleetCase, robot_id: str = "robot-1", **device: Any) -> tuple[Service, AgentV3]:
    release = fleet.release("0.2.1")
    fleet.run(lambda rows: rows.put(ImageSignature(release_id=release.release_id, key_id="aa" * 32, der=b"der")))
    fleet.start("0.2.1", PATIENT)
    service = Service(fleet, fleet.enrol(robot_id).robot)
    return service, AgentV3(ask=service.ask, running=OLD, offered=NEW, **device)
