"""Cutting a robot's connection to the broker: by entering under its client id, as the server.

Mosquitto looks at certificates when a client connects and never again. Of two clients with one id it drops the earlier,
and a session that is to be clean takes the robot's messages and subscriptions with it. The few bytes for that are
written here, so that whoever supervises a broker needs no MQTT client.
"""

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO
from urllib.parse import urlsplit

from surefoot.server.mqtt.broker_address import BrokerAddress
from surefoot.wire.errors import Interrupted

TIMEOUT_S = 5.0
# The broker takes nobody in who would never say a word.
KEEPALIVE_S = 10
_CLEAN_SESSION = 0x02
_CONNECTED = b"\x20\x02\x00\x00"
_DISCONNECT = b"\xe0\x00"


def cut(address: BrokerAddress, client_id: str) -> None:
    """End the connection and the session of whoever has this client id; a robot's is its robot id.

    Raises:
        Interrupted: `interrupted-broker` when the broker cannot be reached or does not let the server in.
    """
    with entered(address, client_id):
        pass


@contextmanager
def entered(address: BrokerAddress, client_id: str) -> Iterator[tuple[ssl.SSLSocket, BinaryIO]]:
    """Be at the broker as the server under this id while the block runs: where to write, and where to read.

    Raises:
        Interrupted: as `cut`, and when the broker goes away meanwhile.
    """
    url = urlsplit(address.url)
    try:
        context = ssl.create_default_context(cafile=address.ca_path)
        context.load_cert_chain(address.certificate_path)
        with (
            socket.create_connection((url.hostname or "", url.port or 0), TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=url.hostname) as secured,
            secured.makefile("rb") as answers,
        ):
            secured.sendall(connect_packet(client_id))
            if answers.read(len(_CONNECTED)) != _CONNECTED:
                raise Interrupted("interrupted-broker", "The broker does not let the server in: see the broker's log.")
            yield secured, answers
            secured.sendall(_DISCONNECT)
    except OSError as error:
        raise Interrupted("interrupted-broker", f"The broker cannot be reached: {error.strerror or error}.") from error


def connect_packet(client_id: str) -> bytes:
    """Return MQTT 3.1.1's CONNECT for a clean session under this id."""
    name = client_id.encode()
    variable = struct.pack(">H4sBBH", 4, b"MQTT", 4, _CLEAN_SESSION, KEEPALIVE_S) + struct.pack(">H", len(name)) + name
    return packet(0x10, variable)


def packet(head: int, body: bytes) -> bytes:
    """Return a packet: its kind with flags, its length, its body."""
    return bytes([head]) + _length(len(body)) + body


def _length(number: int) -> bytes:
    # Seven bits a byte, the lowest first; the eighth says that more follow.
    encoded = bytearray()
    while True:
        number, low = divmod(number, 128)
        encoded.append(low | (0x80 if number else 0))
        if not number:
            return bytes(encoded)
