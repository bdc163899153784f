"""The fleet's side of a simulated rollout: real rows in memory, real use cases, and the engine's real look."""

import hashlib
import itertools
from collections.abc import Callable
from typing import TypeVar

from surefoot.fleet.exchange import exchange
from surefoot.fleet.gate_survey import GateSurvey, survey_gate
from surefoot.fleet.gather import Survey, survey
from surefoot.fleet.health import take_health
from surefoot.fleet.health_place import Counting
from surefoot.fleet.health_sums import quarter_at
from surefoot.fleet.look import look_at, to_look_at
from surefoot.fleet.model import Key, KeyState, Release, Robot, Rollout
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollouts import start_rollout
from surefoot.fleet.settings import FleetSettings
from surefoot.rollout.plan import Plan
from surefoot.sim.memory_store import MemoryStore
from surefoot.wire.health import HealthWindow
from surefoot.wire.manifest import SignedManifest
from surefoot.wire.offer import Answer
from surefoot.wire.report import Report
from surefoot.wire.version import Version

SKU = "standard"
OLD_VERSION, NEW_VERSION = "1.0.0", "1.1.0"
ROLLOUT_ID = "rollout-1"
KEY_ID = "aa" * 32
SETTINGS = FleetSettings(public_url="https://fleet.test")

T = TypeVar("T")


def digest_of(version: str) -> str:
    """Return the digest of a version's image."""
    return hashlib.sha256(version.encode()).hexdigest()


class RolloutFleet:
    """A fleet with an old release that everyone runs, and a new one."""

    def __init__(self, now_s: float) -> None:
        self.store = MemoryStore()
        self._ids = itertools.count(1)
        # Surveys are as old as they are on a busy server, where going through all robots takes its time.
        self._surveys: dict[str, tuple[int, Survey]] = {}
        self._gate_surveys: dict[str, GateSurvey] = {}
        key = Key(key_id=KEY_ID, name="ci", public_key_xy=bytes(64), state=KeyState.ACTIVE, added_at_s=now_s)
        self.run(lambda rows: rows.put(key))
        for version in (OLD_VERSION, NEW_VERSION):
            release = _release(version, now_s, stable=version == OLD_VERSION)
            self.run(lambda rows, release=release: rows.put(release))  # type: ignore[misc]

    def run(self, work: Callable[[Rows], T]) -> T:
        """Do a work in a transaction."""
        return self.store.submit(work).result()

    def enrol(self, robot: Robot) -> None:
        """Add a robot."""
        self.run(lambda rows: rows.put_robot(robot))

    def start(self, plan: Plan, salt: bytes, now_s: float) -> None:
        """Start to bring the new release to the fleet."""
        self.run(lambda rows: start_rollout(rows, f"{SKU}-{NEW_VERSION}", plan, ROLLOUT_ID, salt, now_s))

    def hear(self, robot: Robot, report: Report, now_s: float) -> Answer:
        """Take a report and answer it."""
        return self.run(lambda rows: exchange(rows, robot, report, now_s, SETTINGS, self._new_id))

    def hear_windows(self, windows: list[HealthWindow], now_s: float) -> None:
        """Take health windows, many in one transaction."""

        def work(rows: Rows) -> None:
            for window in windows:
                take_health(rows, window.robot_id, window, now_s)

        self.run(work)

    def look(self, now_s: float) -> None:
        """Let the engine look at every rollout once."""

        def work(rows: Rows) -> None:
            counting, url = Counting(rows), SETTINGS.public_url
            for rollout_id in to_look_at(rows):
                look_at(rows, rollout_id, now_s, self._survey, self._survey_gate, public_url=url, counting=counting)

        self.run(work)

    def rollout(self) -> Rollout:
        """Return the rollout as it stands."""
        return self.store.read(lambda rows: rows.find(Rollout)[0])

    def _survey(self, rows: Rows, rollout: Rollout, release: Release, now_s: float) -> Survey:
        quarter, known = self._surveys.get(rollout.rollout_id, (-1, None))
        if known is None or quarter != quarter_at(now_s) or known.phase != rollout.phase:
            known = survey(rows, rollout, release, now_s)
            self._surveys[rollout.rollout_id] = (quarter_at(now_s), known)
        return known

    def _survey_gate(self, rows: Rows, rollout: Rollout, now_s: float) -> GateSurvey:
        known = self._gate_surveys.get(rollout.rollout_id)
        if known is None or known.quarter != quarter_at(now_s) - 1:
            known = self._gate_surveys[rollout.rollout_id] = survey_gate(rows, rollout, now_s)
        return known

    def _new_id(self) -> str:
        return f"assignment-{next(self._ids)}"


def _release(version: str, now_s: float, *, stable: bool) -> Release:
    return Release(
        release_id=f"{SKU}-{version}",
        sku=SKU,
        version=Version.parse(version),
        sha256=digest_of(f"file of {version}"),
        size_bytes=4096,
        digest=digest_of(version),
        key_id=KEY_ID,
        manifest=SignedManifest(payload=b"{}", key_id=KEY_ID, signature=bytes(64)),
        published_at_s=now_s,
        stable=stable,
    )
