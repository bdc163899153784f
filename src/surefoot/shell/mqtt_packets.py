"""MQTT 3.1.1 packets as bytes: what a small client says, and what a broker says to it.

Nothing here does I/O, and the same file runs on CPython and on MicroPython. Version 3.1.1 is enough for a robot, as an
answer names its report itself; version 5 would add properties that a chip had to read over.
Source: OASIS MQTT 3.1.1, sections 2 and 3.
"""

from surefoot.wire.errors import Refused
from surefoot.wire.record import Record

CODE = "refused-mqtt-format"

_CONNECT = 0x10
_CONNACK = 0x20
_PUBLISH = 0x30
_PUBACK = 0x40
_SUBSCRIBE = 0x82
_SUBACK = 0x90
_PINGRESP = 0xD0

PINGREQ = b"\xc0\x00"

# What a broker says besides messages, and how long that is.
_ANSWER_BYTES = {_CONNACK: 2, _PUBACK: 2, _SUBACK: 3, _PINGRESP: 0}
_LENGTH_BYTES_MAX = 4
_QOS_1 = 0x02
_RETAIN = 0x01
_SUBSCRIPTION_FAILED = 0x80
_CLEAN_SESSION = 0x02
_WILL_QOS_1_RETAINED = 0x2C
_USERNAME = 0x80
_PASSWORD = 0x40


class Packet(Record):
    """Base of what a broker says."""

    __slots__ = ()


class Connack(Packet):
    """The answer to CONNECT: 0 lets the client in."""

    __slots__ = ("code",)
    code: int


class Puback(Packet):
    """The broker has the message that was published under this number."""

    __slots__ = ("packet_id",)
    packet_id: int


class Suback(Packet):
    """Whether the broker lets the client hear what it subscribed to."""

    __slots__ = ("is_allowed",)
    is_allowed: bool


class Pingresp(Packet):
    """The broker is there."""

    __slots__ = ()


class Published(Packet):
    """A message; `packet_id` is None where no acknowledgement is wanted, `payload` where it is too long to be held."""

    __slots__ = ("packet_id", "payload")
    packet_id: "int | None"
    payload: "bytes | None"


def encode_connect(client_id: str, token: "str | None", will_topic: str, will: bytes, keepalive_s: int) -> bytes:
    """Return CONNECT for a session that ends with the connection; the last will is retained.

    With a token, the client_id is the user's name and the token the password.
    """
    flags = _CLEAN_SESSION | _WILL_QOS_1_RETAINED
    body = _text(client_id.encode()) + _text(will_topic.encode()) + _text(will)
    if token is not None:
        flags |= _USERNAME | _PASSWORD
        body += _text(client_id.encode()) + _text(token.encode())
    return _packet(_CONNECT, _text(b"MQTT") + bytes((4, flags)) + _number(keepalive_s) + body)


def encode_subscribe(packet_id: int, topic: str) -> bytes:
    """Return SUBSCRIBE to one topic, at QoS 1."""
    return _packet(_SUBSCRIBE, _number(packet_id) + _text(topic.encode()) + b"\x01")


def encode_publish(packet_id: int, topic: str, payload: bytes, retain: bool) -> bytes:
    """Return PUBLISH at QoS 1."""
    kind = _PUBLISH | _QOS_1 | (_RETAIN if retain else 0)
    return _packet(kind, _text(topic.encode()) + _number(packet_id) + payload)


def encode_puback(packet_id: int) -> bytes:
    """Return the acknowledgement of a message."""
    return _packet(_PUBACK, _number(packet_id))


def _packet(kind: int, body: bytes) -> bytes:
    head, left = bytes((kind,)), len(body)
    while True:
        more = left >> 7
        head += bytes((left & 0x7F | (0x80 if more else 0),))
        if not more:
            return head + body
        left = more


def _number(value: int) -> bytes:
    return bytes((value >> 8, value & 0xFF))


def _text(data: bytes) -> bytes:
    return _number(len(data)) + data


class PacketReader:
    """Cuts what comes from a broker into packets and holds no more than one of `bytes_max`.

    Of a longer message only the number is kept, for it has to be acknowledged or would come for ever.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._held = bytearray()
        self._skip_bytes = 0

    def feed(self, data: bytes) -> "list[Packet]":
        """Take what arrived; return the packets it completes.

        Raises:
            Refused: `refused-mqtt-format`; what comes behind cannot be understood either, so the connection must end.
        """
        skipped = min(self._skip_bytes, len(data))
        self._skip_bytes -= skipped
        self._held.extend(data[skipped:])
        packets: "list[Packet]" = []
        while True:
            packet = self._next()
            if packet is None:
                return packets
            packets.append(packet)

    def _next(self) -> "Packet | None":
        head = _head(self._held)
        if head is None:
            return None
        first, length = head
        kind = self._held[0]
        if kind & 0xF0 != _PUBLISH and _ANSWER_BYTES.get(kind) != length:
            raise _wrong(f"type {kind} with {length} bytes is nothing that it says to this client")
        if length > self._bytes_max:
            return self._skip(kind, first, length)
        if len(self._held) < first + length:
            return None
        body = bytes(self._held[first : first + length])
        self._held = self._held[first + length :]
        return _decode(kind, body)

    def _skip(self, kind: int, first: int, length: int) -> "Packet | None":
        """Return a message too long to be held as soon as its number is there, and drop the rest when it comes."""
        if len(self._held) < first + 2:
            return None
        needed = 2 + (self._held[first] << 8 | self._held[first + 1]) + 2
        if needed > self._bytes_max:
            raise _wrong("a topic is longer than any can be")
        if len(self._held) < first + needed:
            return None
        message = _published(kind, bytes(self._held[first : first + needed]))
        here = min(len(self._held), first + length)
        self._skip_bytes = first + length - here
        self._held = self._held[here:]
        return message.replace(payload=None)


def _head(data: bytearray) -> "tuple[int, int] | None":
    """Return where the first packet's body begins and how long it is, None while that has not arrived."""
    length = 0
    for index in range(_LENGTH_BYTES_MAX):
        if len(data) < index + 2:
            return None
        byte = data[index + 1]
        length |= (byte & 0x7F) << (7 * index)
        if not byte & 0x80:
            return index + 2, length
    raise _wrong("a length has more than four bytes")


def _decode(kind: int, body: bytes) -> Packet:
    if kind & 0xF0 == _PUBLISH:
        return _published(kind, body)
    if kind == _CONNACK:
        return Connack(code=body[1])
    if kind == _PUBACK:
        return Puback(packet_id=body[0] << 8 | body[1])
    if kind == _SUBACK:
        return Suback(is_allowed=body[2] != _SUBSCRIPTION_FAILED)
    return Pingresp()


def _published(kind: int, body: bytes) -> Published:
    qos = kind & 0x06
    if qos not in (0, _QOS_1):
        raise _wrong("a message comes at a QoS that was not subscribed to")
    # The topic is not looked at: a robot subscribes to one.
    end = 2 + (body[0] << 8 | body[1]) if len(body) >= 2 else 2
    if len(body) < end + qos:
        raise _wrong("a message ends within its head")
    if not qos:
        return Published(packet_id=None, payload=body[end:])
    return Published(packet_id=body[end] << 8 | body[end + 1], payload=body[end + 2 :])


def _wrong(what: str) -> Refused:
    return Refused(CODE, f"The broker does not speak MQTT 3.1.1: {what}.")
