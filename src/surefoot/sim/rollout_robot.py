"""A robot as light as a rollout needs it: it reports, updates and tells of its health, and has no flash.

Time passes in steps of the world that it lives in. What usually happens to a robot happens by chance; an effect of the
release changes how often, or happens beside it.
"""

import math
import random
from dataclasses import dataclass, field

from surefoot.fleet.health_sums import QUARTER_S
from surefoot.fleet.model import Robot
from surefoot.sim.rollout_scenario import Effect, Kind
from surefoot.wire.health import HealthSums, HealthWindow
from surefoot.wire.offer import Answer, Offer
from surefoot.wire.report import CONFIRMED, FIRST_EPOCH, INSTALLED, STAGED, AssignmentReport, Report, SlotReport

DAY_S = 86_400.0
# What an average robot does anyway, in an hour.
ERRORS_PER_H = 1 / 400
WARNINGS_PER_H = 1 / 200
REBOOTS_PER_H = 1 / 600
QUARTER_H = QUARTER_S / 3600
HANDSHAKES = 4
HANDSHAKE_FAILS = 0.005
DRAIN_PERCENT = 1.5
SCAN_HZ = 10.0
# Batteries and topics vary from one six hours to the next by so much (of the logarithm).
CYCLE_S = 6 * 3600.0
DEVIATION = 0.1
# Two robots in five work one shift a day, the others all day.
SHIFT_SHARE = 0.4
SHIFT_S = 10 * 3600.0
# More than a robot does in a quarter of an hour that is stuck in a boot loop.
LOOPED = 20
FLOODED_S = 600.0
EVENT_S = 60.0


