"""Pushes to devices made for AWS IoT Jobs: who waits for `notify-next` never asks by itself.

Such a device does not say whether it is there, but the broker says whether anybody heard a message. So a call first
tells it what it knows already, and only who heard that is given the job and the place that goes with it.
"""

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from surefoot.fleet.aws_device import meet
from surefoot.fleet.aws_jobs import JobsDevice
from surefoot.fleet.aws_service import Message, next_notice, notices
from surefoot.fleet.ports import Rows
from surefoot.server.mqtt.aws import EXPIRY_S, publish
from surefoot.server.mqtt.client import MqttClient
from surefoot.server.services import Services

# Devices pushed to side by side.
TOGETHER = 50
# New devices looked for at once, after the first look.
FEW = 100


@dataclass(frozen=True, slots=True)
class Either(Collection[str]):
    """The robots of two sets, without a copy of them."""

    first: Collection[str]
    second: Collection[str]

    def __contains__(self, robot_id: object) -> bool:
        """Whether one of them has it."""
        return robot_id in self.first or robot_id in self.second

    def __iter__(self) -> Iterator[str]:
        """Yield all, those in both twice."""
        yield from self.first
        yield from self.second

    def __len__(self) -> int:
        """Return how many there are at most."""
        return len(self.first) + len(self.second)


class JobsPusher:
    """The part of pushing that is for these devices.

    Args:
        services: What it works with.
        client: Where notices are published.
    """

    def __init__(self, services: Services, client: MqttClient) -> None:
        self._services = services
        self._client = client
        self._devices: set[str] = set()

    async def learn(self) -> None:
        """Learn of devices that asked for the first time."""

        def work(rows: Rows) -> set[str]:
            newest = rows.find(JobsDevice, newest_first=True, limit=FEW)
            if len(newest) == FEW and newest[-1].robot_id not in self._devices:
                newest = rows.find(JobsDevice)
            return {device.robot_id for device in newest}

        self._devices |= await self._services.read(work)

    def reachable(self, online: Collection[str]) -> Collection[str]:
        """Return those that may be there: who is online, and these devices."""
        return Either(online, self._devices)

    async def call(self, robot_ids: Collection[str]) -> None:
        """Give those of them that hear it what they should do now; raise `Interrupted`."""
        await self._each(robot_ids, is_call=True)

    async def recall(self, robot_ids: Collection[str]) -> None:
        """Take back from them what they should not do any more; raise `Interrupted`."""
        await self._each(robot_ids, is_call=False)

    async def _each(self, robot_ids: Collection[str], *, is_call: bool) -> None:
        devices = [robot_id for robot_id in robot_ids if robot_id in self._devices]
        for first in range(0, len(devices), TOGETHER):
            batch = devices[first : first + TOGETHER]
            await asyncio.gather(*(self._push(robot_id, is_call=is_call) for robot_id in batch))

    async def _push(self, robot_id: str, *, is_call: bool) -> None:
        services = self._services
        if is_call:
            known = await services.read(lambda rows: next_notice(rows, robot_id, services.now_s(), services.fleet))
            if not await self._client.publish(known.topic, known.payload, expiry_s=EXPIRY_S):
                return

        def work(rows: Rows) -> list[Message]:
            robot, now_s = rows.robot(robot_id), services.now_s()
            if robot is None:
                return []
            jobs = meet(rows, robot, now_s, services.fleet, services.new_id, heard=is_call)
            return notices(robot_id, jobs, now_s, services.fleet)

        await publish(self._client, await services.write(work, about=robot_id))
