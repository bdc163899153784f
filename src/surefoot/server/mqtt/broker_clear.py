"""Clearing what a robot left with the broker: its retained messages outlast its credentials, and take up memory.

The broker tells what it retains to who subscribes, and forgets a message when an empty one takes its place. Of sessions
under client ids that are not a robot's own id it tells nobody: those end by themselves (`broker_config.SESSION_LIFE`).
"""

import struct
from typing import BinaryIO

from surefoot.fleet.aws_requests import ROOT as AWS_ROOT
from surefoot.server.mqtt.broker_address import BrokerAddress
from surefoot.server.mqtt.broker_cut import entered, packet
from surefoot.wire.topics import topic_of

# Nobody's client id, as it has a slash.
CLIENT_ID = "surefoot/clear"
# The broker drops what it cannot queue for us, and tells it the next time.
ROUNDS_MAX = 100

_PUBLISH, _RETAINED = 0x30, 0x01
_SUBSCRIBE, _PING, _PONG = 0x82, 0xC0, 0xD0


def clear(address: BrokerAddress, robot_id: str) -> int:
    """Take away all that is retained under a robot's topics; return how many messages that were.

    Raises:
        Interrupted: `interrupted-broker`.
    """
    count = 0
    asked = subscribe_packet(topic_of(robot_id, "#"), f"{AWS_ROOT}{robot_id}/#") + packet(_PING, b"")
    with entered(address, CLIENT_ID) as (broker, answers):
        for _ in range(ROUNDS_MAX):
            broker.sendall(asked)
            topics = retained_topics(answers)
            if not topics:
                break
            for topic in topics:
                broker.sendall(packet(_PUBLISH | _RETAINED, struct.pack(">H", len(topic)) + topic))
            count += len(topics)
    return count


def subscribe_packet(*filters: str) -> bytes:
    """Return MQTT 3.1.1's SUBSCRIBE with QoS 0 for these."""
    encoded = [topic_filter.encode() for topic_filter in filters]
    asked = b"".join(struct.pack(">H", len(one)) + one + b"\x00" for one in encoded)
    return packet(_SUBSCRIBE, struct.pack(">H", 1) + asked)


def retained_topics(answers: BinaryIO) -> list[bytes]:
    """Return the topics of the retained messages that come before the answer to our ping; `OSError` without that."""
    topics: list[bytes] = []
    while True:
        head, body = _packet_of(answers)
        if head == _PONG:
            return topics
        # What is published just now comes too, without that mark.
        if head & ~0x08 == _PUBLISH | _RETAINED:
            (length,) = struct.unpack_from(">H", body)
            topics.append(body[2 : 2 + length])


def _packet_of(answers: BinaryIO) -> tuple[int, bytes]:
    head, length, shift = _byte(answers), 0, 0
    while True:
        part = _byte(answers)
        length |= (part & 0x7F) << shift
        shift += 7
        if not part & 0x80:
            break
    return head, _bytes(answers, length)


def _byte(answers: BinaryIO) -> int:
    return _bytes(answers, 1)[0]


def _bytes(answers: BinaryIO, count: int) -> bytes:
    read = answers.read(count)
    if len(read) < count:
        raise ConnectionResetError("the broker hung up")
    return read