@dataclass(slots=True, kw_only=True)
class RolloutRobot:
    """One robot; `runs` is the digest of what it truly runs, "" for nothing any more."""

    robot: Robot
    version: str
    runs: str
    dice: random.Random
    held: tuple[str, str] = ("", "")
    boot: int = 1
    seq: int = 0
    number: int = 0
    said: AssignmentReport | None = None
    offer: Offer | None = None
    updated_at_s: float | None = None
    ills: tuple[Effect, ...] = ()
    struck: set[Kind] = field(default_factory=set)
    shift_at_s: float | None = None
    _cycle: int = -1
    _quiet: HealthSums | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it still runs anything."""
        return bool(self.runs)

    @property
    def on_share(self) -> float:
        """How much of the day it is switched on."""
        return 1.0 if self.shift_at_s is None else SHIFT_S / DAY_S

    def is_on(self, now_s: float) -> bool:
        """Whether it is switched on; an update in hand is brought to its end first."""
        if not self.is_alive:
            return False
        if self.shift_at_s is None or self.offer is not None:
            return True
        return (now_s - self.shift_at_s) % DAY_S < SHIFT_S

    def report(self) -> Report:
        """Say what is true."""
        self.seq += 1
        version, digest = self.held
        spare = SlotReport(slot="ota_1", version=version or None, digest=digest or None, state=CONFIRMED)
        return Report(
            robot_id=self.robot.robot_id,
            sku=self.robot.sku,
            epoch=FIRST_EPOCH,
            boot=self.boot,
            seq=self.seq,
            running=SlotReport(slot="ota_0", version=self.version, digest=self.runs, state=CONFIRMED),
            spare=spare if digest else None,
            assignment=self.said,
            version_floor=None,
            protocol=1,
            companion_version=None,
            trusted_keys=(),
            accepts=(),
            code=None,
        )

    def take(self, answer: Answer) -> None:
        """Do as the answer says."""
        if answer.cancelled is not None:
            self.offer, self.said = None, None
        if self.said is not None and answer.acknowledged == self.said.id:
            self.said = None
        if answer.offer is not None and answer.offer.digest != self.runs:
            self.offer = answer.offer

    def stage(self) -> None:
        """Have the image, and be about to restart into it."""
        self._say(STAGED)

    def restart(self, ills: tuple[Effect, ...], now_s: float) -> None:
        """Restart into the image, which does this to the robot."""
        offer = self.offer
        if offer is None:
            return
        self._booted()
        self.held = (self.version, self.runs)
        self.version, self.runs, self.ills = str(offer.version), offer.digest or "", ills
        self.updated_at_s = now_s
        self._say(INSTALLED)
        self.offer = None
        if self._has(Kind.BRICKED, now_s):
            self.runs = ""

    def window(self, now_s: float, sums: HealthSums | None = None) -> HealthWindow:
        """Tell of the last quarter of an hour, or of the time that `sums` are about."""
        if self.dice.random() < REBOOTS_PER_H * QUARTER_H:
            self._booted()
        self.number += 1
        return HealthWindow(
            robot_id=self.robot.robot_id,
            epoch=FIRST_EPOCH,
            boot=self.boot,
            number=self.number,
            sums=sums or self._sums(now_s),
        )

    def _sums(self, now_s: float) -> HealthSums:
        times = self._times(Kind.ERRORS, now_s) * QUARTER_H
        error_s = EVENT_S if self.dice.random() < ERRORS_PER_H * times else 0.0
        warn_s = EVENT_S if self.dice.random() < WARNINGS_PER_H * times else 0.0
        failed = int(self.dice.random() < HANDSHAKES * HANDSHAKE_FAILS)
        quiet = self._quiet_sums(now_s)
        if not (error_s or warn_s or failed or self.ills):
            return quiet
        if self._has(Kind.SILENT, now_s):
            return quiet.replace(ok_s=0.0)
        error_s = FLOODED_S if self._has(Kind.FLOODING, now_s) else error_s
        return quiet.replace(
            ok_s=QUARTER_S - error_s - warn_s,
            error_s=error_s,
            warn_s=warn_s,
            battery_end_percent=_left(quiet, self._times(Kind.BATTERY_DRAIN, now_s)),
            stops_operator=int(self._strikes(Kind.OPERATOR_STOP, now_s)),
            stops_other=int(self._strikes(Kind.SAFETY_STOP, now_s)),
            reboots=LOOPED if self._has(Kind.BOOT_LOOP, now_s) else 0,
            handshakes_failed=HANDSHAKES if self._has(Kind.DTLS_FAILURES, now_s) else failed,
        )

    def _quiet_sums(self, now_s: float) -> HealthSums:
        cycle = int(now_s // CYCLE_S)
        if self._quiet is None or cycle != self._cycle:
            self._cycle, self._quiet = cycle, quiet_sums(QUARTER_S, self.dice)
        return self._quiet

    def _has(self, kind: Kind, now_s: float) -> bool:
        since_s = now_s - (self.updated_at_s or 0.0)
        return any(ill.kind is kind and since_s >= ill.after_s for ill in self.ills)

    def _strikes(self, kind: Kind, now_s: float) -> bool:
        """Whether something that happens once happens now."""
        if kind in self.struck or not self._has(kind, now_s):
            return False
        self.struck.add(kind)
        return True

    def _times(self, kind: Kind, now_s: float) -> float:
        since_s = now_s - (self.updated_at_s or 0.0)
        return math.prod(ill.times for ill in self.ills if ill.kind is kind and since_s >= ill.after_s)

    def _booted(self) -> None:
        self.boot, self.seq, self.number = self.boot + 1, 0, 0

    def _say(self, state: str) -> None:
        if self.offer is not None:
            self.said = AssignmentReport(
                id=self.offer.id, state=state, attempts=self.offer.attempt, received_bytes=0, code=None
            )


def quiet_sums(length_s: float, dice: random.Random) -> HealthSums:
    """Return a window in which nothing happened but what always does."""
    quarters = length_s / QUARTER_S
    return HealthSums(
        length_s=length_s,
        ok_s=length_s,
        warn_s=0.0,
        error_s=0.0,
        stale_s=0.0,
        topics=(("/scan", SCAN_HZ * math.exp(dice.gauss(0.0, DEVIATION))),),
        battery_start_percent=95.0,
        battery_end_percent=95.0 - min(90.0, DRAIN_PERCENT * quarters * math.exp(dice.gauss(0.0, DEVIATION))),
        charging_s=0.0,
        stops_operator=0,
        stops_other=0,
        reboots=0,
        handshakes_tried=int(HANDSHAKES * quarters),
        handshakes_failed=0,
    )


def _left(quiet: HealthSums, times: float) -> float:
    start, end = quiet.battery_start_percent or 0.0, quiet.battery_end_percent or 0.0
    return max(0.0, start - (start - end) * times)
