"""Many connected robots in one process, for measuring when commands arrive: real TLS connections, no agent behind them.

`python mqtt_robots.py HOST PORT CA FIRST COUNT` connects the robots FIRST to FIRST + COUNT - 1 and prints "ready"; for
each line on standard input it prints, as JSON, when the commands since the last line arrived (Unix seconds).
"""

import json
import select
import socket
import ssl
import sys
import time

from surefoot.shell.mqtt_packets import (
    Connack,
    PacketReader,
    Published,
    Suback,
    encode_connect,
    encode_puback,
    encode_subscribe,
)
from surefoot.wire.topics import command_topic, online_topic

KEEPALIVE_S = 1200
PACKET_BYTES_MAX = 16 * 1024
READ_BYTES = 16 * 1024


def robot_id_of(number: int) -> str:
    """Return the id of a simulated robot."""
    return f"robot-{number:07d}"


def token_of(number: int) -> str:
    """Return its token."""
    return f"token-of-{robot_id_of(number)}"


class Robots:
    """The robots of this process."""

    def __init__(self, address: tuple[str, int], ca: str) -> None:
        self._address = address
        self._tls = ssl.create_default_context(cafile=ca)
        self._poll = select.epoll()
        self._robots: dict[int, tuple[ssl.SSLSocket, PacketReader]] = {}
        self.arrived_s: list[float] = []

    def connect(self, number: int) -> None:
        """Connect one robot, and return once it hears its commands."""
        robot_id = robot_id_of(number)
        plain = socket.create_connection(self._address, 60)
        robot = self._tls.wrap_socket(plain, server_hostname=self._address[0])
        reader = PacketReader(PACKET_BYTES_MAX)
        robot.sendall(encode_connect(robot_id, token_of(number), online_topic(robot_id), b"0", KEEPALIVE_S))
        _expect(robot, reader, Connack)
        robot.sendall(encode_subscribe(1, command_topic(robot_id)))
        _expect(robot, reader, Suback)
        robot.setblocking(False)
        self._robots[robot.fileno()] = robot, reader
        self._poll.register(robot.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Take commands until standard input ends."""
        asker = sys.stdin.fileno()
        self._poll.register(asker, select.EPOLLIN)
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == asker:
                    if not sys.stdin.readline():
                        return
                    say(json.dumps(self.arrived_s))
                    self.arrived_s = []
                else:
                    self._read(*self._robots[descriptor])

    def _read(self, robot: ssl.SSLSocket, reader: PacketReader) -> None:
        try:
            data = robot.recv(READ_BYTES)
        except ssl.SSLWantReadError:
            return
        for packet in reader.feed(data):
            if isinstance(packet, Published):
                self.arrived_s.append(time.time())
                if packet.packet_id is not None:
                    robot.sendall(encode_puback(packet.packet_id))


def _expect(robot: ssl.SSLSocket, reader: PacketReader, kind: type) -> None:
    while not any(isinstance(packet, kind) for packet in reader.feed(robot.recv(READ_BYTES))):
        pass


def say(line: str) -> None:
    """Tell whoever started this process."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Connect, and take commands."""
    host, port, ca, first, count = sys.argv[1:]
    robots = Robots((host, int(port)), ca)
    for number in range(int(first), int(first) + int(count)):
        robots.connect(number)
    say("ready")
    robots.run()


if __name__ == "__main__":
    main()
