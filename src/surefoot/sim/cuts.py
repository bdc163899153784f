"""Power cuts at every write of a whole update: the promise, checked point by point.

A world is one robot with one update, cut at one flash operation and, if asked for, once more at one operation of the
recovery. Journal, slots and boot records all lie in that flash, so "every operation" leaves nothing out. All robots of
a sweep live in one real fleet, and each ends by comparing the fleet's record with what stands in the robot's flash.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from surefoot.fleet.model import Release, Status
from surefoot.shell.ports import Transport
from surefoot.sim import invariants as promise
from surefoot.sim.flash import Cut, Flash, PowerCut
from surefoot.sim.ground import SimFleet
from surefoot.sim.partitions import Geometry
from surefoot.sim.robot import Behaviour, SimRobot, make_flash
from surefoot.wire.errors import SurefootError

OLD_VERSION = "0.2.0"
# Checks after the last cut: enough for every attempt and every restarted download that the rules allow.
CHECKS_MAX = 12

# How firmware behaves on trial, and where an update to it must end whatever is cut.
ENDINGS = {
    Behaviour.HEALTHY: Status.INSTALLED,
    Behaviour.FAILS_SELF_TEST: Status.ROLLED_BACK,
    Behaviour.CRASHES: Status.ROLLED_BACK,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One robot's fate: where its power fails and how; `recut_at` counts operations from the moment it came back."""

    cut_at: int
    cut: Cut
    behaviour: Behaviour = Behaviour.HEALTHY
    recut_at: int | None = None

    @property
    def name(self) -> str:
        """The robot's id in this world, which says all of it."""
        again = "" if self.recut_at is None else f":{self.recut_at}"
        return f"{self.behaviour}:{self.cut}:{self.cut_at}{again}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a world ended; `faults` are the broken promises, none in a world that kept them all.

    `operations` is how many the robot needed after its power came back for the last time.
    """

    world: World
    faults: tuple[str, ...]
    operations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all worlds of a sweep share: the fleet, the release on its way, and the chip they begin with."""

    fleet: SimFleet
    geometry: Geometry
    old_image: bytes
    release: Release
    block_bytes: int = 4096
    rollback_enabled: bool = True

    def robot(self, name: str, behaviour: Behaviour) -> SimRobot:
        """Make a robot as it leaves the factory, enrolled."""
        return self.robot_on(name, self.fleet.enrol(name), behaviour)

    def robot_on(self, name: str, transport: Transport, behaviour: Behaviour) -> SimRobot:
        """Make a robot as it leaves the factory, on a given way to the fleet."""
        flash = Flash(self.geometry.flash_size_bytes)
        make_flash(flash, self.geometry, self.old_image, OLD_VERSION)
        flash.power.restore()
        return SimRobot(
            self.fleet.identity(name),
            flash,
            transport,
            behaviours={self.release.digest: behaviour},
            block_bytes=self.block_bytes,
            rollback_enabled=self.rollback_enabled,
        )

    def count_operations(self, behaviour: Behaviour) -> int:
        """Return how many operations a whole update takes when nothing fails."""
        robot = self.robot(f"{behaviour}:uncut", behaviour)
        settle(robot, self)
        return robot.flash.power.operations


def sweep(bench: Bench, behaviour: Behaviour, cuts: tuple[Cut, ...], *, step: int = 1) -> Iterator[Ending]:
    """Run one world for every kind of cut at every `step`-th operation of a whole update."""
    operations = bench.count_operations(behaviour)
    for cut in cuts:
        for cut_at in range(1, operations + 1, step):
            yield run_world(bench, World(cut_at=cut_at, cut=cut, behaviour=behaviour))


def run_world(bench: Bench, world: World) -> Ending:
    """Live one world to its end."""
    robot = bench.robot(world.name, world.behaviour)
    faults: list[str] = []
    for cut_at in (world.cut_at, world.recut_at):
        if cut_at is None:
            continue
        robot.restore_power()
        robot.flash.power.restore(cut_at=cut_at, cut=world.cut)
        try:
            settle(robot, bench)
        except PowerCut:
            faults += _unbootable(robot)
        except SurefootError as error:
            faults.append(f"{error.code}: {error.message}")
    robot.restore_power()
    try:
        settle(robot, bench)
    except SurefootError as error:
        faults.append(f"{error.code}: {error.message}")
    operations = robot.flash.power.operations
    faults += _unbootable(robot) + _divergent(robot, bench, world)
    return Ending(world=world, faults=tuple(faults), operations=operations)


def settle(robot: SimRobot, bench: Bench) -> None:
    """Switch the robot on and let it check until its assignment has ended and the fleet knows."""
    robot.switch_on()
    for _ in range(CHECKS_MAX):
        verdict = bench.fleet.status(robot.identity.robot_id).verdict
        if verdict.status is Status.INSTALLED or verdict.failed:
            return
        robot.check()


def _unbootable(robot: SimRobot) -> list[str]:
    fault = promise.some_image_boots(robot.flash)
    return [] if fault is None else [fault]


def _divergent(robot: SimRobot, bench: Bench, world: World) -> list[str]:
    status = bench.fleet.status(robot.identity.robot_id)
    fault = promise.record_equals_robot(status, robot.running_digest)
    faults = [] if fault is None else [fault]
    said = None if status.facts is None else status.facts.report.assignment
    attempts = 0 if said is None else said.attempts
    if robot.trial_boots > attempts:
        faults.append(f"it tried the image {robot.trial_boots} times, and {attempts} attempts were recorded")
    if status.verdict.status is not ENDINGS[world.behaviour]:
        faults.append(f"it ended {status.verdict.status} ({status.verdict.code})")
    return faults
