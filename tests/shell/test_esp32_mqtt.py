"""A chip's connection to its broker, with a broker in memory. Runs on MicroPython too."""

from shell.mqtt_fakes import TimedEar
from surefoot.shell.attention import RECONNECTED
from surefoot.shell.esp32_mqtt import INBOX_COUNT_MAX, PACKET_BYTES_MAX, PING_AFTER_MS, SILENCE_MS_MAX, Esp32Link
from surefoot.shell.esp32_stream import rising_ms
from surefoot.shell.mqtt import ANSWER_TIMEOUT_MS, RECONNECT_MS_FIRST, RECONNECT_MS_MAX
from surefoot.shell.mqtt_packets import PINGREQ, encode_connect, encode_puback, encode_subscribe

ROBOT = "robot-001"
CONNECT = encode_connect(ROBOT, None, "fleet/robot-001/online", b"0", 30)
CONNACK = b"\x20\x02\x00\x00"
SUBACK = b"\x90\x03\x00\x01\x01"
PINGRESP = b"\xd0\x00"
SIX_HOURS_MS = 6 * 3600 * 1000


def message(payload: bytes, packet_id: int = 7) -> bytes:
    """Return a command as a broker says it."""
    body = b"\x00\x01t" + packet_id.to_bytes(2, "big") + payload
    return bytes((0x32, len(body) & 0x7F | 0x80, len(body) >> 7)) + body


class MemoryBroker:
    """A broker that one robot connects to, over streams that can break. Fills `shell.ports.Stream` itself."""

    def __init__(self, time: TimedEar) -> None:
        self.time = time
        self.is_there = True
        self.accepts = CONNACK
        self.answers_pings = True
        self.takes_messages = True
        self.connections = 0
        self.is_open = False
        self.heard: "list[bytes]" = []
        self.saying: "list[bytes]" = []

    def connect(self) -> "MemoryBroker":
        if not self.is_there:
            raise OSError("nobody there")
        self.connections += 1
        self.is_open = True
        self.saying = []
        return self

    def say(self, *packets: bytes) -> None:
        self.saying.extend(packets)

    def read(self, timeout_ms: int) -> "bytes | None":
        if not self.is_there:
            raise OSError("it closed the connection")
        if self.saying:
            self.time.now_ms += 1
            return self.saying.pop(0)
        self.time.now_ms += timeout_ms
        return None

    def write(self, data: bytes) -> None:
        if not self.is_there:
            raise OSError("it closed the connection")
        self.heard.append(data)
        if data[0] == 0x10:
            self.say(self.accepts)
        elif data[0] == 0x82:
            self.say(SUBACK)
        elif data == PINGREQ and self.answers_pings:
            self.say(PINGRESP)
        elif data[0] & 0xF0 == 0x30 and self.takes_messages:
            topic_end = 4 + data[3]
            self.say(b"\x40\x02" + data[topic_end : topic_end + 2])

    def close(self) -> None:
        self.is_open = False


class Chip:
    """A link, its broker, and their time."""

    def __init__(self) -> None:
        self.time = TimedEar()
        self.broker = MemoryBroker(self.time)
        self.link = Esp32Link(
            ROBOT,
            None,
            self.broker.connect,
            self.time.clock_ms,
            self.sleep_ms,
            self.time.jitter_ms,
            self.time.lines.append,
        )

    def sleep_ms(self, delay_ms: int) -> None:
        assert delay_ms >= 0
        self.time.now_ms += delay_ms

    def is_online(self) -> bool:
        return self.link.publish("t", b"", ANSWER_TIMEOUT_MS)


def test_a_robot_connects_subscribes_and_says_that_it_is_online() -> None:
    chip = Chip()
    assert chip.link.hear(100) is None
    assert chip.broker.heard == [
        CONNECT,
        encode_subscribe(1, "fleet/robot-001/commands/ota"),
        b"\x33\x1b\x00\x16fleet/robot-001/online\x00\x021",
    ]


def test_a_message_is_published_when_the_broker_has_it() -> None:
    chip = Chip()
    assert chip.link.publish("a/b", b"hello", ANSWER_TIMEOUT_MS), "the first connection is waited for"
    assert chip.broker.heard[-1] == b"\x32\x0c\x00\x03a/b\x00\x03hello"
    chip.broker.takes_messages = False
    began_ms = chip.time.now_ms
    assert not chip.link.publish("a/b", b"hello", ANSWER_TIMEOUT_MS)
    assert chip.time.now_ms - began_ms == ANSWER_TIMEOUT_MS


def test_without_a_broker_nothing_is_waited_for_but_the_first_try() -> None:
    chip = Chip()
    chip.broker.is_there = False
    assert not chip.is_online()
    assert chip.time.now_ms == 1000
    assert chip.time.lines == ["no way to the broker (nobody there): it is tried again, and HTTPS goes on"]


def test_a_command_is_heard_and_acknowledged() -> None:
    chip = Chip()
    assert chip.is_online()
    chip.broker.say(message(b"one") + message(b"two", 8)[:5], message(b"two", 8)[5:])
    assert chip.link.hear(1000) == b"one"
    assert chip.link.hear(1000) == b"two"
    assert chip.link.hear(0) is None
    assert chip.broker.heard[-2:] == [encode_puback(7), encode_puback(8)]


def test_a_command_that_comes_while_a_message_is_under_way_is_not_lost() -> None:
    chip = Chip()
    assert chip.is_online()
    chip.broker.say(message(b"one"))
    assert chip.is_online()
    assert chip.link.hear(0) == b"one"


