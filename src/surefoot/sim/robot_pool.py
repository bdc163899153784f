"""Many simulated robots in one process, each checking when it is due, over real HTTPS."""

import heapq
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from surefoot.agent.values import Identity
from surefoot.shell.https import HttpsTransport
from surefoot.sim.flash import Flash
from surefoot.sim.partitions import ROBOT
from surefoot.sim.robot import SimRobot, make_flash
from surefoot.wire.errors import SurefootError

THREADS = 8
# 64 KiB is the larger of a NOR chip's two erase units: fewer journal records for a whole image.
BLOCK_BYTES = 65536


class RobotPool:
    """Robots whose flash chips are files, run by a few threads.

    Args:
        speedup: How many seconds of a robot's pauses pass in one of ours.
        log: Where lines go, with the robot's id.
    """

    def __init__(self, speedup: float, log: Callable[[str, str], None]) -> None:
        self.robots: dict[str, SimRobot] = {}
        self._speedup = speedup
        self._log = log
        self._due: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="robots")

    def add(
        self, identity: Identity, flash_path: Path, image: bytes, version: str, server_url: str, token: str, ca: Path
    ) -> None:
        """Add a robot; a chip that is there already is kept as its last moment left it."""
        made = flash_path.exists()
        flash = Flash(ROBOT.flash_size_bytes, path=flash_path)
        if not made:
            make_flash(flash, ROBOT, image, version)
        self.robots[identity.robot_id] = SimRobot(
            identity,
            flash,
            HttpsTransport(server_url, token, ca),
            log=lambda text: self._log(identity.robot_id, text),
            pause=self._pause,
            block_bytes=BLOCK_BYTES,
        )

    def start(self) -> None:
        """Switch every robot on."""
        now = time.monotonic()
        self._due = [(now + random.random(), robot_id) for robot_id in self.robots]
        heapq.heapify(self._due)
        for _ in range(THREADS):
            self._threads.submit(self._work)

    def stop(self) -> None:
        """Let every robot finish what it is about, and write its chip out."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._threads.shutdown()
        for robot in self.robots.values():
            robot.flash.close()

    def _work(self) -> None:
        while (robot_id := self._take()) is not None:
            try:
                delay_s = self.robots[robot_id].check() / self._speedup
            except SurefootError as error:
                self._log(robot_id, f"{error.code}: {error.message}")
                delay_s = 1.0
            with self._changed:
                heapq.heappush(self._due, (time.monotonic() + delay_s, robot_id))
                self._changed.notify()

    def _take(self) -> str | None:
        """Wait for the next robot that is due; None when it is time to stop."""
        with self._changed:
            while not self._stopping.is_set():
                wait_s = self._due[0][0] - time.monotonic() if self._due else 1.0
                if wait_s <= 0:
                    return heapq.heappop(self._due)[1]
                self._changed.wait(wait_s)
        return None

    def _pause(self, delay_s: int) -> None:
        self._stopping.wait(delay_s / self._speedup)
