"""A tiny fleet behind a real broker: a client that is not the robot's answers reports and says commands."""

import threading
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from mosquitto import HOST, Mosquitto
from shell.fakes import MemoryServer
from surefoot.wire.command import answer_command, encode_command
from surefoot.wire.errors import Interrupted
from surefoot.wire.report import parse_report
from surefoot.wire.topics import command_topic, robot_topic
from waiting import wait_until


class FleetSide:
    """Answers as this server does, and remembers what robots said by (robot_id, leaf)."""

    def __init__(self, broker: Mosquitto, server: MemoryServer) -> None:
        self.said: dict[tuple[str, str], list[bytes]] = {}
        self.copies = 1
        self.answers = True
        self._server = server
        self._ready = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id="surefoot-server", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.tls_set_context(broker.server_tls())
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.connect(HOST, broker.server_port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        assert self._ready.wait(60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def command(self, robot_id: str, payload: bytes) -> None:
        """Say this to a robot; return when the broker has it."""
        for _ in range(self.copies):
            info = self._client.publish(command_topic(robot_id), payload, qos=1)
            info.wait_for_publish(60)
            assert info.is_published()

    def is_connected(self) -> bool:
        return self._client.is_connected()

    def words(self, robot_id: str, leaf: str) -> list[bytes]:
        return self.said.get((robot_id, leaf), [])

    def wait_for(self, robot_id: str, leaf: str, payload: bytes) -> None:
        """Return when this is the last word of a robot on that topic."""
        wait_until(lambda: self.words(robot_id, leaf)[-1:] == [payload])

    def _on_connect(self, client: Client, *_: Any) -> None:
        client.subscribe("fleet/+/+", qos=1)

    def _on_message(self, client: Client, _userdata: Any, message: MQTTMessage) -> None:
        robot_id, leaf = robot_topic(message.topic) or ("", "")
        self.said.setdefault((robot_id, leaf), []).append(bytes(message.payload))
        if leaf != "report" or not self.answers:
            return
        report = parse_report(bytes(message.payload))
        try:
            answer = self._server.exchange(report)
        except Interrupted:
            return
        for _ in range(self.copies):
            client.publish(command_topic(robot_id), encode_command(answer_command(answer, report)), qos=1)
