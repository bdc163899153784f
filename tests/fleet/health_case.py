"""Robots that tell of their health, in windows: a small fleet on real rows for the tests of gates and triggers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fleet.fleet_case import FleetCase, Voice
from surefoot.fleet.alarms import Alarm
from surefoot.fleet.health import RobotHealth, take_health
from surefoot.fleet.health_sums import QUARTER_S
from surefoot.fleet.model import Rollout, RolloutState
from surefoot.fleet.presence import take_online, take_silence
from surefoot.rollout.plan import Phase, Plan
from surefoot.rollout.triggers import Trigger
from surefoot.sim.memory_store import MemoryStore
from surefoot.wire.health import HealthSums, HealthWindow

DAY_S = 86_400.0
# Four points of charge an hour.
A_DAY_OF_BATTERY = {"length_s": DAY_S, "ok_s": DAY_S, "battery_start_percent": 98.0, "battery_end_percent": 2.0}
WATCHED = Plan(phases=(Phase(name="full", percent=100, soak_s=0),), ramp=None)
QUIET = HealthSums(
    length_s=60.0,
    ok_s=60.0,
    warn_s=0.0,
    error_s=0.0,
    stale_s=0.0,
    topics=(),
    battery_start_percent=None,
    battery_end_percent=None,
    charging_s=0.0,
    stops_operator=0,
    stops_other=0,
    reboots=0,
    handshakes_tried=0,
    handshakes_failed=0,
)


def in_memory() -> "HealthCase":
    """Return a case on rows in memory, which one contract holds to be as good as any."""
    store = MemoryStore()
    return HealthCase(fleet=FleetCase(run=lambda work: store.submit(work).result()))


@dataclass(kw_only=True)
class HealthCase:
    """A fleet whose robots send windows; `numbers` are the windows of each boot so far."""

    fleet: FleetCase
    numbers: dict[tuple[str, str, int], int] = field(default_factory=dict)

    def window(self, voice: Voice, **changes: Any) -> HealthWindow:
        """Return a robot's next window."""
        place = (voice.robot.robot_id, voice.epoch, voice.boot)
        self.numbers[place] = self.numbers.get(place, 0) + 1
        sums = QUIET.replace(**changes)
        return HealthWindow(
            robot_id=place[0], epoch=voice.epoch, boot=voice.boot, number=self.numbers[place], sums=sums
        )

    def tell(self, voice: Voice, **changes: Any) -> bool:
        """Let a robot send its next window."""
        return self.deliver(self.window(voice, **changes))

    def deliver(self, window: HealthWindow) -> bool:
        """Bring a window that may be old."""
        return self.fleet.run(lambda rows: take_health(rows, window.robot_id, window, self.fleet.now_s))

    def online(self, voice: Voice, online: bool = True) -> None:
        self.fleet.run(lambda rows: take_online(rows, voice.robot.robot_id, online, self.fleet.now_s))

    def silence(self, voice: Voice, since_s: float | None) -> None:
        self.fleet.run(lambda rows: take_silence(rows, voice.robot.robot_id, since_s, self.fleet.now_s))

    def updated(self, plan: Plan = WATCHED, robot_id: str = "robot-1") -> tuple[Voice, Rollout]:
        """Return a robot that told of its health, and runs the release of a rollout with this plan since now."""
        robot = self.fleet.enrol(robot_id)
        self.tell(robot)
        rollout = self.fleet.start("0.2.1", plan)
        self.fleet.install(robot)
        return robot, rollout

    def crowd(self, count: int) -> list[Voice]:
        """Return robots that have told of a quiet day on their batteries."""
        robots = [self.fleet.enrol(f"robot-{number:03}") for number in range(count)]
        for robot in robots:
            self.tell(robot, **A_DAY_OF_BATTERY)
        return robots

    def update(self, robots: Iterable[Voice]) -> list[Voice]:
        """Let robots ask, and those that get an offer install it; return these."""
        updated = []
        for robot in robots:
            offer = self.fleet.hear(robot).offer
            if offer is not None:
                robot.runs(str(offer.version))
                robot.says(offer.id, "installed", attempts=offer.attempt)
                self.fleet.hear(robot)
                updated.append(robot)
        return updated

    def quarter(self, robots: Iterable[Voice], **changes: Any) -> None:
        """Let robots tell of a quarter of an hour; time goes on with `pass_time`."""
        for robot in robots:
            self.tell(robot, **{"length_s": QUARTER_S, "ok_s": QUARTER_S, **changes})

    def pass_time(self, time_s: float = QUARTER_S) -> list[str]:
        """Let time pass with the engine looking all the while, and return what changed."""
        return self.fleet.watch(time_s)

    def state(self, rollout: Rollout) -> RolloutState:
        return self.fleet.rollout(rollout.rollout_id).state

    def reason(self, rollout: Rollout) -> str:
        return self.fleet.rollout(rollout.rollout_id).reason

    def alarms(self) -> list[Trigger]:
        return [alarm.trigger for alarm in self.fleet.run(lambda rows: rows.find(Alarm))]

    def health(self, robot_id: str = "robot-1") -> RobotHealth:
        """Return what is kept of a robot, which must be there."""
        found = self.fleet.run(lambda rows: rows.get(RobotHealth, robot_id))
        assert found is not None
        return found
