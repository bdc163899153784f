"""Holds the promises of `sim.invariants` against everything that happens in one world."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ParamSpec

from surefoot.fleet.look import OUTAGE_S
from surefoot.fleet.model import Assignment, Facts, Rollout
from surefoot.fleet.ports import Rows
from surefoot.sim import invariants as promise
from surefoot.sim.flash import Flash, PowerSupply
from surefoot.sim.memory_store import Change
from surefoot.sim.partitions import Partition, read_partitions
from surefoot.sim.robot import Behaviour, SimRobot
from surefoot.wire.report import CONFIRMED, TRIAL, Report
from surefoot.wire.version import Version

P = ParamSpec("P")

# A broken promise tends to be broken again at once: the first ones tell the story.
BROKEN_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """The version of an image that a trusted key signed, and the floor it raises when it is installed."""

    version: Version
    floor: Version


@dataclass(slots=True)
class _Witness:
    """What was seen of one robot."""

    robot: SimRobot
    behaviours: Mapping[str, Behaviour]
    floor: Version
    boots: int = 0
    slot: Partition | None = None
    content: bytes = b""
    last: Report | None = None
    reports: dict[promise.Place, Report] = field(default_factory=dict)
    spoken: dict[promise.Place, int] = field(default_factory=dict)
    trial_boots: Counter[str] = field(default_factory=Counter)


class Watch:
    """Looks at one world, and keeps what was broken.

    Args:
        clock: Seconds of the world's time.
        trusted: All images that a trusted key signed, by digest.
        attempts_max: How many trials one assignment may take.
        tell: Gets who it was and a line about each change of a row and each broken promise.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        trusted: Mapping[str, Trusted],
        attempts_max: int,
        tell: Callable[[str, str], None],
    ) -> None:
        self.broken: list[promise.Broken] = []
        self._clock = clock
        self._attempts_max = attempts_max
        self._tell = tell
        self._witnesses: dict[str, _Witness] = {}
        self._gained_s = 0.0
        self._opened_at_s: dict[str, float] = {}
        self.trust(trusted)

    def trust(self, trusted: Mapping[str, Trusted]) -> None:
        """Take these for all images that may run."""
        self._trusted = trusted
        self._versions = {digest: image.version for digest, image in trusted.items()}

    def check(self, who: str, holds: Callable[P, str | None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Record it when a promise does not hold."""
        detail = holds(*args, **kwargs)
        if detail is not None and len(self.broken) < BROKEN_MAX:
            name, sentence = holds.__name__.replace("_", "-"), (holds.__doc__ or "").splitlines()[0]
            at_s = self._clock()
            self.broken.append(promise.Broken(name=name, sentence=sentence, who=who, at_s=at_s, detail=detail))
            self._tell(who, f"BROKEN {name}: {detail}")

    def meet(self, robot: SimRobot, behaviours: Mapping[str, Behaviour]) -> None:
        """Begin to look at a robot, before its first boot."""
        identity = robot.identity
        self._witnesses[identity.robot_id] = _Witness(robot, behaviours, identity.version_floor)

    def spoke(self, robot_id: str, report: Report) -> None:
        """Look at what a robot says, before anything happens to it on the way."""
        seen = self._witnesses[robot_id]
        place = promise.place_of(report)
        self.check(robot_id, promise.one_number_one_report, seen.reports.get(place), report)
        seen.reports[place] = seen.last = report
        seen.spoken.setdefault(place, len(seen.spoken))
        if seen.boots != seen.robot.boots:
            self._booted(robot_id, seen, report)
        assigned = "" if report.assignment is None else report.assignment.id
        self.check(robot_id, promise.trial_ends, report, seen.trial_boots[assigned], self._attempts_max)

    def rested(self, robot_id: str) -> None:
        """Look at a robot that waits for its next check."""
        seen = self._witnesses[robot_id]
        self.check(robot_id, promise.rests_confirmed, seen.last)
        if seen.robot.flash.power.operations == 0:
            # A check that led to nothing left everything as it was looked at before.
            return
        running = seen.robot.running_digest or ""
        self._look_at_slot(robot_id, seen)
        self.check(robot_id, promise.keeps_no_failing_image, seen.behaviours.get(running, Behaviour.HEALTHY))

    def lost_power(self, robot_id: str) -> None:
        """Look at what a power cut left behind."""
        seen = self._witnesses[robot_id]
        left = seen.robot.flash.copy(PowerSupply())
        self._look_at_slot(robot_id, seen, left)
        self.check(robot_id, promise.some_image_boots, left)

    def clock_stepped(self, step_s: float) -> None:
        """Know that the server's clock jumped: what is too short for an outage looks like time that went by."""
        self._gained_s += step_s if 0 < step_s <= OUTAGE_S else 0.0

    def committed(self, rows: Rows, changes: list[Change]) -> None:
        """Look at what one transaction wrote."""
        for before, after in changes:
            if isinstance(after, Facts):
                robot_id = after.report.robot_id
                spoken = self._witnesses[robot_id].spoken
                self.check(robot_id, promise.view_moves_forward, before, after, spoken)
            elif isinstance(after, Assignment):
                self._assigned(rows, before, after)
            elif isinstance(after, Rollout):
                self._moved(rows, before, after)

    def _assigned(self, rows: Rows, before: Assignment | None, after: Assignment) -> None:
        self.check(after.robot_id, promise.within_capacity, rows, before, after)
        self.check(after.robot_id, promise.assigned_behind_open_door, rows, before, after)
        self.check(after.robot_id, promise.failure_has_code, after)
        if before is None or (before.status, before.code) != (after.status, after.code):
            why = f" ({after.code})" if after.code else ""
            self._tell(after.robot_id, f"recorded as {after.status}{why} for {after.release_id}")

    def _moved(self, rows: Rows, before: Rollout | None, after: Rollout) -> None:
        # Counted so that a step of the clock and the same time gone by look alike, as they do to the server.
        counted_s = self._clock() + self._gained_s
        if before is None or before.phase != after.phase:
            opened_at_s = self._opened_at_s.get(after.rollout_id, counted_s)
            self.check(after.rollout_id, promise.phase_passed, rows, before, after, counted_s - opened_at_s)
            self._opened_at_s[after.rollout_id] = counted_s
        if before is None or (before.state, before.phase) != (after.state, after.phase):
            self._tell("server", f"{after.rollout_id} is {after.state} in phase {after.phase}: {after.reason}")

    def _booted(self, robot_id: str, seen: _Witness, report: Report) -> None:
        self._look_at_slot(robot_id, seen)
        seen.boots = seen.robot.boots
        seen.slot = read_partitions(seen.robot.flash)[report.running.slot]
        seen.content = _content(seen.slot)
        running = seen.robot.running_digest
        self.check(robot_id, promise.runs_trusted_image, running, self._versions)
        image = self._trusted.get(running or "")
        if image is not None:
            self.check(robot_id, promise.runs_above_floor, image.version, seen.floor)
            if report.running.state == CONFIRMED:
                seen.floor = max(seen.floor, image.floor)
        if report.running.state == TRIAL and report.assignment is not None:
            seen.trial_boots[report.assignment.id] += 1

    def _look_at_slot(self, robot_id: str, seen: _Witness, flash: Flash | None = None) -> None:
        """Compare the slot that ran since the last boot with what stood there then, in the flash or a copy of it."""
        if seen.slot is not None:
            now = _content(seen.slot if flash is None else replace(seen.slot, flash=flash))
            self.check(robot_id, promise.running_slot_untouched, seen.slot.label, seen.content, now)


def _content(slot: Partition) -> bytes:
    return slot.read(0, slot.size_bytes)
