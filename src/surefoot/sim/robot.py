"""A robot that is not a mock: flash, bootloader and agent together, with a power switch.

Only the flash survives. Every boot builds the agent anew from what stands there, as a real one does.
"""

import hashlib
from collections.abc import Callable, Mapping
from enum import StrEnum

from surefoot.agent.preflight import NO_SENSORS, Conditions
from surefoot.agent.values import Identity
from surefoot.shell.inflate import inflate
from surefoot.shell.ports import Transport
from surefoot.shell.runner import Runner
from surefoot.sim import bootloader
from surefoot.sim.app_update import AppUpdate
from surefoot.sim.flash import SECTOR_BYTES, Flash, PowerCut
from surefoot.sim.partitions import Geometry, Partition, flash_table, read_partitions
from surefoot.sim.slots import ChipSlots, image_digest
from surefoot.wire import otadata as ota
from surefoot.wire.errors import Damaged
from surefoot.wire.journal import blank_journal, encode_journal

# More boots than any update needs; a robot that restarts more often is in an endless loop.
BOOTS_MAX = 40

FACTORY_EPOCH = "factory"


class Behaviour(StrEnum):
    """What firmware does in its validation window."""

    HEALTHY = "healthy"
    FAILS_SELF_TEST = "fails_self_test"
    CRASHES = "crashes"


class Crash(Exception):
    """The firmware died; the watchdog restarts the chip."""


class NvsJournal:
    """Journal copies in the nvs partition, a sector each. Fills `shell.ports.JournalStorage`.

    Harsher than ESP-IDF's NVS, which keeps the old value until the new one is complete: here an interrupted write may
    lose the copy it replaces.
    """

    def __init__(self, nvs: Partition) -> None:
        self._nvs = nvs

    def read_copies(self) -> tuple[bytes, bytes]:
        """Return both sectors."""
        return self._nvs.read(0, SECTOR_BYTES), self._nvs.read(SECTOR_BYTES, SECTOR_BYTES)

    def write_copy(self, index: int, data: bytes) -> None:
        """Erase one sector and program it."""
        self._nvs.erase(index * SECTOR_BYTES, SECTOR_BYTES)
        self._nvs.write(index * SECTOR_BYTES, data)


class RobotHost:
    """The rest of the robot: fit to update, and as healthy as the firmware that runs. Fills `shell.ports.Host`."""

    def __init__(self, behaviour: Behaviour, log: Callable[[str], None], pause: Callable[[int], None]) -> None:
        self._behaviour = behaviour
        self._log = log
        self._pause = pause

    def conditions(self) -> Conditions:
        """Find nothing against updating."""
        return NO_SENSORS

    def passes(self, check: str, timeout_s: int) -> bool:
        """Behave as the running firmware does: what fails or crashes does so when the relay is looked at."""
        if check != "relay":
            return True
        if self._behaviour is Behaviour.CRASHES:
            raise Crash
        return self._behaviour is not Behaviour.FAILS_SELF_TEST

    def pause(self, delay_s: int) -> None:
        """Let the world's time pass."""
        self._pause(delay_s)

    def log(self, text: str) -> None:
        """Pass the line on."""
        self._log(text)


def make_flash(flash: Flash, geometry: Geometry, image: bytes, version: str) -> None:
    """Do what the factory does.

    That is the partition table, the image in factory (in ota_0 where there is no factory slot), and a journal that
    knows its version: real builds often do not say it themselves.
    """
    flash_table(flash, geometry)
    partitions = read_partitions(flash)
    slot = partitions.factory or partitions.slots[0]
    slot.write(0, image)
    journal = blank_journal(FACTORY_EPOCH).with_label(hashlib.sha256(image).hexdigest(), version)
    NvsJournal(partitions["nvs"]).write_copy(0, encode_journal(journal, 1))


class SimRobot:
    """One robot.

    Args:
        identity: Who it is.
        flash: Its chip, made by `make_flash`.
        transport: Its way to the fleet.
        behaviours: How firmware behaves, by digest; healthy if it is not named.
        log: Where the agent's lines go.
        pause: What waiting is, in its world.
        block_bytes: What one erase clears.
        rollback_enabled: How its bootloader was built.
    """

    def __init__(
        self,
        identity: Identity,
        flash: Flash,
        transport: Transport,
        *,
        behaviours: Mapping[str, Behaviour] | None = None,
        log: Callable[[str], None] = lambda text: None,
        pause: Callable[[int], None] = lambda delay_s: None,
        block_bytes: int = SECTOR_BYTES,
        rollback_enabled: bool = True,
    ) -> None:
        self.identity = identity
        self.flash = flash
        self.boots = 0
        self.trial_boots = 0
        self._transport = transport
        self._behaviours = behaviours or {}
        self._log = log
        self._pause = pause
        self._block_bytes = block_bytes
        self._rollback_enabled = rollback_enabled
        self._running: Partition | None = None
        self._runner: Runner | None = None

    @property
    def running_digest(self) -> str | None:
        """The digest of what really runs, read from the slot that the bootloader started; None when switched off."""
        return None if self._running is None else image_digest(self._running)

    def switch_on(self) -> int:
        """Boot, restart as often as the agent asks, and return the seconds until its next check.

        Raises:
            PowerCut: The power failed on the way.
            Damaged: `damaged-not-bootable`, no image could start; `damaged-boot-loop`, it restarts for ever.
        """
        for _ in range(BOOTS_MAX):
            delay_s = self._boot()
            if delay_s is not None:
                return delay_s
        raise Damaged("damaged-boot-loop", f"{self.identity.robot_id} restarted {BOOTS_MAX} times: see its trace.")

    def check(self) -> int:
        """Ask the server, restart if that leads to it, and return the seconds until the next check."""
        if self._runner is None:
            return self.switch_on()
        delay_s = self._survive(self._runner.check)
        return self.switch_on() if delay_s is None else delay_s

    def restore_power(self) -> None:
        """Let power come back after a cut; the robot is off until switched on."""
        self.flash.power.restore()
        self._running = self._runner = None

    def _boot(self) -> int | None:
        self.boots += 1
        self._running = self._runner = None
        label = bootloader.boot(self.flash, rollback_enabled=self._rollback_enabled)
        app = AppUpdate(self.flash, label, rollback_enabled=self._rollback_enabled)
        self.trial_boots += app.slot_state(label) == ota.PENDING_VERIFY
        nvs = app.partitions["nvs"]
        self._running = app.running
        runner = Runner(
            self.identity,
            ChipSlots(app, block_bytes=self._block_bytes, enforces_trial=self._rollback_enabled),
            NvsJournal(nvs),
            self._transport,
            RobotHost(self._behaviour(), self._log, self._pause),
            inflate,
        )
        self._runner = runner
        epoch = f"{self.identity.robot_id}-{self.boots}".replace(":", "_").replace(".", "_")[:64]
        return self._survive(lambda: runner.start(epoch))

    def _survive(self, work: Callable[[], int | None]) -> int | None:
        try:
            return work()
        except Crash:
            return None
        except PowerCut:
            self._running = self._runner = None
            raise

    def _behaviour(self) -> Behaviour:
        return self._behaviours.get(self.running_digest or "", Behaviour.HEALTHY)
