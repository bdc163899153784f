"""Runs a whole update, download to reboot, through kernel and runner, in a heap that is all but full.

Run by MicroPython with the story's path and the bytes of heap to leave free once everything is imported. The story
(offer, signed header, trusted key) is made by the test, where there is a private key to sign with. An image is one
piece over and over, unless the story names the files of an update by a delta.
"""

import binascii
import gc
import json
import sys

import deflate  # type: ignore[import-not-found]

from surefoot.agent.preflight import NO_SENSORS, Conditions
from surefoot.agent.values import Identity, SlotImage, Slots
from surefoot.shell.esp32_inflate import inflate_with
from surefoot.shell.runner import Runner
from surefoot.trust import p256
from surefoot.trust.keys import KeyRing, PublicKey
from surefoot.wire.limits import CHUNK_BYTES
from surefoot.wire.offer import Answer, parse_answer
from surefoot.wire.version import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# One piece over and over, so that a large image needs no memory here either.
PIECE = bytes(range(256)) * (CHUNK_BYTES // 256)
VERSION = Version(major=0, minor=2, patch=0)


class Robot:
    """Slots, journal, server and host in one, each as bare as it can be: flash is elsewhere, so nothing is kept."""

    def __init__(self, answer: bytes, header: bytes, image_bytes: int) -> None:
        self.answer = answer
        self.header = header
        self.image_bytes = image_bytes
        self.written_bytes = 0
        self.journal_writes = 0
        self.is_switched = False

    def look(self) -> Slots:
        running = SlotImage(slot="a", digest="00" * 32, version="0.2.0", state="confirmed")
        spare = SlotImage(slot="b", digest=None, version="", state="empty")
        return Slots(
            running=running, spare=spare, spare_bytes=self.image_bytes, block_bytes=CHUNK_BYTES, enforces_trial=True
        )

    def prepare_spare(self) -> None:
        pass

    def erase_block(self, offset_bytes: int) -> None:
        pass

    def write(self, offset_bytes: int, data: bytes) -> None:
        assert offset_bytes == self.written_bytes and data == PIECE
        self.written_bytes += len(data)

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        # A copy, as a driver that reads flash would return.
        return bytes(bytearray(PIECE[:length_bytes]))

    def read_running(self, offset_bytes: int, length_bytes: int) -> bytes:
        return b""

    def inspect(self, size_bytes: int) -> "tuple[str, int | None]":
        return "", None

    def set_boot_slot(self) -> None:
        self.is_switched = True

    def read_copies(self) -> "tuple[bytes, bytes]":
        return b"", b""

    def write_copy(self, index: int, data: bytes) -> None:
        self.journal_writes += 1

    def exchange(self, report: object) -> Answer:
        return parse_answer(self.answer)

    def open(self, url: str, sha256: str, first_byte: int) -> "Download":
        return Download(self)

    def conditions(self) -> Conditions:
        return NO_SENSORS

    def passes(self, check: str, timeout_s: int) -> bool:
        raise AssertionError("the robot has not restarted")

    def confirm(self) -> None:
        raise AssertionError("the robot has not restarted")

    def go_back(self) -> None:
        raise AssertionError("the robot has not restarted")

    def pause(self, delay_s: int) -> None:
        raise AssertionError("nothing fails here, so nothing waits")

    def log(self, text: str) -> None:
        print(text)


class DeltaRobot(Robot):
    """A robot that is offered a delta; the images are files, as flash is no heap either."""

    def __init__(self, story: "dict[str, Any]") -> None:
        Robot.__init__(self, story["answer"].encode(), binascii.unhexlify(story["header"]), story["image_bytes"])
        self.source_digest = story["source_digest"]
        self.source = open(story["source"], "rb")  # noqa: SIM115 - as long as the program
        self.target = open(story["target"], "rb")  # noqa: SIM115 - as long as the program
        self.delta_path = story["delta"]

    def look(self) -> Slots:
        slots = Robot.look(self)
        return slots.replace(running=slots.running.replace(digest=self.source_digest))

    def write(self, offset_bytes: int, data: bytes) -> None:
        assert offset_bytes == self.written_bytes
        self.target.seek(offset_bytes)
        for place in range(0, len(data), 256):
            assert self.target.read(min(256, len(data) - place)) == data[place : place + 256]
        self.written_bytes += len(data)

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        self.target.seek(offset_bytes)
        return self.target.read(length_bytes)

    def read_running(self, offset_bytes: int, length_bytes: int) -> bytes:
        self.source.seek(offset_bytes)
        return self.source.read(length_bytes)

    def open(self, url: str, sha256: str, first_byte: int) -> "Any":
        assert url == "delta" and first_byte == 0
        return open(self.delta_path, "rb")


class Download:
    """The file, made as it is read."""

    def __init__(self, robot: Robot) -> None:
        self.robot = robot
        self.is_begun = False

    def read(self, length_bytes: int) -> bytes:
        if not self.is_begun:
            self.is_begun = True
            assert length_bytes == len(self.robot.header)
            return self.robot.header
        return bytes(bytearray(PIECE))

    def close(self) -> None:
        pass


def fill_heap(free_bytes: int) -> "list[bytearray]":
    """Take all of the heap but so many bytes."""
    ballast = [bytearray(0)] * (gc.mem_free() // 256)  # type: ignore[attr-defined]
    count = 0
    gc.collect()
    while gc.mem_free() > free_bytes:  # type: ignore[attr-defined]
        ballast[count] = bytearray(240)
        count += 1
    return ballast


def main(path: str, free_bytes: int) -> None:
    with open(path) as file:
        story = json.load(file)
    if "delta" in story:
        robot: Robot = DeltaRobot(story)
        inflate = inflate_with(deflate)
    else:
        robot = Robot(story["answer"].encode(), binascii.unhexlify(story["header"]), story["image_bytes"])
        inflate = None
    identity = Identity(
        robot_id="robot-001",
        sku="standard",
        ring=KeyRing(keys=(PublicKey.from_xy(binascii.unhexlify(story["key_xy"])),)),
        verify=p256.verify,
        version_floor=VERSION,
        protocol=1,
        companion_version=None,
        chip_id=None,
        attempts_max=3,
        needs_manifest=True,
    )
    story = None
    gc.collect()
    program_bytes = gc.mem_alloc()  # type: ignore[attr-defined]
    ballast = fill_heap(free_bytes)
    assert Runner(identity, robot, robot, robot, robot, inflate).start("epoch") is None
    assert robot.is_switched and robot.written_bytes == robot.image_bytes
    del ballast
    print("program bytes", program_bytes, "journal writes", robot.journal_writes)


main(sys.argv[1], int(sys.argv[2]))
