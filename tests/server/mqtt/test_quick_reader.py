"""The shorter way through gmqtt hands over the same messages, however they are cut into pieces."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from surefoot.server.mqtt.quick_reader import read_quickly

PING = b"\xd0\x00"


class Library:
    """A gmqtt client as far as reading goes: its own way is noted, packet by packet."""

    def __init__(self) -> None:
        self.longer: list[bytes] = []
        protocol = SimpleNamespace(_read_packet=self._read)
        self._connection: Any = SimpleNamespace(_protocol=protocol, _last_data_in=0.0)

    def feed(self, data: bytes) -> int:
        consumed: int = self._connection._protocol._read_packet(data)
        return consumed

    def _read(self, data: bytes) -> int:
        at = 0
        while (end := _end_of(data, at)) is not None:
            self.longer.append(data[at:end])
            at = end
        return at


def _end_of(data: bytes, at: int) -> int | None:
    length, shift, body = 0, 0, at + 1
    while body < len(data):
        length |= (data[body] & 0x7F) << shift
        shift, body = shift + 7, body + 1
        if not data[body - 1] & 0x80:
            end = body + length
            return end if end <= len(data) else None
    return None


def publish(topic: str, payload: bytes, first: int = 0x30, properties: bytes = b"\0") -> bytes:
    body = len(topic).to_bytes(2, "big") + topic.encode() + properties + payload
    length, left = bytearray(), len(body)
    while True:
        left, low = divmod(left, 128)
        length.append(low | (128 if left else 0))
        if not left:
            return bytes([first, *length]) + body


PACKETS = st.one_of(
    st.builds(publish, st.sampled_from(["a", "fleet/robot-1/diagnostics"]), st.binary(max_size=300)),
    st.builds(publish, st.just("long"), st.integers(16_000, 17_000).map(bytes)),
    st.just(publish("retained", b"1", first=0x31)),
    st.just(publish("with properties", b"1", properties=b"\x02\x01\x00")),
    st.just(publish("empty", b"")),
    st.just(PING),
)


@given(st.lists(PACKETS, max_size=8), st.integers(1, 400))
def test_all_packets_arrive_in_order_however_they_are_cut(packets: list[bytes], piece_bytes: int) -> None:
    library, taken = Library(), []
    read_quickly(library, lambda topic, payload: taken.append((topic, payload)))
    data, buffer = b"".join(packets), b""
    for first in range(0, len(data), piece_bytes):
        buffer += data[first : first + piece_bytes]
        consumed = library.feed(buffer)
        assert 0 <= consumed <= len(buffer)
        buffer = buffer[consumed:]
    assert buffer == b""
    assert sorted([*library.longer, *(publish(topic, payload) for topic, payload in taken)]) == sorted(packets)
    assert taken == [one for one in taken if publish(*one) in packets]


def test_plain_messages_take_the_shorter_way() -> None:
    library, taken = Library(), []
    read_quickly(library, lambda topic, payload: taken.append((topic, payload)))
    data = publish("a", b"1") + publish("b", b"x" * 500) + PING + publish("c", b"3")
    assert library.feed(data) == len(data)
    assert taken == [("a", b"1"), ("b", b"x" * 500)]
    assert library.longer == [PING, publish("c", b"3")]


def test_what_is_no_mqtt_is_left_to_the_library() -> None:
    library = Library()
    library._connection._protocol._read_packet = lambda _data: -1
    read_quickly(library, lambda _topic, _payload: None)
    assert library.feed(publish("a", b"1") + b"\x30\xff\xff\xff\xff\xff") == -1
    assert library.feed(b"\x30\x05\xff\xff\x00\x00\x00") == -1
