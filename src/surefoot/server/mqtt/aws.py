"""AWS IoT Jobs over MQTT: what devices made for it ask, answered from the fleet's assignments.

The broker vouches for who publishes on a thing's topics. Mosquitto hands nothing on that begins with `$aws` to shared
subscriptions, so every process of the server hears every request, and the one that keeps the device answers
(`server.mqtt.aws_turns`). A request is acknowledged to the broker once it was answered: what comes while the server is
away waits there, because a device that tests a new image goes back to the old one when nobody answers in 16 s.
"""

import time
from collections.abc import Awaitable

from surefoot.fleet.aws_jobs import JobsDevice
from surefoot.fleet.aws_requests import JobsTopic, parse_topic
from surefoot.fleet.aws_service import Message, answer, failed
from surefoot.fleet.aws_stream_access import parse_stream_topic
from surefoot.fleet.ports import Rows
from surefoot.server.mqtt.aws_streams import AwsStreams
from surefoot.server.mqtt.aws_turns import Turns
from surefoot.server.mqtt.client import MqttClient
from surefoot.server.mqtt.ingest import STRANGE_TOPIC, BadMessage, known_robot
from surefoot.server.services import Services
from surefoot.wire.errors import Interrupted, SurefootError

JOBS = "jobs"
# Narrow ones: the server would hear its own answers by wider ones.
FILTERS = (
    "$aws/things/+/jobs/get",
    "$aws/things/+/jobs/start-next",
    "$aws/things/+/jobs/+/get",
    "$aws/things/+/jobs/+/update",
    "$aws/things/+/streams/+/get/+",
    "$aws/things/+/streams/+/describe/+",
)
# A device that was away for longer asks again.
EXPIRY_S = 60


class AwsBridge:
    """Answers requests, each at least once.

    Args:
        services: What it works with.
        client: Where answers are published.
        turns: Knows which devices this process answers.
    """

    def __init__(self, services: Services, client: MqttClient, turns: Turns) -> None:
        self._services = services
        self._client = client
        self._turns = turns
        self._figures = services.metrics.mqtt
        self._streams = AwsStreams(services, client)
        # Devices that this process knows to be stored as such.
        self._known: set[str] = set()

    async def take(self, topic: str, payload: bytes) -> None:
        """Take one request, and return once it was answered; raise `Interrupted` when store or broker is away."""
        jobs, stream = parse_topic(topic), parse_stream_topic(topic)
        asked = jobs or stream
        if asked is None:
            self._figures.refused(STRANGE_TOPIC, topic, "Nobody answers there.")
            return
        # What is streamed is asked for again soon, and changes nothing.
        if await self._turns.mine(asked.thing, None if jobs is None else (topic, payload)):
            if jobs is not None:
                await self._counted(JOBS, jobs.thing, self._answer(jobs, payload))
            elif stream is not None:
                await self._counted("streams", stream.thing, self._streams.answer(stream, payload))

    async def run(self) -> None:
        """Answer what processes that went left unanswered, until cancelled."""
        while True:
            for topic, payload in await self._turns.inherited():
                jobs = parse_topic(topic)
                if jobs is not None:
                    await self._counted(JOBS, jobs.thing, self._answer(jobs, payload))

    async def _counted(self, kind: str, thing: str, work: Awaitable[None]) -> None:
        began_s = time.perf_counter()
        try:
            await work
        except BadMessage as error:
            self._figures.refused(error.reason, thing, str(error))
        else:
            self._figures.messages.labels(kind).inc()
            self._figures.seconds.labels(kind).observe(time.perf_counter() - began_s)

    async def _answer(self, topic: JobsTopic, payload: bytes) -> None:
        services = self._services

        def work(rows: Rows) -> list[Message]:
            robot, now_s = known_robot(rows, topic.thing), services.now_s()
            if topic.thing not in self._known and rows.get(JobsDevice, topic.thing) is None:
                rows.put(JobsDevice(robot_id=topic.thing, sku=robot.sku, since_s=now_s))
            return answer(rows, robot, topic, payload, now_s, services.fleet, services.new_id)

        try:
            messages = await services.write(work, about=topic.thing)
            self._known.add(topic.thing)
        except Interrupted:
            raise
        except SurefootError as error:
            # Said to nobody, the device would wait until it resets.
            messages = [failed(topic, payload, f"{error.message} [{error.code}]", services.now_s())]
        await publish(self._client, messages)


async def publish(client: MqttClient, messages: list[Message]) -> None:
    """Publish in this order, after the transaction that they come from; raise `Interrupted` (`interrupted-broker`)."""
    sent = [client.publish(message.topic, message.payload, expiry_s=EXPIRY_S) for message in messages]
    for acknowledged in sent:
        await acknowledged
