"""Diagnostics of many robots, as fast as the broker takes them, written ahead so that the sender costs next to nothing.

`python mqtt_flood.py HOST PORT CA CERTIFICATE ROBOTS` sends until standard input ends.
"""

import json
import socket
import ssl
import struct
import sys
import threading

from bench_peers.mqtt_robots import robot_id_of

CONNECTED_BYTES = 4
TOGETHER = 200


def diagnostics(robot_id: str) -> bytes:
    """Return what a robot's bridge publishes once a second."""
    values = {"percentage": "78.2", "voltage_v": "7.84"}
    status = [
        {"name": f"{robot_id}/battery", "level": 0, "message": "OK: 78%", "values": values},
        {"name": f"{robot_id}/safety", "level": 0, "message": "Normal operation", "values": {"estop_active": "false"}},
    ]
    return json.dumps({"timestamp": 1705312200.123, "robot_id": robot_id, "status": status}).encode()


def publish(topic: str, payload: bytes, packet_id: int | None = None) -> bytes:
    """Return PUBLISH of MQTT 3.1.1, with QoS 1 where there is a packet id."""
    number = b"" if packet_id is None else struct.pack(">H", packet_id)
    body = struct.pack(">H", len(topic)) + topic.encode() + number + payload
    return packet(0x30 if packet_id is None else 0x32, body)


def packet(kind: int, body: bytes) -> bytes:
    """Return a packet with its length."""
    head, left = bytearray([kind]), len(body)
    while True:
        left, low = divmod(left, 128)
        head.append(low | (128 if left else 0))
        if not left:
            return bytes(head) + body


def enter(host: str, port: int, ca: str, certificate: str, client_id: str) -> ssl.SSLSocket:
    """Connect to the broker as the server."""
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(certificate)
    connection = context.wrap_socket(socket.create_connection((host, port), 60), server_hostname=host)
    name = client_id.encode()
    connect = struct.pack(">H4sBBH", 4, b"MQTT", 4, 2, 1200) + struct.pack(">H", len(name)) + name
    connection.sendall(packet(0x10, connect))
    answer = connection.recv(CONNECTED_BYTES)
    if answer[3:] != b"\0":
        raise ConnectionRefusedError(f"the broker answered {answer.hex()}")
    return connection


def main() -> None:
    """Send until told to stop."""
    host, port, ca, certificate, robots = sys.argv[1:]
    connection = enter(host, int(port), ca, certificate, f"flood-{robots}")
    messages = [
        publish(f"fleet/{robot_id_of(number)}/diagnostics", diagnostics(robot_id_of(number)))
        for number in range(int(robots))
    ]
    blocks = [b"".join(messages[first : first + TOGETHER]) for first in range(0, len(messages), TOGETHER)]
    ended = threading.Event()
    threading.Thread(target=_end_with_input, args=(ended,), daemon=True).start()
    while not ended.is_set():
        for block in blocks:
            connection.sendall(block)


def _end_with_input(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main()
