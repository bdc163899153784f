"""What robots say over MQTT that must not be lost: reports, health windows, and whether they are online.

The broker has made sure who a robot is, and it is looked at again here: a topic's id must be the payload's, and the
robot one of the fleet that was not revoked. Whatever is wrong with a message is counted by its reason, and the next one
is taken. A report goes the way of POST /v1/report, and its answer, or why it was refused, to the robot's command topic.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from surefoot.fleet.enrolment import REVOKED
from surefoot.fleet.exchange import exchange
from surefoot.fleet.health import take_health
from surefoot.fleet.model import Robot
from surefoot.fleet.ports import Rows
from surefoot.fleet.presence import take_online
from surefoot.server.mqtt.allowance import Allowance
from surefoot.server.mqtt.answers import publish_answer, publish_refusal
from surefoot.server.mqtt.client import MqttClient
from surefoot.server.services import Services
from surefoot.wire import limits
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.health import parse_health
from surefoot.wire.offer import Answer
from surefoot.wire.report import parse_report
from surefoot.wire.topics import HEALTH, IS_OFFLINE, IS_ONLINE, ONLINE, REPORT, robot_topic

TOO_LARGE = "too-large"
MALFORMED = "malformed"
MISMATCH = "robot-mismatch"
UNKNOWN = "unknown-robot"
REVOKED_ROBOT = "revoked-robot"
STRANGE_TOPIC = "strange-topic"
TOO_MANY = "too-many"

# The windows of hours that waited while a robot or the store was away, and more reports than any update takes.
MOST, PERIOD_S = 600, 60.0

# What HTTPS calls by its code and this counts by its name.
REASONS = {"refused-robot-mismatch": MISMATCH, "refused-body-too-large": TOO_LARGE}

BYTES_MAX = {REPORT: limits.REPORT_BYTES_MAX, HEALTH: limits.HEALTH_BYTES_MAX, ONLINE: 1}
# Nobody is online whose retained word was cleared.
ONLINE_WORDS = {IS_ONLINE: True, IS_OFFLINE: False, b"": False}


class BadMessage(Exception):
    """A message that does not count, and by what reason."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Watcher(Protocol):
    """Who wants to hear which robots are online."""

    def set_online(self, robot_id: str, online: bool) -> None:
        """Take that a robot of the fleet came online or went offline."""


class Ingest:
    """Takes messages, each at least once; what came twice counts once.

    Args:
        services: What it works with.
        client: Where answers are published.
        watcher: Who hears which robots are online.
        monotonic_s: A clock that never steps.
    """

    def __init__(
        self,
        services: Services,
        client: MqttClient,
        watcher: Watcher,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._services = services
        self._client = client
        self._watcher = watcher
        self._monotonic_s = monotonic_s
        self._allowance = Allowance(MOST, PERIOD_S)
        self._figures = services.metrics.mqtt
        # As robots said it last, and of those of the fleet who is there.
        self._online: dict[str, bool] = {}
        self._there: set[str] = set()
        self._returned: set[str] = set()
        # What this process knows to be stored.
        self._stored: dict[str, bool] = {}
        self._takers: dict[str, Callable[[str, bytes], Awaitable[None]]] = {
            REPORT: self._take_report,
            HEALTH: self._take_health,
            ONLINE: self._take_online,
        }

    def online(self) -> set[str]:
        """Return the robots that are online."""
        return self._there

    def take_returned(self) -> set[str]:
        """Return the robots that said they are online since the last call: what they were told before may be lost."""
        returned, self._returned = self._returned, set()
        return returned

    async def take(self, topic: str, payload: bytes) -> None:
        """Take one message, and return once it is durable; raise `Interrupted` when the store or the broker is away."""
        robot_id, leaf = robot_topic(topic) or ("", "")
        began_s = time.perf_counter()
        try:
            if leaf not in self._takers:
                raise BadMessage(STRANGE_TOPIC, "Nobody listens there.")
            if not self._allowance.takes(robot_id, self._monotonic_s()):
                raise BadMessage(TOO_MANY, f"More than {MOST} within {PERIOD_S:.0f} s are not taken.")
            await self._takers[leaf](robot_id, payload)
        except BadMessage as error:
            self._figures.refused(error.reason, robot_id, str(error))
        except Interrupted:
            # It comes again, however long that takes.
            self._allowance.gives_back(robot_id)
            raise
        except Refused as error:
            reason = MALFORMED if error.code.endswith("-format") else REASONS.get(error.code, error.code)
            self._figures.refused(reason, robot_id, error.message)
        else:
            self._figures.messages.labels(leaf).inc()
            self._figures.seconds.labels(leaf).observe(time.perf_counter() - began_s)

    async def _take_report(self, robot_id: str, payload: bytes) -> None:
        services, report = self._services, None
        try:
            check_size(REPORT, payload)
            said = report = parse_report(payload)

            def work(rows: Rows) -> Answer:
                robot = known_robot(rows, robot_id)
                return exchange(rows, robot, said, services.now_s(), services.fleet, services.new_id)

            answer = await services.write(work, about=robot_id)
        except Refused as refusal:
            await publish_refusal(self._client, robot_id, refusal, report)
            raise
        await publish_answer(self._client, answer, said)

    async def _take_health(self, robot_id: str, payload: bytes) -> None:
        check_size(HEALTH, payload)
        window = parse_health(payload)
        check_own(robot_id, window.robot_id)

        def work(rows: Rows) -> None:
            known_robot(rows, robot_id)
            take_health(rows, robot_id, window, self._services.now_s())

        await self._services.write(work, about=robot_id)

    async def _take_online(self, robot_id: str, payload: bytes) -> None:
        check_size(ONLINE, payload)
        online = ONLINE_WORDS.get(payload)
        if online is None:
            raise BadMessage(MALFORMED, "It is neither 1 nor 0.")
        self._online[robot_id] = online
        if self._stored.get(robot_id) is not online:
            await self._services.write(lambda rows: self._store_online(rows, robot_id), about=robot_id)
            self._stored[robot_id] = online
        if self._online[robot_id]:
            self._there.add(robot_id)
            self._returned.add(robot_id)
        else:
            self._there.discard(robot_id)
        self._watcher.set_online(robot_id, self._online[robot_id])

    def _store_online(self, rows: Rows, robot_id: str) -> None:
        # Who was revoked is cut off, and that is no silence.
        if self._online[robot_id]:
            known_robot(rows, robot_id)
        # Stored late it must not undo what came since.
        take_online(rows, robot_id, self._online[robot_id], self._services.now_s())


def check_size(leaf: str, payload: bytes) -> None:
    """Refuse a message of more bytes than its topic takes: `refused-body-too-large`."""
    if len(payload) > BYTES_MAX[leaf]:
        detail = f"It has {len(payload)} bytes: at most {BYTES_MAX[leaf]} are taken."
        raise Refused("refused-body-too-large", detail)


def check_own(robot_id: str, named: str) -> None:
    """Raise `BadMessage` when a message names another robot than the topic it came on."""
    if named != robot_id:
        raise BadMessage(MISMATCH, f"It names {named}: each robot speaks for itself.")


def known_robot(rows: Rows, robot_id: str) -> Robot:
    """Return the robot if it is one of the fleet whose credentials were not revoked; raise `BadMessage` otherwise."""
    robot = rows.robot(robot_id)
    if robot is None:
        raise BadMessage(UNKNOWN, "The fleet has no such robot.")
    if robot.token_sha256.startswith(REVOKED):
        raise BadMessage(REVOKED_ROBOT, "Its credentials were revoked.")
    return robot
