"""One seeded world: many robots and their fleet, everything that can go wrong, and then the truth.

Robots are whole ones, with flash, bootloader and agent; fleet and rollout code are the real ones. Time is virtual and
all chance follows from the seed, so a seed and a commit are a run.
"""

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass

from surefoot.fleet.model import Release, Rollout, RolloutState
from surefoot.fleet.robots import RobotStatus, robot_status
from surefoot.rollout.plan import Phase, Plan
from surefoot.sim import invariants as promise
from surefoot.sim.faults import Fault, Faults
from surefoot.sim.foundry import foundry
from surefoot.sim.inhabitant import HOUR_S, PUSH_S, Inhabitant
from surefoot.sim.mortal_server import TICK_S, MortalServer
from surefoot.sim.network import LATE_S_MAX, Network
from surefoot.sim.timeline import Timeline
from surefoot.sim.watch import BROKEN_MAX, Watch

# How long faults strike, and how long the healed world may take to come to rest.
TROUBLE_S = 3 * HOUR_S
HEALING_S_MAX = 24 * HOUR_S
ATTEMPTS_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a world's trace."""

    at_s: float
    who: str
    what: str

    def __str__(self) -> str:
        return f"{self.at_s:10.2f} s  {self.who:<10}  {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a world ended: what struck it, the promises broken, and the trace of everything that happened."""

    seed: int
    robots: int
    events: int
    faults: dict[Fault, int]
    divergent: int
    broken: tuple[promise.Broken, ...]
    seconds: float
    trace: tuple[Line, ...]

    def story(self) -> list[Line]:
        """Return the lines of the trace that concern the server and whoever broke a promise first."""
        concerned = {broken.who for broken in self.broken[:1]} | {"server", "network", "world"}
        return [line for line in self.trace if line.who in concerned]


