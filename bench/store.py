"""Reports per second through the store, on one core: what a robot's report costs there, HTTP left out.

A report is the whole use case, `fleet.exchange`, by robots that mostly run what they should; each round starts with a
rollout that they take, so assignments and history are written as well. Two ways to build it are measured beside it: a
commit for each report, and no reading ahead.
"""

import argparse
import asyncio
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from surefoot.fleet.exchange import exchange
from surefoot.fleet.model import Key, KeyState, Release, Robot
from surefoot.fleet.ports import Rows
from surefoot.fleet.robots import enrol_robot
from surefoot.fleet.rollouts import start_rollout
from surefoot.fleet.settings import FleetSettings
from surefoot.rollout.plan import Phase, Plan
from surefoot.server.ids import new_id
from surefoot.store.sql_store import BATCH_MAX, SqlStore
from surefoot.wire.manifest import SignedManifest
from surefoot.wire.report import AssignmentReport, Report, SlotReport
from surefoot.wire.version import Version

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

SKU = "standard"
NOW_S = 1_800_000_000.0
SETTINGS = FleetSettings(public_url="https://fleet.test")
PLAN = Plan(phases=(Phase(name="full", percent=100, soak_s=0),), capacity=1_000_000, ramp=None)


@dataclass(kw_only=True)
class Voice:
    """A robot, and what it says next."""

    robot: Robot
    version: str = "0.1.0"
    seq: int = 0
    said: AssignmentReport | None = None

    def report(self) -> Report:
        """Say it."""
        self.seq += 1
        digest = hashlib.sha256(self.version.encode()).hexdigest()
        return Report(
            robot_id=self.robot.robot_id,
            sku=SKU,
            epoch="0",
            boot=1,
            seq=self.seq,
            running=SlotReport(slot="ota_0", version=self.version, digest=digest, state="confirmed"),
            spare=SlotReport(slot="ota_1", version=None, digest=None, state="empty"),
            assignment=self.said,
            version_floor="0.1.0",
            protocol=1,
            companion_version=None,
            trusted_keys=("aa" * 32,),
            accepts=(),
            code=None,
        )


class Fleet:
    """Robots that report to a store, in an order that has nothing to do with where their rows lie."""

    def __init__(self, store: SqlStore, robots: int) -> None:
        self.store = store
        ids = (hashlib.sha256(b"%d" % number).hexdigest()[:16] for number in range(robots))
        self.voices = [self._enrol(robot_id) for robot_id in ids]
        key = Key(key_id="aa" * 32, name="ci", public_key_xy=bytes(64), state=KeyState.ACTIVE, added_at_s=NOW_S)
        store.submit(lambda rows: rows.put(key)).result()

    def _enrol(self, robot_id: str) -> Voice:
        token = hashlib.sha256(robot_id.encode()).hexdigest()
        self.enrolled = self.store.submit(lambda rows: enrol_robot(rows, robot_id, SKU, token, NOW_S))
        return Voice(
            robot=Robot(robot_id=robot_id, sku=SKU, token_sha256=token, enrolled_at_s=NOW_S),
        )

    def roll_out(self, version: str) -> None:
        """Start to bring a version to everyone."""
        release = Release(
            release_id=version,
            sku=SKU,
            version=Version.parse(version),
            sha256=hashlib.sha256(b"file" + version.encode()).hexdigest(),
            size_bytes=4096,
            digest=hashlib.sha256(version.encode()).hexdigest(),
            key_id="aa" * 32,
            manifest=SignedManifest(payload=b"{}" * 200, key_id="aa" * 32, signature=bytes(64)),
            published_at_s=NOW_S,
        )

        def work(rows: Rows) -> None:
            rows.put(release)
            start_rollout(rows, version, PLAN, version, b"salt", NOW_S)

        self.store.submit(work).result()

    async def report(self, voice: Voice, *, ahead: bool) -> None:
        """Let a robot report, and do what it is told."""
        report = voice.report()
        answer = await asyncio.wrap_future(
            self.store.submit(
                lambda rows: exchange(rows, voice.robot, report, NOW_S, SETTINGS, new_id),
                about=voice.robot.robot_id if ahead else None,
            )
        )
        if answer.offer is not None:
            voice.version = str(answer.offer.version)
            voice.said = AssignmentReport(
                id=answer.offer.id, state="installed", attempts=1, received_bytes=4096, code=None
            )


async def measure(fleet: Fleet, robots: int, in_flight: int, *, ahead: bool) -> tuple[float, float]:
    """Return reports per second, and microseconds of this process's CPU time for each, with so many in flight.

    Each robot reports three times: it is offered the release, has installed it, and has nothing new to say.
    """
    reports = 3 * robots
    voices = iter(fleet.voices[number % robots] for number in range(reports))

    async def worker() -> None:
        for voice in voices:
            await fleet.report(voice, ahead=ahead)

    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    took_s, cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
    return reports / took_s, cpu_s / reports * 1e6


@contextmanager
def database(name: str) -> Iterator[str]:
    """Bring an empty database: SQLite on this disk, or a PostgreSQL server of its own."""
    if name == "sqlite":
        with tempfile.TemporaryDirectory(dir=".") as directory:
            yield f"sqlite:///{directory}/fleet.db"
        return
    # The tests know how to start one.
    from postgres import open_postgres  # noqa: PLC0415

    server = open_postgres(fsync="on")
    try:
        yield server.url("postgres")
    finally:
        server.stop()


def measure_on(url: str, robots: int, in_flight: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return the median of each way's rounds; a round is a rollout to everyone, then the robots' daily life."""
    # With what share of the robots: a disk that syncs for each report takes its time.
    ways = {
        "batches": (BATCH_MAX, True, 1),
        "nothing read ahead": (BATCH_MAX, False, 4),
        "a commit for each": (1, True, 40),
    }
    found: dict[str, dict[str, float]] = {}
    store = SqlStore(url)
    fleet = Fleet(store, robots)
    fleet.enrolled.result()
    store.close()
    for place, (way, (batch_max, ahead, share)) in enumerate(ways.items()):
        fleet.store = SqlStore(url, batch_max=batch_max)
        # Not so few that a robot would speak before it was answered.
        some = min(max(robots // share, 2 * in_flight), robots)
        rates = []
        for number in range(rounds):
            fleet.roll_out(f"0.{place + 1}.{number + 1}")
            rates.append(asyncio.run(measure(fleet, some, in_flight, ahead=ahead)))
        fleet.store.close()
        found[way] = {
            "reports_per_s": round(statistics.median(rate for rate, _ in rates)),
            "cpu_us": round(statistics.median(cpu_us for _, cpu_us in rates)),
        }
    return found


def main() -> None:
    """Measure each way on each database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer robots, one round")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--robots", type=int, default=20_000, help="how many report")
    parser.add_argument("--in-flight", type=int, default=256, help="reports sent and not yet answered")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append", help="only this one")
    options = parser.parse_args()
    robots, rounds = (2000, 1) if options.quick else (options.robots, 3)
    # Client and server share one core, so that the figures are per core.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found = {}
    for name in options.database or ["sqlite", "postgresql"]:
        with database(name) as url:
            found[name] = measure_on(url, robots, options.in_flight, rounds)
    if options.json:
        print(json.dumps({"in_flight": options.in_flight, "robots": robots, "databases": found}))
        return
    for name, ways in found.items():
        for way, figures in ways.items():
            print(
                f"{name:<12} {way:<20} {figures['reports_per_s']:>7} reports/s, {figures['cpu_us']:>5} µs of CPU each"
            )


if __name__ == "__main__":
    main()
