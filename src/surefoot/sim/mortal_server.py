"""The fleet's server in a world: the real use cases, a clock that steps, and death between any two statements."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

from surefoot.fleet.deltas import Wanted, due, is_useful, keep
from surefoot.fleet.exchange import exchange
from surefoot.fleet.look import tick
from surefoot.fleet.model import Robot, Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollouts import pause_rollout, resume_rollout, start_rollout
from surefoot.fleet.settings import FleetSettings
from surefoot.rollout.plan import Plan
from surefoot.sim.deltas import build
from surefoot.sim.faults import Fault, Faults
from surefoot.sim.invariants import offers_only_while_running, server_bears_it
from surefoot.sim.memory_store import MemoryStore
from surefoot.sim.timeline import Timeline
from surefoot.sim.watch import Watch
from surefoot.wire.errors import Interrupted
from surefoot.wire.offer import encode_answer
from surefoot.wire.report import parse_report

T = TypeVar("T")

NAME = "server"
SETTINGS = FleetSettings(public_url="sim:", next_check_s=1800, next_check_jitter_s=300, busy_check_s=180)
TICK_S = 270.0
DELTAS_PER_RELEASE = 4
# The most statements of one work between which a kill is planned; a work that needs fewer is killed behind its commit.
STATEMENTS_MAX = 16
OUTAGE_S_MAX = 900.0
CLOCK_ERROR_S_MAX = 3 * 3600.0


class Killed(BaseException):
    """The server's process died here."""


class MortalRows:
    """Rows whose server dies at the n-th use of them."""

    def __init__(self, rows: Rows, statements: int) -> None:
        self._rows = rows
        self._left = statements

    def __getattr__(self, name: str) -> Any:
        self._left -= 1
        if self._left < 0:
            raise Killed
        return getattr(self._rows, name)


class MortalServer:
    """One server process after another over the same rows.

    Args:
        timeline: The world's time.
        faults: What strikes it.
        store: The fleet's rows.
        files: What robots download, by SHA-256; deltas are added to it.
        strange_file: What someone who holds no key of the fleet would like them to.
        watch: Sees every answer.
    """

    def __init__(
        self,
        timeline: Timeline,
        faults: Faults,
        store: MemoryStore,
        files: dict[str, bytes],
        strange_file: bytes,
        watch: Watch,
    ) -> None:
        self.store = store
        self.files = files
        self.strange_file = strange_file
        self.clock_error_s = 0.0
        self._timeline = timeline
        self._faults = faults
        self._watch = watch
        self._ids = itertools.count(1)
        self._down_until_s = -1.0

    @property
    def now_s(self) -> float:
        """What the server takes for Unix seconds."""
        return 1_700_000_000.0 + self._timeline.now_s + self.clock_error_s

    @property
    def is_up(self) -> bool:
        """Whether a server process lives now."""
        return self._faults.healed or self._timeline.now_s >= self._down_until_s

    def handle(self, robot: Robot, data: bytes) -> bytes:
        """Answer a robot's report; `Interrupted` (`server-unreachable`) when no server lives to the end of it."""
        report = parse_report(data)

        def new_id() -> str:
            return f"assignment-{next(self._ids)}"

        answer = self.run(lambda rows: exchange(rows, robot, report, self.now_s, SETTINGS, new_id), 0.02)
        self._watch.check(robot.robot_id, offers_only_while_running, self.store, robot.robot_id, answer)
        return encode_answer(answer)

    def tick(self) -> None:
        """Let the rollout engine look, and what it finds to be built be built, if a server lives."""
        self._try(lambda rows: tick(rows, self.now_s))
        for want in self.store.read(lambda rows: due(rows, DELTAS_PER_RELEASE)) if self.is_up else ():
            sha256, file = build(want, self.files)
            if is_useful(want, len(file)):
                self.files[sha256] = file
            self._try(partial(_keep, want, sha256, len(file), self.now_s))

    def start(self, release_id: str, plan: Plan) -> None:
        """Begin a rollout."""
        rollout_id = f"rollout-{next(self._ids)}"
        self.run(lambda rows: start_rollout(rows, release_id, plan, rollout_id, rollout_id.encode(), self.now_s), 0.0)

    def pause(self) -> None:
        """Pause what runs, as an operator may at any time."""
        for rollout_id in self._standing_at(RolloutState.RUNNING):
            self._try(partial(_pause, rollout_id, self.now_s))

    def resume(self) -> None:
        """Let what is paused or halted go on, accepting the failures there are."""
        for rollout_id in self._standing_at(RolloutState.PAUSED, RolloutState.HALTED):
            self._try(partial(_resume, rollout_id, self.now_s))

    def step_clock(self) -> None:
        """Let the clock jump, forward or back, by seconds or by hours."""
        dice = self._faults.dice[Fault.CLOCK]
        farthest_s = dice.choice((120.0, CLOCK_ERROR_S_MAX))
        self.set_clock(dice.uniform(-farthest_s, farthest_s))
        self._faults.inject(Fault.CLOCK, NAME, f"its clock is wrong by {self.clock_error_s:.0f} s now")

    def set_clock(self, error_s: float) -> None:
        """Let the clock be wrong by so much from now on."""
        self._watch.clock_stepped(error_s - self.clock_error_s)
        self.clock_error_s = error_s

    def _try(self, work: Callable[[Rows], object]) -> None:
        """Run a work that will be tried again at another time if no server lives to the end of it."""
        try:
            self.run(work, 0.02)
        except Interrupted:
            return

    def _bear(self, work: Callable[[Rows], T]) -> T:
        """Run a work; what it raises is a fault of the program, and to whoever waits no answer."""
        try:
            return self.store.submit(work).result()
        except Exception as error:
            self._watch.check(NAME, server_bears_it, error)
            raise Interrupted("server-unreachable", "The server failed.") from error

    def _standing_at(self, *states: RolloutState) -> list[str]:
        known = self.store.read(lambda rows: rows.find(Rollout, newest_first=True))
        return [rollout.rollout_id for rollout in known if rollout.state in states]

    def run(self, work: Callable[[Rows], T], mortality: float) -> T:
        """Run a work in a transaction, and perhaps die in the middle of it or right behind its commit.

        Raises:
            Interrupted: `server-unreachable`, the server is down or died.
        """
        if not self.is_up:
            raise Interrupted("server-unreachable", "The server is down.")
        if not self._faults.strikes(Fault.KILL, mortality):
            return self._bear(work)
        statements = self._faults.dice[Fault.KILL].randrange(STATEMENTS_MAX)
        where = "behind its commit"
        try:
            self._bear(lambda rows: work(cast(Rows, MortalRows(rows, statements))))
        except Killed:
            where = f"before statement {statements + 1} of its work"
        down_s = self._faults.dice[Fault.KILL].uniform(0.0, OUTAGE_S_MAX) ** 2 / OUTAGE_S_MAX
        self._down_until_s = self._timeline.now_s + down_s
        self._faults.inject(Fault.KILL, NAME, f"it died {where} and is down for {down_s:.0f} s")
        raise Interrupted("server-unreachable", "The server died.")


def _keep(want: Wanted, sha256: str, size_bytes: int, now_s: float, rows: Rows) -> None:
    keep(rows, want, sha256, size_bytes, now_s)


def _pause(rollout_id: str, now_s: float, rows: Rows) -> None:
    pause_rollout(rows, rollout_id, "For a look.", now_s)


def _resume(rollout_id: str, now_s: float, rows: Rows) -> None:
    resume_rollout(rows, rollout_id, "Looked at, and accepted.", now_s)