def test_a_command_too_long_is_skipped_and_what_follows_is_heard() -> None:
    chip = Chip()
    assert chip.is_online()
    long = message(bytes(PACKET_BYTES_MAX + 1))
    chip.broker.say(*[long[at : at + 1000] for at in range(0, len(long), 1000)])
    chip.broker.say(message(b"short", 9))
    assert chip.link.hear(1000) == b"short"
    assert encode_puback(7) in chip.broker.heard, "or it would come again with each connection"
    assert chip.broker.connections == 1


def test_a_flood_of_commands_is_bounded() -> None:
    chip = Chip()
    assert chip.is_online()
    chip.broker.say(*[message(b"x" * 4000) for _ in range(100)], message(b"last"))
    # The messages are read while this one waits for its acknowledgement.
    assert chip.is_online()
    heard = []
    while True:
        payload = chip.link.hear(0)
        if payload is None:
            break
        heard.append(payload)
    assert heard == [b"x" * 4000, b"x" * 4000, b"last"]
    chip.broker.say(*[message(b"") for _ in range(100)])
    assert chip.is_online()
    assert len([chip.link.hear(0) for _ in range(100)]) == 100
    assert INBOX_COUNT_MAX < 100


def test_a_quiet_connection_is_kept_alive() -> None:
    chip = Chip()
    assert chip.is_online()
    assert chip.link.hear(SIX_HOURS_MS) is None
    assert chip.broker.connections == 1
    pings = chip.broker.heard.count(PINGREQ)
    assert SIX_HOURS_MS // PING_AFTER_MS - 10 <= pings <= SIX_HOURS_MS // PING_AFTER_MS


def test_a_broker_that_says_nothing_any_more_is_left() -> None:
    chip = Chip()
    assert chip.is_online()
    chip.broker.answers_pings = False
    began_ms = chip.time.now_ms
    assert chip.link.hear(SIX_HOURS_MS) == RECONNECTED
    assert chip.time.now_ms - began_ms < SILENCE_MS_MAX + PING_AFTER_MS + RECONNECT_MS_MAX
    assert "it says nothing any more" in chip.time.lines[0]


def test_a_broker_that_never_lets_the_robot_in_is_left() -> None:
    chip = Chip()
    chip.broker.accepts = b""
    assert not chip.is_online()
    assert chip.link.hear(60_000) is None
    assert chip.broker.connections > 1 and not chip.link.publish("t", b"", 100)


def test_a_robot_that_is_refused_says_so_once_and_tries_ever_more_rarely() -> None:
    chip = Chip()
    chip.broker.accepts = b"\x20\x02\x00\x05"
    chip.link.hear(SIX_HOURS_MS)
    assert chip.time.lines == [
        "no way to the broker (it refuses the robot with code 5): it is tried again, and HTTPS goes on"
    ]
    assert 600 < chip.broker.connections < 800, "half a minute each, with dice that show half of it"


def test_what_is_no_broker_is_left() -> None:
    chip = Chip()
    chip.broker.accepts = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    chip.link.hear(1000)
    assert "does not speak MQTT" in chip.time.lines[0]


def test_a_robot_that_may_not_hear_commands_says_so() -> None:
    chip = Chip()
    assert chip.is_online()
    chip.broker.say(b"\x90\x03\x00\x01\x80")
    chip.link.hear(100)
    assert chip.time.lines == ["the broker lets the robot hear no commands: look at its rules"]


def test_a_broker_that_comes_back_is_a_reason_to_ask() -> None:
    chip = Chip()
    assert chip.is_online()
    chip.broker.is_there = False
    assert chip.link.hear(600_000) is None
    assert not chip.is_online()
    chip.broker.is_there = True
    began_ms = chip.time.now_ms
    assert chip.link.hear(SIX_HOURS_MS) == RECONNECTED
    assert chip.time.now_ms - began_ms <= RECONNECT_MS_MAX
    assert chip.is_online()


def test_a_connection_that_never_lasts_is_not_made_every_second() -> None:
    chip = Chip()
    for _ in range(20):
        chip.broker.is_there = True
        while not chip.broker.is_open:
            chip.link.hear(100)
        assert chip.is_online()
        chip.broker.is_there = False
        chip.link.hear(0)
    assert chip.time.now_ms > 10 * RECONNECT_MS_MAX // 2
    chip.broker.is_there = True
    assert chip.link.hear(RECONNECT_MS_MAX) == RECONNECTED
    assert chip.link.hear(10 * RECONNECT_MS_MAX) is None
    chip.broker.is_there = False
    chip.link.hear(0)
    chip.broker.is_there = True
    began_ms = chip.time.now_ms
    chip.link.hear(0)
    while not chip.broker.is_open:
        chip.link.hear(10)
    assert chip.time.now_ms - began_ms <= RECONNECT_MS_FIRST, "the one before had lasted"


def test_numbers_of_messages_begin_anew_and_are_never_zero() -> None:
    chip = Chip()
    assert chip.is_online()
    chip.link._packet_id = 0xFFFE
    assert all(chip.is_online() for _ in range(3))
    assert [data[-2:] for data in chip.broker.heard[-3:]] == [b"\xff\xff", b"\x00\x01", b"\x00\x02"]


def test_the_clock_of_a_chip_that_begins_anew_goes_on() -> None:
    ticks = [2**30 - 5]

    def ticks_diff(now: int, then: int) -> int:
        return (now - then + 2**29) % 2**30 - 2**29

    clock_ms = rising_ms(lambda: ticks[0], ticks_diff)
    assert clock_ms() == 0
    ticks[0] = 7
    assert clock_ms() == 12
