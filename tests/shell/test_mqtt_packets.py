"""MQTT 3.1.1 byte by byte, as the standard prints it. Runs on MicroPython too."""

from surefoot.shell.mqtt_packets import (
    PINGREQ,
    Connack,
    PacketReader,
    Pingresp,
    Puback,
    Published,
    Suback,
    encode_connect,
    encode_puback,
    encode_publish,
    encode_subscribe,
)
from surefoot.wire.errors import Refused

BYTES_MAX = 300


def fed(data: bytes, step: int = 1000) -> "list[object]":
    reader = PacketReader(BYTES_MAX)
    return [packet for at in range(0, len(data), step) for packet in reader.feed(data[at : at + step])]


def publish(payload: bytes, topic: bytes = b"a/b", packet_id: bytes = b"\x00\x07", kind: int = 0x32) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic + packet_id + payload
    if len(body) < 128:
        return bytes((kind, len(body))) + body
    return bytes((kind, len(body) & 0x7F | 0x80, len(body) >> 7)) + body


def refusal(data: bytes) -> str:
    try:
        fed(data)
    except Refused as error:
        return error.code
    return "taken"


def test_connect_keeps_no_session_and_leaves_a_will_that_is_retained() -> None:
    packet = encode_connect("r-1", None, "fleet/r-1/online", b"0", 30)
    body = b"\x00\x04MQTT\x04\x2e\x00\x1e\x00\x03r-1\x00\x10fleet/r-1/online\x00\x010"
    assert packet == bytes((0x10, len(body))) + body


def test_connect_with_a_token_names_the_robot_as_user() -> None:
    packet = encode_connect("r-1", "secret", "t", b"0", 30)
    assert packet[9] == 0x2E | 0xC0
    assert packet.endswith(b"\x00\x03r-1\x00\x06secret")


def test_what_a_client_says_is_what_the_standard_prints() -> None:
    assert encode_subscribe(10, "a/b") == b"\x82\x08\x00\x0a\x00\x03a/b\x01"
    assert encode_publish(10, "a/b", b"hi", retain=False) == b"\x32\x09\x00\x03a/b\x00\x0ahi"
    assert encode_publish(0xFFFF, "a/b", b"1", retain=True) == b"\x33\x08\x00\x03a/b\xff\xff1"
    assert encode_puback(0x0102) == b"\x40\x02\x01\x02"
    assert PINGREQ == b"\xc0\x00"


def test_lengths_take_as_many_bytes_as_they_need() -> None:
    for payload_bytes, head in ((120, b"\x32\x7f"), (121, b"\x32\x80\x01"), (16_377, b"\x32\x80\x80\x01")):
        packet = encode_publish(1, "a/b", bytes(payload_bytes), retain=False)
        assert packet[: len(head)] == head
        assert len(packet) == len(head) + 7 + payload_bytes


def test_what_a_broker_says_is_told_apart_however_it_is_cut() -> None:
    said = b"\x20\x02\x01\x00" + publish(b"hello") + b"\x40\x02\x00\x09" + b"\x90\x03\x00\x01\x01" + b"\xd0\x00"
    expected = [
        Connack(code=0),
        Published(packet_id=7, payload=b"hello"),
        Puback(packet_id=9),
        Suback(is_allowed=True),
        Pingresp(),
    ]
    for step in range(1, len(said) + 1):
        assert fed(said, step) == expected


def test_refusals_are_told() -> None:
    assert fed(b"\x20\x02\x00\x05") == [Connack(code=5)]
    assert fed(b"\x90\x03\x00\x01\x80") == [Suback(is_allowed=False)]


def test_a_message_that_wants_no_acknowledgement_has_no_number() -> None:
    assert fed(publish(b"hello", packet_id=b"", kind=0x31)) == [Published(packet_id=None, payload=b"hello")]


def test_a_message_too_long_to_be_held_keeps_its_number_and_what_follows_is_heard() -> None:
    said = publish(bytes(BYTES_MAX)) + publish(b"short")
    for step in (1, 2, 5, 7, 64, 1000):
        assert fed(said, step) == [Published(packet_id=7, payload=None), Published(packet_id=7, payload=b"short")]


def test_no_more_is_held_than_one_packet() -> None:
    reader = PacketReader(BYTES_MAX)
    head = b"\x32\xff\xff\xff\x7f\x00\x03a/b\x00\x07"
    assert reader.feed(head) == [Published(packet_id=7, payload=None)]
    for _ in range(1000):
        assert reader.feed(bytes(1000)) == []
    assert len(reader._held) == 0


def test_what_is_no_mqtt_is_refused() -> None:
    for data in (
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x32\xff\xff\xff\xff\x01",
        b"\x20\x03\x00\x00\x00",
        b"\x40\x01\x00",
        b"\x90\x02\x00\x01",
        b"\xd0\x01\x00",
        b"\x34\x05\x00\x01a\x00\x01",
        b"\x36\x05\x00\x01a\x00\x01",
        b"\x32\x01\x00",
        b"\x32\x03\x00\x01a",
        b"\x32\x04\x00\x09ab",
        b"\x40\xff\x7f",
        b"\x32\xff\x7f\x7f\xff",
        b"\x00\x00",
        b"\x15\x03\x03\x00\x02\x02\x28",
    ):
        assert refusal(data) == "refused-mqtt-format", data
