"""What one process does with the stream of diagnostics: fold it or pass it on, notice silence, and watch its peers.

Everything here comes with QoS 0 and is handled at once, in the event loop; what has to be stored is stored by `run`.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from surefoot.server.mqtt.client import MqttClient
from surefoot.server.mqtt.ingest import MALFORMED
from surefoot.server.mqtt.ingest_diagnostics import Folder
from surefoot.server.mqtt.noticer import Noticer
from surefoot.server.mqtt.peers import (
    BEAT_S,
    PASS_ON_BYTES,
    PASS_ON_S,
    PEERS_TOPIC,
    SILENCE_TOPIC,
    Parcel,
    Peers,
    share_topic,
    unpack,
)
from surefoot.server.mqtt.tasks import in_background
from surefoot.server.outage import Outage
from surefoot.server.services import Services
from surefoot.wire.errors import Interrupted
from surefoot.wire.topics import ANY_ROBOT, DIAGNOSTICS, HEALTH, ROOT, topic_of

TICK_S = 1.0
_BEFORE, _BEHIND = len(ROOT) + 1, -len(DIAGNOSTICS) - 1

log = logging.getLogger(__name__)


class Stream:
    """One process's part of the stream.

    Args:
        services: What it works with.
        client: Its connection for the stream.
        process_id: Its own id.
        monotonic_s: A clock that never steps.
    """

    def __init__(
        self,
        services: Services,
        client: MqttClient,
        process_id: str,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._services = services
        self._client = client
        self._monotonic_s = monotonic_s
        self._peers = Peers(process_id)
        self.folder = Folder(services, monotonic_s)
        self._noticer = Noticer(services, self._peers, self._tell, monotonic_s)
        self._heard = self._noticer.table.heard
        self._share_topic = share_topic(process_id)
        self._parcels: dict[str, Parcel] = {}
        self._wake = asyncio.Event()
        self._beat_due_s = 0.0
        self._outage = Outage(log, "stream-waits")

    async def subscribe(self, share_group: str) -> None:
        """Subscribe to what it takes."""
        shared = f"$share/{share_group}/{topic_of(ANY_ROBOT, DIAGNOSTICS)}"
        for topic in (shared, topic_of(ANY_ROBOT, HEALTH), PEERS_TOPIC, SILENCE_TOPIC, self._share_topic):
            await self._client.subscribe(topic, 0)

    def set_online(self, robot_id: str, online: bool) -> None:
        """Take that a robot of the fleet came online or went offline."""
        self._noticer.table.set_online(robot_id, online, self._monotonic_s())

    def keeps(self, robot_id: str) -> bool:
        """Whether this process is the one of all that keeps this robot."""
        return self._peers.keeper_of(robot_id) == self._peers.process_id

    def connected(self, is_connected: bool) -> None:
        """Take that the broker came or went."""
        if is_connected:
            self._noticer.table.listen(self._monotonic_s())
            self._beat_due_s = 0.0
            self._wake.set()

    def take(self, topic: str, payload: bytes) -> None:
        """Take one message."""
        if topic.endswith(DIAGNOSTICS):
            robot_id = topic[_BEFORE:_BEHIND]
            if not self._peers.others or (keeper := self._peers.keeper_of(robot_id)) == self._peers.process_id:
                self.take_own(robot_id, payload)
            else:
                self._pass_on(keeper, robot_id, payload)
        elif topic.endswith(f"/{HEALTH}"):
            self.folder.sends_windows(topic[_BEFORE : -len(HEALTH) - 1])
        else:
            self._take_internal(topic, payload)

    async def run(self) -> None:
        """Store what is due and notice silence, until cancelled; then store what is left."""
        ticking = asyncio.create_task(self._tick_on())
        try:
            while True:
                # What is being stored is not to be stored again below.
                await asyncio.shield(ticking)
                with suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S):
                        await self._wake.wait()
                        self._wake.clear()
                ticking = asyncio.create_task(self._tick_on())
        finally:
            await ticking
            await self.stop()

    async def _tick_on(self) -> None:
        try:
            await self.tick()
        except Interrupted as error:
            self._outage.met(error)
        except Exception:
            log.exception("stream-failed")
        else:
            self._outage.over()

    async def tick(self) -> None:
        """Do what is due now; raise `Interrupted` when the store is away."""
        now_s = self._monotonic_s()
        if self._peers.drop_gone(now_s):
            self._hand_over()
        if now_s >= self._beat_due_s:
            self._beat_due_s = now_s + BEAT_S
            await self._tell(PEERS_TOPIC, {"here": self._peers.process_id})
        self.folder.take_urgent()
        self.folder.take_due()
        # Who falls silent has spoken before, and that has to be known first.
        self.folder.close(await self._noticer.notice())
        await self.folder.store()
        await self._noticer.store()

    def send_parcels(self) -> None:
        """Pass on what waits for that."""
        parcels, self._parcels = self._parcels, {}
        for keeper, parcel in parcels.items():
            in_background(self._publish(share_topic(keeper), parcel.pack()))

    async def stop(self) -> None:
        """Leave the others, and store what is left; what cannot be stored now is lost."""
        self.send_parcels()
        await self._tell(PEERS_TOPIC, {"gone": self._peers.process_id})
        self.folder.let_go(self.folder.robot_ids())
        try:
            await self.folder.store()
        except Interrupted as error:
            log.warning("stream-not-stored code=%s", error.code)

    def take_own(self, robot_id: str, payload: bytes) -> None:
        """Take the diagnostics of a robot that this process keeps."""
        now_s = self._monotonic_s()
        if not self.folder.take(robot_id, payload, now_s):
            return
        if self._heard(robot_id, now_s):
            self._noticer.speaks(robot_id)
        if self.folder.urgent:
            self._wake.set()

    def _pass_on(self, keeper: str, robot_id: str, payload: bytes) -> None:
        parcel = self._parcels.get(keeper)
        if parcel is None:
            parcel = self._parcels[keeper] = Parcel()
            asyncio.get_running_loop().call_later(PASS_ON_S, self.send_parcels)
        parcel.add(robot_id, payload)
        if parcel.size_bytes >= PASS_ON_BYTES:
            self.send_parcels()

    def _take_internal(self, topic: str, payload: bytes) -> None:
        try:
            if topic == self._share_topic:
                for robot_id, passed_on in unpack(payload):
                    self.take_own(robot_id, passed_on)
                return
            said = msgspec.json.decode(payload, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            self._services.metrics.mqtt.refused(MALFORMED, topic, str(error))
            return
        if topic == PEERS_TOPIC:
            self._take_peer(said)
        elif topic == SILENCE_TOPIC:
            self._noticer.take(said)

    def _take_peer(self, said: dict[str, Any]) -> None:
        if self._peers.left(said.get("gone", "")) or (
            "here" in said and self._peers.seen(said["here"], self._monotonic_s())
        ):
            # Whoever is new knows of us sooner than by the next beat.
            self._beat_due_s = 0.0
            self._hand_over()
            self._wake.set()

    def _hand_over(self) -> None:
        """Let go of the robots that another process keeps now; what it heard of them it tells when it is asked."""
        keeper_of, process_id = self._peers.keeper_of, self._peers.process_id
        self.folder.let_go(robot_id for robot_id in self.folder.robot_ids() if keeper_of(robot_id) != process_id)

    async def _tell(self, topic: str, value: dict[str, Any]) -> None:
        await self._publish(topic, msgspec.json.encode(value))

    async def _publish(self, topic: str, payload: bytes) -> None:
        # Without a broker there are no peers either.
        with suppress(Interrupted):
            await self._client.publish(topic, payload, qos=0)
