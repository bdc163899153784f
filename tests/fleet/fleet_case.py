"""A small fleet on real rows, told what happens in the order it happens: shared by the tests of the fleet.

Releases are rows without a file behind them; what is signed and refused is tested where releases are published.
"""

import hashlib
import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, Protocol, TypeVar

from surefoot.fleet.exchange import exchange, poll
from surefoot.fleet.look import OUTAGE_S, tick
from surefoot.fleet.model import Assignment, Facts, HistoryEntry, Key, KeyState, Release, Robot, Rollout
from surefoot.fleet.ports import Rows, Store
from surefoot.fleet.robots import RobotStatus, enrol_robot, robot_status
from surefoot.fleet.rollouts import start_rollout
from surefoot.fleet.settings import FleetSettings
from surefoot.rollout.plan import Phase, Plan
from surefoot.wire.manifest import SignedManifest
from surefoot.wire.offer import Answer, Offer
from surefoot.wire.report import AssignmentReport, Report, SlotReport
from surefoot.wire.version import Version

SKU = "standard"
KEY_ID = "aa" * 32
START_S = 1_700_000_000.0
HOUR_S = 3600.0
EVERYONE = Plan(phases=(Phase(name="full", percent=100, soak_s=0),), failures_max=0, ramp=None)
SETTINGS = FleetSettings(public_url="https://fleet.test")

T = TypeVar("T")


class Run(Protocol):
    """Does a work on rows and returns what it returned."""

    def __call__(self, work: Callable[[Rows], T], /) -> T: ...


def digest_of(version: str) -> str:
    """Return the digest of the image that these tests give a version."""
    return hashlib.sha256(version.encode()).hexdigest()


@dataclass(kw_only=True)
class Voice:
    """A robot as far as the fleet hears of it: what it says is set here, and each report counts one further."""

    robot: Robot
    version: str | None = "0.2.0"
    digest: str | None = digest_of("0.2.0")
    state: str = "confirmed"
    said: AssignmentReport | None = None
    epoch: str = "first"
    boot: int = 1
    seq: int = 0

    def runs(self, version: str, state: str = "confirmed") -> None:
        self.version, self.digest, self.state = version, digest_of(version), state
        self.boot, self.seq = self.boot + 1, 0

    def says(self, offer_id: str, state: str, attempts: int = 1, code: str | None = None) -> None:
        self.said = AssignmentReport(id=offer_id, state=state, attempts=attempts, received_bytes=0, code=code)

    def resets(self, epoch: str) -> None:
        self.epoch, self.boot, self.seq, self.said = epoch, 1, 0, None

    def report(self, **changes: Any) -> Report:
        self.seq += 1
        running = SlotReport(slot="ota_0", version=self.version, digest=self.digest, state=self.state)
        return Report(
            robot_id=self.robot.robot_id,
            sku=self.robot.sku,
            epoch=self.epoch,
            boot=self.boot,
            seq=self.seq,
            running=running,
            spare=None,
            assignment=self.said,
            version_floor=None,
            protocol=1,
            companion_version=None,
            trusted_keys=(KEY_ID,),
            accepts=(),
            code=None,
        ).replace(**changes)


