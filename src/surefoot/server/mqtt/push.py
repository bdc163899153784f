"""Pushes decisions to robots: the leader's outbox of calls and recalls, and the waves of calls that follow.

A halt stops every robot that holds an open assignment of the rollout, wherever it is: the broker keeps the word for
those that are away, and the next check over HTTPS says it as well. A call says no more than "ask now". Publishing twice
is harmless, so an entry leaves the outbox when all of it was published, and not before.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from surefoot.fleet.lease import Lease, hold
from surefoot.fleet.model import Release, Rollout, RolloutState
from surefoot.fleet.outbox import OutboxEntry, OutboxKind, note_sent, to_push
from surefoot.fleet.ports import Rows
from surefoot.server.mqtt.aws_push import JobsPusher
from surefoot.server.mqtt.client import MqttClient
from surefoot.server.mqtt.waves import Waves
from surefoot.server.outage import Outage
from surefoot.server.services import Services
from surefoot.wire.command import cancel_command, encode_command, encode_nudge, rollback_command
from surefoot.wire.errors import Interrupted
from surefoot.wire.offer import offer_from_object
from surefoot.wire.topics import command_topic

# A decision of another process is noticed within this time; one of this process's own at once.
POLL_S = 0.25
# The next waves are looked for this often.
WAVE_S = 1.0
# Messages on their way side by side; a broker that takes fewer at once bounds them itself.
TOGETHER = 5000
# A call that was not heard for so long is answered by the robot's own check.
CALL_EXPIRY_S = 600

CANCEL, CALL = "cancel", "call"

log = logging.getLogger(__name__)


class There(Protocol):
    """Who knows which robots are online."""

    def online(self) -> Collection[str]:
        """Return the robots that are online now."""

    def take_returned(self) -> Collection[str]:
        """Return the robots that came online since the last call."""


class Pusher:
    """Pushes while this process leads and the broker is there.

    Args:
        services: What it works with.
        client: Where it publishes.
        there: Knows the robots that are online.
        monotonic_s: A clock that never steps.
    """

    def __init__(
        self,
        services: Services,
        client: MqttClient,
        there: There,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._services = services
        self._client = client
        self._there = there
        self._monotonic_s = monotonic_s
        self._jobs = JobsPusher(services, client)
        self._figures = services.metrics.mqtt
        self._waves: dict[str, Waves] = {}
        self._wave_at_s = 0.0

    async def run(self) -> None:
        """Push until cancelled; what fails is logged and tried again."""
        outage = Outage(log, "push-waits")
        while True:
            await self._services.mqtt.decided.wait(POLL_S)
            lease = self._services.leadership.lease
            if lease is None or not self._services.mqtt.is_connected:
                continue
            try:
                await self.step(lease)
            except Interrupted as error:
                outage.met(error)
                await asyncio.sleep(POLL_S)
            except Exception:
                log.exception("push-failed")
                await asyncio.sleep(WAVE_S)
            else:
                outage.over()

    async def step(self, lease: Lease) -> None:
        """Push what waits, and call the next robots where it is time; raise `Interrupted`."""
        services = self._services
        entries = await services.read(to_push)
        # Nobody may be told to stop later than somebody else is called.
        for entry in sorted(entries, key=lambda entry: entry.kind is not OutboxKind.MQTT_RECALL):
            if entry.kind is OutboxKind.MQTT_RECALL:
                await self._recall(entry.target)
            else:
                await self._call(entry.target)
            await services.write(lambda rows, entry=entry: _settle(rows, lease, entry))  # type: ignore[misc]
            self._figures.push_seconds.observe(max(0.0, services.now_s() - entry.created_at_s))
        if self._monotonic_s() >= self._wave_at_s:
            self._wave_at_s = self._monotonic_s() + WAVE_S
            await self._jobs.learn()
            running = await services.read(lambda rows: rows.find(Rollout, state=RolloutState.RUNNING))
            self._waves = {one.rollout_id: self._waves.get(one.rollout_id, Waves()) for one in running}
            returned = self._there.take_returned()
            online = self._jobs.reachable(self._there.online())
            for rollout in running:
                self._waves[rollout.rollout_id].forget(returned)
                # Of those for one robot alone there may be thousands, and whom a halt is to stop waits for each look.
                if rollout.only_robot_id is None or rollout.only_robot_id in online:
                    await self._call(rollout.rollout_id)

    async def _recall(self, rollout_id: str) -> None:
        """Stop every robot that may be updating by a halted rollout."""

        def work(rows: Rows) -> list[tuple[str, bytes]]:
            rollout = rows.get(Rollout, rollout_id)
            # Somebody let it go on meanwhile.
            if rollout is None or rollout.state is not RolloutState.HALTED:
                return []
            return [
                (robot_id, encode_command(cancel_command(assignment_id)))
                for robot_id, assignment_id in rows.open_assignments(rollout_id)
            ]

        recalled = await self._services.read(work)
        await self._publish(recalled, None, CANCEL)
        await self._jobs.recall([robot_id for robot_id, _ in recalled])
        if recalled:
            log.info("robots-recalled rollout_id=%s count=%d", rollout_id, len(recalled))

    async def _call(self, rollout_id: str) -> None:
        """Call the next robots of a running rollout."""
        waves, online = self._waves.setdefault(rollout_id, Waves()), self._jobs.reachable(self._there.online())

        def work(rows: Rows) -> tuple[list[str], bytes]:
            rollout = rows.get(Rollout, rollout_id)
            release = None if rollout is None else rows.get(Release, rollout.release_id)
            if rollout is None or release is None:
                return [], b""
            called = waves.call(rows, rollout, release, online, self._monotonic_s(), self._services.now_s())
            return called, self._nudge(rollout, release)

        began_s = self._monotonic_s()
        called, nudge = await self._services.read(work)
        waves.searched(self._monotonic_s() - began_s, self._monotonic_s())
        try:
            await self._publish(((robot_id, nudge) for robot_id in called), CALL_EXPIRY_S, CALL)
            await self._jobs.call(called)
        except Interrupted:
            waves.put_back(called)
            raise
        if called:
            log.info("robots-called rollout_id=%s count=%d", rollout_id, len(called))

    def _nudge(self, rollout: Rollout, release: Release) -> bytes:
        if rollout.rolls_back is not None:
            # Each robot goes back to a release of its own.
            return encode_command(rollback_command())
        url = f"{self._services.fleet.public_url}/v1/images/{release.sha256}"
        minimal = {"url": url, "sha256": release.sha256, "version": str(release.version)}
        return encode_nudge(offer_from_object(minimal))

    async def _publish(self, commands: Iterable[tuple[str, bytes]], expiry_s: int | None, kind: str) -> None:
        waiting = list(commands)
        for first in range(0, len(waiting), TOGETHER):
            batch = waiting[first : first + TOGETHER]
            publish = self._client.publish
            done = await asyncio.gather(
                *(publish(command_topic(robot_id), payload, expiry_s=expiry_s) for robot_id, payload in batch),
                return_exceptions=True,
            )
            failed = [error for error in done if isinstance(error, BaseException)]
            self._figures.pushes.labels(kind).inc(len(done) - len(failed))
            if failed:
                raise failed[0]


def _settle(rows: Rows, lease: Lease, entry: OutboxEntry) -> None:
    hold(rows, lease)
    note_sent(rows, entry)
