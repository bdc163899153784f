"""Updates a robot whose reports go over a real broker, then waits for a command.

Run by MicroPython with the broker's port, its CA (DER), the robot's id, and either its token or the files (DER) of its
certificate and key. Downloads come from memory.
"""

import random
import sys
import time

import tls  # type: ignore[import-not-found]

from agent.agent_case import IDENTITY, NEW_FILE, OLD
from shell.fakes import MemoryDownload, MemoryJournal, MemorySlots, QuietHost
from surefoot.shell.attention import Attention
from surefoot.shell.esp32_mqtt import Esp32Link
from surefoot.shell.esp32_stream import Esp32Stream, rising_ms
from surefoot.shell.mqtt import MqttTransport
from surefoot.shell.runner import Runner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Downloads:
    """What HTTPS is for; no report may go that way here."""

    def open(self, url: str, sha256: str, first_byte: int) -> MemoryDownload:
        return MemoryDownload(NEW_FILE, first_byte, None)

    def exchange(self, report: object) -> "Any":
        raise AssertionError("a report went over HTTPS")


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def main(port: str, ca: str, robot_id: str, *secrets: str) -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED
    context.load_verify_locations(read(ca))
    token = secrets[0] if len(secrets) == 1 else None
    if token is None:
        context.load_cert_chain(read(secrets[0]), read(secrets[1]))
    clock_ms = rising_ms(time.ticks_ms, time.ticks_diff)  # type: ignore[attr-defined]
    link = Esp32Link(
        robot_id,
        token,
        lambda: Esp32Stream("localhost", int(port), context),
        clock_ms,
        time.sleep_ms,  # type: ignore[attr-defined]
        lambda limit_ms: random.randint(0, limit_ms),
        print,
    )
    attention = Attention(link.hear, clock_ms, lambda limit_ms: 0, print)
    transport = MqttTransport(link, attention, Downloads(), print)
    slots, storage, host = MemorySlots(OLD), MemoryJournal(), QuietHost()
    identity = IDENTITY.replace(robot_id=robot_id)
    while True:
        slots.boot()
        runner = Runner(identity, slots, storage, transport, host, is_cancelled=attention.is_cancelled)
        delay_s = runner.start("epoch-1")
        if delay_s is not None:
            break
    print("at rest for", delay_s, "s:", host.lines[-1])
    assert transport.publish_health(robot_id, b"{}")
    attention.rest(100_000)
    print("woken after", attention.malformed, "malformed")
    runner.check()
    link.close()
    print("done")


main(*sys.argv[1:])
