"""A companion's connection to its broker: MQTT 5 by the paho library, in threads of its own.

What comes is passed on to the companion's ear, and nothing is decided here.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, error_string
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from surefoot.shell.attention import RECONNECTED
from surefoot.shell.ear import jitter_ms
from surefoot.shell.https import tls_context
from surefoot.shell.mqtt import KEEPALIVE_S, STABLE_MS, reconnect_pause_ms
from surefoot.wire import limits
from surefoot.wire.topics import IS_OFFLINE, IS_ONLINE, command_topic, online_topic

# An answer, and the packet around it: a broker keeps longer ones to itself.
PACKET_BYTES_MAX = limits.COMMAND_BYTES_MAX + 1024
CLOSE_TIMEOUT_S = 5


class Connection(Client):
    """One connection that says when it has ended, whatever ended it."""

    packet_bytes_max = PACKET_BYTES_MAX

    def __init__(self, robot_id: str) -> None:
        protocol = MQTTProtocolVersion.MQTTv5
        super().__init__(CallbackAPIVersion.VERSION2, client_id=robot_id, protocol=protocol, reconnect_on_failure=False)
        self.ended = threading.Event()
        self.reason = ""

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:
        """Run in the library's thread until the connection ends."""
        try:
            code = super().loop_forever(timeout, retry_first_connection)
            self.reason = self.reason or error_string(code)
        except Exception as error:  # noqa: BLE001 - whatever a broker says, the robot asks on
            self.reason, code = str(error), MQTTErrorCode.MQTT_ERR_UNKNOWN
        finally:
            self.ended.set()
        return code

    def _sock_recv(self, bufsize: int) -> bytes:
        # The library reads a packet of any length whole, whatever was agreed.
        if bufsize > self.packet_bytes_max:
            raise ConnectionError
        return super()._sock_recv(bufsize)


class PahoLink:
    """One robot's connection to its broker, kept up until it is closed. Fills `shell.ports.MqttLink`.

    Args:
        address: Host and port.
        robot_id: Also the user's name that goes with a token.
        token: The robot's bearer token; None when it proves itself with a certificate.
        ca_file: The certificates that may vouch for the broker, in PEM; None for the system's.
        certificate_file: The robot's key and certificate chain, in PEM, if it has a certificate.
        tell: Takes payloads of commands, and `RECONNECTED` when one may have been missed; called in another thread.
        log_line: Tells a person.
    """

    packet_bytes_max = PACKET_BYTES_MAX

    def __init__(
        self,
        address: tuple[str, int],
        robot_id: str,
        token: str | None,
        ca_file: Path | None,
        certificate_file: Path | None,
        tell: Callable[[bytes | str], None],
        log_line: Callable[[str], None],
    ) -> None:
        self._address = address
        self._robot_id = robot_id
        self._token = token
        self._ca_file, self._certificate_file = ca_file, certificate_file
        self._tell = tell
        self._log = log_line
        self._connection: Connection | None = None
        self._was_away = False
        self._connected = threading.Event()
        self._first_try_ended = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._live, name="mqtt", daemon=True)
        self._thread.start()

    def publish(self, topic: str, payload: bytes, timeout_ms: int) -> bool:
        """Publish at QoS 1; return whether the broker took it. At the start, the first connection is waited for."""
        self._first_try_ended.wait(timeout_ms / 1000)
        connection = self._connection
        if connection is None or not self._connected.is_set():
            return False
        info = connection.publish(topic, payload, qos=1)
        try:
            info.wait_for_publish(timeout_ms / 1000)
            return info.is_published()
        except (ValueError, RuntimeError):
            return False

    def close(self) -> None:
        """Go: the broker says `0` on the online topic as it would of a robot that is lost."""
        self._closing.set()
        self._disconnect()
        self._thread.join(CLOSE_TIMEOUT_S)

    def _live(self) -> None:
        """Connect, stay as long as it lasts, pause, and again."""
        failures = 0
        while True:
            began_s = time.monotonic()
            reason = self._connect_and_stay()
            was_connected = self._connected.is_set()
            self._connected.clear()
            self._was_away = True
            self._first_try_ended.set()
            if self._closing.is_set():
                return
            if was_connected and time.monotonic() - began_s > STABLE_MS / 1000:
                failures = 0
            # Once, and not at each of a night's tries.
            if was_connected or failures == 0:
                self._log(f"no way to the broker ({reason}): it is tried again, and HTTPS goes on")
            self._closing.wait(reconnect_pause_ms(failures, jitter_ms) / 1000)
            failures += 1

    def _connect_and_stay(self) -> str:
        """Hold one connection until it ends; return why it did."""
        try:
            connection = self._make_connection()
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = self.packet_bytes_max
            # Nothing waits at the broker: a robot that was away asks, and then knows what holds now.
            connection.connect(*self._address, keepalive=KEEPALIVE_S, clean_start=True, properties=properties)
        except Exception as error:  # noqa: BLE001 - whatever network and files hold, the next try comes
            return str(error)
        self._connection = connection
        connection.loop_start()
        if self._closing.is_set():
            self._disconnect()
        connection.ended.wait()
        self._connection = None
        connection.loop_stop()
        return connection.reason

    def _disconnect(self) -> None:
        connection = self._connection
        if connection is not None:
            connection.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))

    def _make_connection(self) -> Connection:
        """Return a new connection: a certificate that was renewed counts from the next one on."""
        connection = Connection(self._robot_id)
        connection.tls_set_context(tls_context(self._ca_file, self._certificate_file))
        if self._token is not None:
            connection.username_pw_set(self._robot_id, self._token)
        connection.will_set(online_topic(self._robot_id), IS_OFFLINE, qos=1, retain=True)
        connection.on_connect = self._on_connect
        connection.on_message = self._on_message
        return connection

    def _on_connect(self, _client: Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        connection = self._connection
        # A broker that says it twice is answered once.
        if connection is None or self._connected.is_set():
            return
        if reason.is_failure:
            connection.reason = f"it refuses the robot: {reason}"
            return
        connection.subscribe(command_topic(self._robot_id), qos=1)
        connection.publish(online_topic(self._robot_id), IS_ONLINE, qos=1, retain=True)
        if self._was_away:
            self._tell(RECONNECTED)
        self._was_away = True
        self._connected.set()
        self._first_try_ended.set()

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self._tell(bytes(message.payload))
