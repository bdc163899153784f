"""Somebody at a broker, by a client library that Surefoot does not use: robots, the server and strangers in tests."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from waiting import wait_until

HOST = "127.0.0.1"
FOREVER_S = 0xFFFFFFFF


class Peer:
    """One connection; it does not come back by itself when it is cut."""

    def __init__(
        self,
        port: int,
        tls: ssl.SSLContext,
        name: str = "",
        password: str = "",
        *,
        client_id: str | None = None,
        keeps_session: bool = False,
    ) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.is_in = False
        self.was_refused = False
        self._done: set[int] = set()
        self._codes: dict[int, list[str]] = {}
        self._lock = Lock()
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=name if client_id is None else client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.tls_set_context(tls)
        # An id that the broker replaces; the password is a robot's where there is one.
        if password:
            client.username_pw_set(name, password)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = lambda _client, _data, number, *_rest: self._done.add(number)
        client.on_subscribe = lambda _client, _data, number, codes, _properties: self._codes.update(
            {number: [str(code) for code in codes]}
        )
        self._client = client
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = FOREVER_S if keeps_session else 0
        try:
            client.connect(HOST, port, clean_start=not keeps_session, properties=properties)
        except OSError:
            self.was_refused = True
            return
        client.loop_start()
        wait_until(lambda: self.is_in or self.was_refused)

    def subscribe(self, topic: str) -> None:
        """Subscribe at QoS 1, and return when the broker said what it thinks of it."""
        _, number = self._client.subscribe(topic, qos=1)
        wait_until(lambda: number in self._codes)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at QoS 1, and return when the broker took it, or is not there any more."""
        number = self._client.publish(topic, payload, qos=1, retain=retain).mid
        wait_until(lambda: number in self._done or not self.is_in)

    def leave(self) -> None:
        """Close the connection."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        self.is_in, self.was_refused = not code.is_failure, code.is_failure

    def _on_disconnect(self, *_about: Any) -> None:
        self.was_refused = self.was_refused or not self.is_in
        self.is_in = False

    def _on_message(self, _client: Any, _data: Any, message: MQTTMessage) -> None:
        with self._lock:
            self.messages.append((message.topic, bytes(message.payload)))


@contextmanager
def peer(
    port: int,
    tls: ssl.SSLContext,
    name: str = "",
    password: str = "",
    *,
    client_id: str | None = None,
    keeps_session: bool = False,
) -> Iterator[Peer]:
    """Be connected as long as the block runs."""
    made = Peer(port, tls, name, password, client_id=client_id, keeps_session=keeps_session)
    try:
        yield made
    finally:
        made.leave()
