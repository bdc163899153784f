"""A chip's connection to its broker: MQTT 3.1.1 on MicroPython's sockets, in one thread and bounded memory.

Nothing runs by itself on a chip: the connection is made, held and heard in `hear` and `publish`, so the agent calls
`hear` while it rests and between the pieces of a download, as `shell.attention` does.
"""

from surefoot.shell.attention import RECONNECTED
from surefoot.shell.mqtt import ANSWER_TIMEOUT_MS, KEEPALIVE_S, STABLE_MS, reconnect_pause_ms
from surefoot.shell.mqtt_packets import (
    PINGREQ,
    Connack,
    PacketReader,
    Puback,
    Published,
    Suback,
    encode_connect,
    encode_puback,
    encode_publish,
    encode_subscribe,
)
from surefoot.wire.errors import Refused
from surefoot.wire.limits import COMMAND_BYTES_MAX, ROBOT_ID_CHARS_MAX
from surefoot.wire.topics import IS_OFFLINE, IS_ONLINE, command_topic, online_topic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from surefoot.shell.mqtt_packets import Packet
    from surefoot.shell.ports import Stream

PACKET_BYTES_MAX = COMMAND_BYTES_MAX + ROBOT_ID_CHARS_MAX + 64
# One answer, and what comes beside it.
INBOX_BYTES_MAX = COMMAND_BYTES_MAX + 1024
INBOX_COUNT_MAX = 16
PING_AFTER_MS = KEEPALIVE_S * 1000 * 2 // 3
SILENCE_MS_MAX = KEEPALIVE_S * 1000 * 3 // 2


