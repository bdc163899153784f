"""Our own Jobs service as an agent reaches it without a network: an AWS whose record can be compared with the robot."""

import json
from typing import Any

from surefoot.fleet.aws_requests import parse_topic
from surefoot.fleet.aws_service import answer
from surefoot.fleet.aws_stream_access import streamed
from surefoot.fleet.aws_streams import StreamError, read_get
from surefoot.fleet.image_signatures import ImageSignature
from surefoot.fleet.model import Release, Robot
from surefoot.fleet.settings import FleetSettings
from surefoot.shell.aws_transport import AwsTransport
from surefoot.shell.ports import Download
from surefoot.sim.ground import SimFleet
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.report import Report

SETTINGS = FleetSettings(public_url="https://fleet.test")


class NoHttps:
    """A way that is not there. Fills `shell.ports.Transport`."""

    def exchange(self, report: Report) -> Any:
        raise AssertionError("nobody is asked over HTTPS")

    def open(self, url: str, sha256: str, first_byte: int) -> Download:
        raise AssertionError("nothing is fetched over HTTPS")


class BridgeLink:
    """One robot's connection. Fills `shell.aws_transport.JobsLink`; `loses` are answers that never arrive."""

    def __init__(self, fleet: "AwsFleet", robot: Robot) -> None:
        self.fleet, self.robot = fleet, robot
        self.updates: list[dict[str, Any]] = []
        self.in_hand: str | None = None
        self.loses = 0

    def ask(self, suffix: str, body: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
        topic = parse_topic(f"$aws/things/{self.robot.robot_id}/jobs/{suffix}")
        assert topic is not None
        if suffix.endswith("/update"):
            self.updates.append(body)
        new_id = self.fleet.new_id
        told = self.fleet.store.submit(
            lambda rows: answer(rows, self.robot, topic, json.dumps(body).encode(), self.fleet.now_s, SETTINGS, new_id)
        ).result()
        if self.loses:
            self.loses -= 1
            raise Interrupted("server-unreachable", "The answer gets lost.")
        return told[0].topic.endswith("/accepted"), json.loads(told[0].payload)

    def blocks(self, stream: str, request: dict[str, Any], count: int) -> list[bytes]:
        try:
            found = self.fleet.store.read(lambda rows: streamed(rows, self.robot.robot_id, stream))
            blocks = read_get(request, found.delivery.size_bytes, found.release.size_bytes)
        except StreamError as error:
            raise Refused("refused-image-gone", error.message) from error
        first, size_bytes = found.part(blocks.file_id)
        ranges = list(blocks.ranges(size_bytes))
        assert len(ranges) == count
        return [self.fleet.blobs.read(found.release.sha256, first + begin, length) for _, begin, length in ranges]

    def work_on(self, job_id: str | None) -> None:
        self.in_hand = job_id


class AwsFleet(SimFleet):
    """A fleet whose robots come by AWS IoT Jobs, to our own service."""

    def new_id(self) -> str:
        return f"assignment-{next(self._ids)}"

    def publish(self, image: bytes, version: str, *, version_floor: str | None = None) -> Release:
        release = super().publish(image, version, version_floor=version_floor)
        signature = ImageSignature(release_id=release.release_id, key_id=release.key_id, der=bytes(70))
        self.store.submit(lambda rows: rows.put(signature)).result()
        return release

    def enrol_by_jobs(self, robot_id: str) -> tuple[AwsTransport, BridgeLink]:
        super().enrol(robot_id)
        robot = self.store.read(lambda rows: rows.robot(robot_id))
        assert robot is not None
        link = BridgeLink(self, robot)
        return AwsTransport(link, NoHttps(), lambda _: None), link

    def enrol(self, robot_id: str) -> Any:
        return self.enrol_by_jobs(robot_id)[0]
