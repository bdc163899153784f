"""A shorter way through gmqtt for what comes all the time: plain messages with QoS 0.

The library reads each of them by a chain of calls that takes longer than all the server does with it. What is not plain
goes the library's own way, and whatever comes behind it in the same piece.
"""

from collections.abc import Callable
from time import monotonic
from typing import Any

# PUBLISH with QoS 0, neither retained nor a copy.
PLAIN = 0x30
MORE = 0x80


def read_quickly(library: Any, take: Callable[[str, bytes], None]) -> None:
    """Let a connected gmqtt client hand plain messages to `take` at once."""
    connection = library._connection
    longer_way = connection._protocol._read_packet

    def read(data: bytes) -> int:
        """Take all whole packets of the data; return how many bytes they have, -1 for what is no MQTT."""
        connection._last_data_in = monotonic()
        at, until = 0, len(data)
        # A packet is its first byte, its length in one or two bytes, and so many bytes.
        while at + 3 < until and data[at] == PLAIN:
            length, body = data[at + 1], at + 2
            if length & MORE:
                length, body = length & ~MORE | data[at + 2] << 7, at + 3
                if length & MORE << 7:
                    break
            end = body + length
            if end > until:
                return at
            payload = body + 2 + (data[body] << 8 | data[body + 1])
            # A message without properties says that they have no bytes.
            if payload >= end or data[payload]:
                break
            topic = data[body + 2 : payload]
            at = end
            take(topic.decode("utf-8", "replace"), data[payload + 1 : end])
        consumed = longer_way(data[at:]) if at < until else 0
        return consumed if consumed < 0 else at + consumed

    connection._protocol._read_packet = read
