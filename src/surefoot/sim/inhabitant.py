"""A robot that lives in a world: a whole one, which sleeps, checks, loses power and gets it back."""

import random
from collections.abc import Callable

from surefoot.fleet.robots import enrol_robot
from surefoot.sim import invariants as promise
from surefoot.sim.faults import Fault
from surefoot.sim.flash import Cut, Flash, PowerCut
from surefoot.sim.foundry import OLD_IMAGE, OLD_VERSION, Foundry
from surefoot.sim.ground import SKU
from surefoot.sim.mortal_server import SETTINGS
from surefoot.sim.network import Network, WorldLink
from surefoot.sim.partitions import SMALL_GEOMETRIES
from surefoot.sim.robot import Behaviour, SimRobot, make_flash

HOUR_S = 3600.0
# A push reaches a robot that would sleep longer.
PUSH_S = 1800.0
# A cut strikes in the first operations of whatever the robot does, or anywhere in a whole update.
CUT_AT_MAX = (40, 450)
FAILING = (Behaviour.FAILS_SELF_TEST, Behaviour.CRASHES)


class Inhabitant:
    """One robot of a world, enrolled, with its way to the server.

    Args:
        robot_id: Its name.
        network: The ways of the world.
        foundry: What it left the factory with.
        dice: The world's own chance.
        tell: Gets its name and a line of its trace.
    """

    def __init__(
        self,
        robot_id: str,
        network: Network,
        foundry: Foundry,
        dice: random.Random,
        tell: Callable[[str, str], None],
    ) -> None:
        self.robot_id = robot_id
        self._network = network
        self._timeline = network.timeline
        self._faults = network.faults
        self._dice = dice
        geometry = dice.choice(SMALL_GEOMETRIES)
        flash = Flash(geometry.flash_size_bytes)
        make_flash(flash, geometry, OLD_IMAGE, OLD_VERSION)
        server = network.server
        self.enrolled = server.store.submit(
            lambda rows: enrol_robot(rows, robot_id, SKU, robot_id, server.now_s)
        ).result()
        self.link = WorldLink(network, self.enrolled, flash.power)
        behaviours = self._behaviours(foundry)
        self.robot = SimRobot(
            foundry.identity(robot_id),
            flash,
            self.link,
            behaviours=behaviours,
            log=lambda text: tell(robot_id, text),
            pause=lambda delay_s: self._timeline.sleep(delay_s * dice.uniform(0.8, 1.2)),
        )
        network.watch.meet(self.robot, behaviours)

    def live(self) -> None:
        """Be switched on, check for ever, and begin anew whenever the power comes back."""
        is_on = False
        self._timeline.sleep(self._dice.uniform(0.0, SETTINGS.busy_check_s))
        try:
            while True:
                rest_s = self._act(self.robot.check if is_on else self.robot.switch_on)
                is_on = rest_s is not None
                dark_s = self._faults.dice[Fault.POWER].uniform(1.0, HOUR_S) ** 2 / HOUR_S
                self._timeline.sleep(dark_s if rest_s is None else min(rest_s, PUSH_S) * self._dice.uniform(0.9, 1.1))
                if not is_on:
                    self.robot.restore_power()
        except Exception as error:  # noqa: BLE001 - whatever stopped it is what the world is looking for
            self._network.watch.check(self.robot_id, promise.agent_survives, error)

    def _act(self, work: Callable[[], int]) -> int | None:
        """Act until it rests; return the seconds until the next check, None when the power failed."""
        power = self.robot.flash.power
        power.restore()
        if self._faults.strikes(Fault.POWER, 0.4):
            dice = self._faults.dice[Fault.POWER]
            power.restore(cut_at=dice.randint(1, dice.choice(CUT_AT_MAX)), cut=dice.choice(tuple(Cut)))
        try:
            delay_s = work()
        except PowerCut as cut:
            self._faults.inject(Fault.POWER, self.robot_id, str(cut))
            self._network.watch.lost_power(self.robot_id)
            return None
        self._network.watch.rested(self.robot_id)
        return delay_s

    def _behaviours(self, foundry: Foundry) -> dict[str, Behaviour]:
        """Return how each release behaves on it, by digest, where it does not behave well."""
        behaviours = {}
        for release in foundry.releases:
            if self._faults.strikes(Fault.FIRMWARE, 0.06):
                behaviours[release.digest] = self._faults.dice[Fault.FIRMWARE].choice(FAILING)
                what = f"{release.version} {behaviours[release.digest]} on it"
                self._faults.inject(Fault.FIRMWARE, self.robot_id, what)
        return behaviours