@dataclass(kw_only=True)
class FleetCase:
    """The fleet's use cases on rows; `run` does a work on them. Time stands still unless it is moved."""

    run: Run
    now_s: float = START_S
    ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def release(self, version: str, **changes: Any) -> Release:
        """Store a release of the image that has this version."""
        release = Release(
            release_id=f"{SKU}-{version}",
            sku=SKU,
            version=Version.parse(version),
            sha256=hashlib.sha256(b"file of " + version.encode()).hexdigest(),
            size_bytes=4096,
            digest=digest_of(version),
            key_id=KEY_ID,
            manifest=SignedManifest(payload=b"{}", key_id=KEY_ID, signature=bytes(64)),
            published_at_s=self.now_s,
        )
        release = replace(release, **changes)
        key = Key(key_id=KEY_ID, name="ci", public_key_xy=bytes(64), state=KeyState.ACTIVE, added_at_s=self.now_s)
        self.run(lambda rows: rows.put(key))
        self.run(lambda rows: rows.put(release))
        return release

    def start(self, version: str, plan: Plan = EVERYONE) -> Rollout:
        """Begin a rollout of a version, made a release first if it is none."""
        release = self.run(lambda rows: rows.get(Release, f"{SKU}-{version}")) or self.release(version)
        rollout_id = f"rollout-{next(self.ids)}"
        return self.run(
            lambda rows: start_rollout(rows, release.release_id, plan, rollout_id, rollout_id.encode(), self.now_s)
        )

    def enrol(self, robot_id: str = "robot-1", **voice: Any) -> Voice:
        """Add a robot."""
        token = hashlib.sha256(robot_id.encode()).hexdigest()
        return Voice(robot=self.run(lambda rows: enrol_robot(rows, robot_id, SKU, token, self.now_s)), **voice)

    def hear(self, voice: Voice, **changes: Any) -> Answer:
        """Let a robot report, and return the answer."""
        return self.deliver(voice, voice.report(**changes))

    def deliver(self, voice: Voice, report: Report) -> Answer:
        """Bring a report that may be old, and return the answer."""
        return self.run(lambda rows: exchange(rows, voice.robot, report, self.now_s, SETTINGS, self.new_id))

    def poll(self, voice: Voice, version: str, sku: str = SKU) -> Offer | None:
        """Let a robot ask that says nothing but its version."""
        return self.run(lambda rows: poll(rows, voice.robot, sku, version, self.now_s, SETTINGS, self.new_id))

    def offered(self, voice: Voice) -> Offer:
        """Let a robot report, and return the offer it must get."""
        offer = self.hear(voice).offer
        assert offer is not None
        return offer

    def install(self, voice: Voice) -> Offer:
        """Let a robot take the offer it must get, run it confirmed, and say so."""
        offer = self.offered(voice)
        voice.runs(str(offer.version))
        voice.says(offer.id, "installed", attempts=offer.attempt)
        self.hear(voice)
        return offer

    def tick(self, after_s: float = 0.0) -> list[str]:
        """Let time pass, then run the engine once."""
        self.now_s += after_s
        return self.run(lambda rows: tick(rows, self.now_s))

    def watch(self, time_s: float) -> list[str]:
        """Let time pass with an engine that looks as seldom as it may, and return what changed."""
        changes, end_s = [], self.now_s + time_s
        while self.now_s < end_s:
            changes += self.tick(min(OUTAGE_S, end_s - self.now_s))
        return changes

    def status(self, robot_id: str = "robot-1") -> RobotStatus:
        return self.run(lambda rows: robot_status(rows, robot_id, self.now_s))

    def facts(self, robot_id: str = "robot-1") -> Facts | None:
        return self.run(lambda rows: rows.facts(robot_id))

    def stored_release(self, version: str) -> Release:
        """Return a release, which must be there."""
        found = self.run(lambda rows: rows.get(Release, f"{SKU}-{version}"))
        assert found is not None
        return found

    def assignment_of(self, rollout: Rollout, robot_id: str = "robot-1") -> Assignment:
        """Return the assignment that a rollout made, which must be there."""
        found = self.run(lambda rows: rows.assignment_for(rollout.rollout_id, robot_id))
        assert found is not None
        return found

    def assignment(self, robot_id: str = "robot-1") -> Assignment:
        """Return the newest assignment, which must be there."""
        found = self.run(lambda rows: rows.newest_assignment(robot_id))
        assert found is not None
        return found

    def rollout(self, rollout_id: str) -> Rollout:
        """Return a rollout, which must be there."""
        found = self.run(lambda rows: rows.get(Rollout, rollout_id))
        assert found is not None
        return found

    def history(self, robot_id: str = "robot-1") -> list[HistoryEntry]:
        """Return what happened to a robot, oldest first."""
        return self.run(lambda rows: rows.history(robot_id, 1000))[::-1]

    def new_id(self) -> str:
        return f"assignment-{next(self.ids)}"


class _DoneError(Exception):
    """Takes back all that an example wrote."""


def in_one_transaction(store: Store, story: Callable[[FleetCase], None]) -> None:
    """Tell a story on rows that are as before when it ends: a property's examples need no database each."""

    def work(rows: Rows) -> NoReturn:
        def run(step: Callable[[Rows], T], /) -> T:
            return step(rows)

        story(FleetCase(run=run))
        raise _DoneError

    with suppress(_DoneError):
        store.submit(work).result()