class World:
    """Robots and a fleet in virtual time.

    Args:
        seed: What everything follows from.
        robots: How many.
        kinds: The faults that can strike.
    """

    def __init__(self, seed: int, robots: int, kinds: Iterable[Fault] = tuple(Fault)) -> None:
        self.seed = seed
        self.trace: list[Line] = []
        self.timeline = Timeline()
        self.dice = random.Random(f"{seed}/world")
        self.faults = Faults(seed, kinds, self.tell)
        self.foundry = foundry()
        self.watch = Watch(lambda: self.timeline.now_s, self.foundry.trusted, ATTEMPTS_MAX, self.tell)
        self.server = MortalServer(
            self.timeline,
            self.faults,
            self.foundry.store.copy(),
            dict(self.foundry.files),
            self.foundry.strange_file,
            self.watch,
        )
        self.network = Network(self.timeline, self.faults, self.server, self.watch)
        names = [f"robot-{number:03}" for number in range(1, robots + 1)]
        self.members = [Inhabitant(name, self.network, self.foundry, self.dice, self.tell) for name in names]
        self.server.store.on_commit = self.watch.committed
        self.plan = _plan(robots)

    def tell(self, who: str, what: str) -> None:
        """Add a line to the trace."""
        self.trace.append(Line(at_s=self.timeline.now_s, who=who, what=what))

    def run(self) -> Ending:
        """Live through the trouble, heal, and compare every record with its robot."""
        started_s = time.monotonic()
        for member in self.members:
            self.timeline.spawn(member.live)
        self.timeline.spawn(self._look)
        self.timeline.spawn(self._operate)
        self.timeline.spawn(self._trouble)
        try:
            self.timeline.run(TROUBLE_S)
            self._heal()
        finally:
            self.timeline.close()
        divergent = self._compare()
        return Ending(
            seed=self.seed,
            robots=len(self.members),
            events=self.timeline.events,
            faults={kind: self.faults.injected[kind] for kind in Fault},
            divergent=divergent,
            broken=tuple(self.watch.broken),
            seconds=round(time.monotonic() - started_s, 3),
            trace=tuple(self.trace),
        )

    def _look(self) -> None:
        """Be the clock that makes the rollout engine look."""
        while True:
            self.timeline.sleep(TICK_S)
            self.server.tick()

    def _operate(self) -> None:
        """Be the operator: a second release follows the first, and both are paused, looked at and resumed."""
        first, second = self.foundry.releases
        self.server.start(first.release_id, self.plan)
        self.timeline.call(self.dice.uniform(0.2, 0.6) * TROUBLE_S, lambda: self._release(second))
        while True:
            self.timeline.sleep(self.dice.uniform(600.0, 2400.0))
            if self.dice.random() < 0.3 and not self.faults.healed:
                self.server.pause()
            else:
                self.server.resume()

    def _release(self, release: Release) -> None:
        if self.server.is_up:
            self.server.start(release.release_id, self.plan)
        else:
            self.timeline.call(60.0, lambda: self._release(release))

    def _trouble(self) -> None:
        """Be the bad luck that strikes no message and no robot alone."""
        while True:
            self.timeline.sleep(self.dice.uniform(300.0, 1500.0))
            if self.faults.strikes(Fault.CLOCK, 0.5):
                self.server.step_clock()
            if self.faults.strikes(Fault.SPLIT, 0.5):
                dice = self.faults.dice[Fault.SPLIT]
                names = [member.enrolled.robot_id for member in self.members]
                self.network.split(dice.sample(names, dice.randint(1, len(names))), dice.uniform(60.0, 1500.0))

    def _heal(self) -> None:
        """Put everything right and wait until nothing is left to do."""
        self.tell("world", "healed: no faults from here on")
        self.faults.healed = True
        self.server.set_clock(0.0)
        # What is still on its way arrives in this time.
        self.timeline.run(LATE_S_MAX)
        until_s = self.timeline.now_s + HEALING_S_MAX
        while self.timeline.now_s < until_s and not self._is_quiet() and len(self.watch.broken) < BROKEN_MAX:
            self.timeline.run(2 * TICK_S)
        # Once more, so that every record was made from what its robot says now.
        self.timeline.run(PUSH_S * 1.2)

    def _is_quiet(self) -> bool:
        newest = self.server.store.read(lambda rows: rows.find(Rollout, newest_first=True)[0])
        if newest.state is not RolloutState.FINISHED:
            return False
        statuses = (self._status(member) for member in self.members)
        return all(promise.comes_to_rest(status) is None for status in statuses)

    def _compare(self) -> int:
        """Hold every record against its robot, say everything again, and return how many records differ."""
        divergent = 0
        for member in self.members:
            status, robot_id = self._status(member), member.enrolled.robot_id
            known = len(self.watch.broken)
            self.watch.check(robot_id, promise.record_equals_robot, status, member.robot.running_digest)
            self.watch.check(robot_id, promise.comes_to_rest, status)
            divergent += len(self.watch.broken) > known
        for member in self.members:
            before = self.server.store.snapshot()
            said = member.link.answered
            for data in (said[0], self.dice.choice(said), said[-1]) if said else ():
                member.link.deliver(data)
            after = self.server.store.snapshot()
            self.watch.check(member.enrolled.robot_id, promise.repeating_changes_nothing, before, after)
        return divergent

    def _status(self, member: Inhabitant) -> RobotStatus:
        return self.server.store.read(lambda rows: robot_status(rows, member.enrolled.robot_id, self.server.now_s))


def _plan(robots: int) -> Plan:
    """Return a plan that a world lives through in its time."""
    return Plan(
        phases=(
            Phase(name="canary", percent=10, soak_s=600.0),
            Phase(name="wider", percent=50, soak_s=600.0),
            Phase(name="full", percent=100, soak_s=600.0),
        ),
        capacity=max(2, robots // 4),
        attempts_max=ATTEMPTS_MAX,
        failures_max=robots // 10,
        silence_deadline_s=HOUR_S,
        # Its waves wait for robots to have settled for an hour, and a world ends before that.
        ramp=None,
    )


def run_world(seed: int, robots: int, kinds: Iterable[Fault] = tuple(Fault)) -> Ending:
    """Live one world to its end."""
    return World(seed, robots, kinds).run()