class Esp32Link:
    """One robot's connection to its broker. Fills `shell.ports.MqttLink`, and `hear` fills `shell.ports.Hear`.

    Args:
        robot_id: Also the user's name that goes with a token.
        token: The robot's bearer token; None when it proves itself with a certificate.
        connect: Opens a connection to the broker, or raises OSError.
        clock_ms: Milliseconds from any beginning that never go back.
        sleep_ms: Waits so many milliseconds.
        jitter_ms: Returns a random whole number from 0 to this one.
        log: Tells a person.
    """

    def __init__(
        self,
        robot_id: str,
        token: "str | None",
        connect: "Callable[[], Stream]",
        clock_ms: "Callable[[], int]",
        sleep_ms: "Callable[[int], None]",
        jitter_ms: "Callable[[int], int]",
        log: "Callable[[str], None]",
    ) -> None:
        self._robot_id = robot_id
        self._token = token
        self._connect = connect
        self._clock_ms = clock_ms
        self._sleep_ms = sleep_ms
        self._jitter_ms = jitter_ms
        self._log = log
        self._stream: "Stream | None" = None
        self._reader = PacketReader(PACKET_BYTES_MAX)
        self._inbox: "list[bytes | str]" = []
        self._is_up = False
        self._was_away = False
        self._has_tried = False
        self._failures = 0
        self._next_try_ms = clock_ms()
        self._opened_ms = self._said_ms = self._heard_ms = 0
        self._packet_id = 0
        self._unacknowledged: "int | None" = None

    def hear(self, timeout_ms: int) -> "bytes | str | None":
        """Return the next command's payload, or `RECONNECTED` when one may have been missed; None in silence."""
        due_ms = self._clock_ms() + timeout_ms
        while not self._inbox:
            self._turn(max(0, due_ms - self._clock_ms()))
            if self._clock_ms() >= due_ms:
                break
        return self._inbox.pop(0) if self._inbox else None

    def publish(self, topic: str, payload: bytes, timeout_ms: int) -> bool:
        """Publish at QoS 1; return whether the broker took it. At the start, the first connection is waited for."""
        due_ms = self._clock_ms() + timeout_ms
        while not self._is_up and not self._has_tried and self._clock_ms() < due_ms:
            self._turn(due_ms - self._clock_ms())
        if not self._is_up:
            return False
        try:
            packet_id = self._publish(topic, payload, retain=False)
        except OSError as error:
            self._lose(str(error))
            return False
        self._unacknowledged = packet_id
        while self._is_up and self._unacknowledged == packet_id and self._clock_ms() < due_ms:
            self._turn(due_ms - self._clock_ms())
        return self._unacknowledged is None

    def close(self) -> None:
        """Go without a word: the broker then says `0` on the online topic."""
        if self._stream is not None:
            self._stream.close()
        self._stream, self._is_up = None, False

    def _turn(self, wait_ms: int) -> None:
        """Do one thing for the connection, or wait so long at most until there is one to do."""
        now_ms = self._clock_ms()
        if self._stream is None and now_ms < self._next_try_ms:
            self._sleep_ms(min(wait_ms, self._next_try_ms - now_ms))
            return
        try:
            if self._stream is None:
                self._open()
            else:
                self._listen(self._stream, wait_ms)
        except OSError as error:
            self._lose(str(error))
        except Refused as error:
            self._lose(error.message)

    def _open(self) -> None:
        self._stream = self._connect()
        self._reader = PacketReader(PACKET_BYTES_MAX)
        self._opened_ms = self._heard_ms = self._clock_ms()
        robot_id = self._robot_id
        self._say(encode_connect(robot_id, self._token, online_topic(robot_id), IS_OFFLINE, KEEPALIVE_S))

    def _listen(self, stream: "Stream", wait_ms: int) -> None:
        now_ms = self._clock_ms()
        if self._is_up and now_ms - self._said_ms >= PING_AFTER_MS:
            self._say(PINGREQ)
        data = stream.read(min(wait_ms, PING_AFTER_MS))
        if data:
            self._heard_ms = self._clock_ms()
            for packet in self._reader.feed(data):
                self._take(packet)
        elif now_ms - self._heard_ms > (SILENCE_MS_MAX if self._is_up else ANSWER_TIMEOUT_MS):
            raise OSError("it says nothing any more")

    def _take(self, packet: "Packet") -> None:
        if isinstance(packet, Published):
            self._keep(packet.payload)
            if packet.packet_id is not None:
                self._say(encode_puback(packet.packet_id))
        elif isinstance(packet, Puback):
            if packet.packet_id == self._unacknowledged:
                self._unacknowledged = None
        elif isinstance(packet, Connack):
            if packet.code:
                raise OSError(f"it refuses the robot with code {packet.code}")
            self._enter()
        elif isinstance(packet, Suback) and not packet.is_allowed:
            self._log("the broker lets the robot hear no commands: look at its rules")

    def _enter(self) -> None:
        self._is_up = self._has_tried = True
        self._packet_id += 1
        self._say(encode_subscribe(self._packet_id, command_topic(self._robot_id)))
        self._publish(online_topic(self._robot_id), IS_ONLINE, retain=True)
        if self._was_away and RECONNECTED not in self._inbox:
            self._inbox.append(RECONNECTED)
        self._was_away = True

    def _keep(self, payload: "bytes | None") -> None:
        """Keep a command until it is heard; without room for it, the next check says it all anyway."""
        held_bytes = sum([len(held) for held in self._inbox])
        if payload is None or len(self._inbox) >= INBOX_COUNT_MAX or held_bytes + len(payload) > INBOX_BYTES_MAX:
            self._log("a command is too long or one too many: it is dropped")
        else:
            self._inbox.append(payload)

    def _publish(self, topic: str, payload: bytes, retain: bool) -> int:
        self._packet_id = self._packet_id % 0xFFFF + 1
        self._say(encode_publish(self._packet_id, topic, payload, retain))
        return self._packet_id

    def _say(self, packet: bytes) -> None:
        if self._stream is not None:
            self._stream.write(packet)
            self._said_ms = self._clock_ms()

    def _lose(self, reason: str) -> None:
        """Let go of the connection, and try again after a pause."""
        was_up, now_ms = self._is_up, self._clock_ms()
        self.close()
        self._has_tried = self._was_away = True
        if was_up and now_ms - self._opened_ms > STABLE_MS:
            self._failures = 0
        if was_up or self._failures == 0:
            self._log(f"no way to the broker ({reason}): it is tried again, and HTTPS goes on")
        self._next_try_ms = now_ms + reconnect_pause_ms(self._failures, self._jitter_ms)
        self._failures += 1
