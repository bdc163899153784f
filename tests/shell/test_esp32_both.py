"""Whole updates by runner and chip drivers alone, on both interpreters: this file runs on MicroPython too."""

from agent.agent_case import IDENTITY, KEY, NEW_VERSION, digest_of, file_of, offer_of
from shell.fakes import MemoryServer, PowerCut, QuietHost
from shell.ram_chip import RamChip, nvs_of, partition_of
from surefoot.shell.esp32 import Esp32Slots
from surefoot.shell.nvs import NvsJournal
from surefoot.shell.runner import Runner
from surefoot.wire.offer import Delta
from surefoot.wire.report import CONFIRMED, ROLLED_BACK, TRIAL
from wire.delta_case import delta_file, patch_of
from wire.test_esp_image import descriptor, image_of

try:
    import deflate  # type: ignore[import-not-found]

    from surefoot.shell.esp32_inflate import inflate_with

    INFLATE: "Any" = inflate_with(deflate)
except ImportError:
    from surefoot.shell.inflate import inflate

    INFLATE = inflate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Any chip that runs MicroPython, not only the first ESP32.
ESP32_S3 = 9
OLD = image_of([descriptor(b"0.2.1"), b"code" * 2000], chip_id=ESP32_S3)
NEW = image_of([descriptor(b"0.3.0"), b"data" * 3000], chip_id=ESP32_S3)


def robot_file() -> bytes:
    return file_of(NEW, NEW_VERSION, KEY)


class Robot:
    """One robot with a server that offers it an update."""

    def __init__(self, failing_check: "str | None" = None) -> None:
        self.chip = RamChip(OLD)
        self.server = MemoryServer(file_of(NEW, NEW_VERSION, KEY), offer_of(NEW, NEW_VERSION))
        self.inflate: Any = None
        self.host = QuietHost()
        self.host.failing_check = failing_check
        self.states: list[str] = []

    def live(self) -> None:
        for _ in range(6):
            self.chip.boot()
            slots = Esp32Slots(partition_of(self.chip), block_bytes=4096)
            self.states.append(slots.look().running.state)
            runner = Runner(IDENTITY, slots, NvsJournal(nvs_of(self.chip)), self.server, self.host, self.inflate)
            if runner.start("epoch") is not None:
                return
        raise AssertionError("it restarts for ever")

    @property
    def said(self) -> "list[str]":
        return [report.assignment.state for report in self.server.reports if report.assignment is not None]


def offered_a_delta(delta: bytes) -> Robot:
    """Return a robot that is offered this delta beside the full file."""
    robot = Robot()
    assert robot.server.offer is not None
    robot.inflate = INFLATE
    robot.server.delta_file = delta
    offered = Delta(url="delta", sha256=digest_of(delta), size_bytes=len(delta), source_digest=digest_of(OLD))
    robot.server.offer = robot.server.offer.replace(delta=offered)
    return robot


def test_a_healthy_update_is_installed() -> None:
    robot = Robot()
    robot.live()
    assert robot.chip.running == 1
    assert robot.states == [CONFIRMED, TRIAL]
    assert robot.said == ["staged", "trial", "installed"]
    assert bytes(robot.chip.slots[1][: len(NEW)]) == NEW


def test_an_update_by_a_delta_is_installed() -> None:
    robot = offered_a_delta(delta_file(OLD, robot_file()))
    robot.live()
    assert robot.chip.running == 1 and bytes(robot.chip.slots[1][: len(NEW)]) == NEW
    assert robot.said == ["staged", "trial", "installed"]
    assert (robot.server.deltas_opened, robot.server.first_bytes) == (1, [0])


def test_a_damaged_delta_costs_the_full_download_and_no_attempt() -> None:
    good = delta_file(OLD, robot_file())
    wrong = NEW[:-40] + b"wrong" + NEW[-35:]
    for damaged in (
        good[: len(good) // 2],
        good[:200] + b"\xff" * 40 + good[240:],
        delta_file(OLD, robot_file(), patch_of(len(NEW), (b"", wrong, 0))),
        delta_file(OLD, robot_file(), b"\xff" * 100),
        delta_file(NEW, robot_file()),
        b"",
    ):
        robot = offered_a_delta(damaged)
        robot.live()
        assert robot.chip.running == 1 and bytes(robot.chip.slots[1][: len(NEW)]) == NEW
        assert robot.server.deltas_opened == 1 and len(robot.server.first_bytes) == 2
        last = robot.server.reports[-1].assignment
        assert last is not None and (last.state, last.attempts) == ("installed", 1)


def test_a_cut_at_every_operation_of_an_update_by_a_delta_ends_on_the_image_that_was_reported() -> None:
    delta = delta_file(OLD, robot_file())
    uncut = offered_a_delta(delta)
    uncut.live()
    installed = 0
    for cut_at in range(1, uncut.chip.operations + 1):
        robot = offered_a_delta(delta)
        robot.chip.cut_at = cut_at
        try:
            robot.live()
            raise AssertionError("the power was not cut")
        except PowerCut:
            robot.chip.cut_at = None
        robot.live()
        last = robot.server.reports[-1]
        running = bytes(robot.chip.slots[robot.chip.running])
        assert last.running.digest == digest_of(NEW if running[: len(NEW)] == NEW else OLD), cut_at
        assert last.assignment is not None and last.assignment.state in ("installed", "rolled_back")
        installed += last.assignment.state == "installed"
        assert robot.server.deltas_opened == len(robot.server.first_bytes), "the full file is not needed"
    assert installed > uncut.chip.operations // 2


def test_a_failed_self_test_leads_back() -> None:
    robot = Robot(failing_check="relay")
    robot.live()
    assert robot.chip.running == 0
    assert robot.states == [CONFIRMED, TRIAL, CONFIRMED]
    assert robot.said == ["staged", "trial", "rolled_back"]
    assert Esp32Slots(partition_of(robot.chip)).look().spare.state == ROLLED_BACK


def test_a_cut_at_every_operation_ends_on_the_image_that_was_reported() -> None:
    uncut = Robot()
    uncut.live()
    ends = set()
    for cut_at in range(1, uncut.chip.operations + 1):
        robot = Robot()
        robot.chip.cut_at = cut_at
        try:
            robot.live()
            raise AssertionError("the power was not cut")
        except PowerCut:
            robot.chip.cut_at = None
        robot.live()
        last = robot.server.reports[-1]
        running = bytes(robot.chip.slots[robot.chip.running])
        image = NEW if running[: len(NEW)] == NEW else OLD
        assert last.running.digest == digest_of(image), cut_at
        assert last.assignment is not None
        ends.add((last.assignment.state, last.assignment.code, image is NEW))
    # Cuts on trial, and those that lose the new record while it is confirmed, lead back and say so.
    assert ends == {
        ("installed", None, True),
        ("rolled_back", "trial-interrupted", False),
        ("rolled_back", "confirm-interrupted", False),
    }
