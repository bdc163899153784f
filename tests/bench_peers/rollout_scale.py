"""What rollouts cost the server of a large fleet, on SQLite: creating one, and a tick of the engine over many.

A few robots live through the real use cases, one of each kind that a running rollout has; the database then copies
their rows until the fleet is large.
"""

import hashlib
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from fleet.fleet_case import SKU, FleetCase, Voice, digest_of
from fleet.health_case import HealthCase
from surefoot.fleet.gate_survey import GateSurvey, survey_gate
from surefoot.fleet.gather import Survey, survey
from surefoot.fleet.health import RobotHealth, take_health
from surefoot.fleet.health_place import Counting
from surefoot.fleet.health_sums import QUARTER_S
from surefoot.fleet.look import look_at, to_look_at
from surefoot.fleet.model import Release, Rollout
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollouts import start_rollout
from surefoot.rollout.plan import Phase, Plan, default_plan
from surefoot.store.sql_store import SqlStore

ROLLOUTS = 20
TICKS = 9
OPEN_DOORS = Plan(phases=(Phase(name="all", percent=100, soak_s=0),), ramp=None)
TABLES = ("robots", "facts", "heard", "robot_health", "assignments")
# Of 200 robots 20 run a release, one for each rollout; of 20,000, 20 are updating.
UPDATED_ONE_IN, BUSY_ONE_IN = 200, 20_000
TICK_S = 15.0

Figures = dict[str, float | list[float] | None]


def measure_scale(robots: int, tell: Callable[[str], None]) -> Figures:
    """Return the figures for a fleet of so many robots."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder).resolve() / "fleet.db"
        store = SqlStore(f"sqlite:///{path}")
        case = HealthCase(fleet=FleetCase(run=lambda work: store.submit(work).result()))
        _live(case)
        store.close()
        _copy(path, robots)
        tell(f"scale: {robots} robots are there")
        case.fleet.run = lambda work: store.submit(work).result()
        store = SqlStore(f"sqlite:///{path}")
        with closing(store):
            return {"scale_robots": robots} | _tick(store, case, tell) | _create(case)


def _live(case: HealthCase) -> None:
    """Let a robot of each kind live: one that waits and, for each rollout, one that is updated and one that updates."""
    case.tell(case.fleet.enrol("waits"), length_s=QUARTER_S, ok_s=QUARTER_S)
    for number in range(ROLLOUTS):
        voices = [case.fleet.enrol(f"{kind}-{number:02}") for kind in ("updated", "busy")]
        for voice in voices:
            case.tell(voice, length_s=QUARTER_S, ok_s=QUARTER_S)
        case.fleet.start(f"0.3.{number}", OPEN_DOORS)
        case.fleet.install(voices[0])
        case.fleet.offered(voices[1])
        _narrow(case)
    case.fleet.now_s += 3 * 3600.0
    for robot_id in ("waits", *(f"updated-{number:02}" for number in range(ROLLOUTS))):
        voice = Voice(robot=case.fleet.status(robot_id).robot, boot=2)
        case.tell(voice, length_s=QUARTER_S, ok_s=QUARTER_S)


def _narrow(case: HealthCase) -> None:
    """Let the newest rollout stand where its canaries are soaking."""

    def work(rows: Rows) -> None:
        [rollout] = rows.find(Rollout, newest_first=True, limit=1)
        rows.put(replace(rollout, plan=replace(default_plan(), capacity=1_000_000), phase=0))

    case.fleet.run(work)


def _copy(path: Path, robots: int) -> None:
    kind = (
        f"CASE WHEN n % {UPDATED_ONE_IN} < {ROLLOUTS} THEN printf('updated-%02d', n % {UPDATED_ONE_IN})"
        f" WHEN n % {BUSY_ONE_IN} BETWEEN 100 AND {99 + ROLLOUTS} THEN printf('busy-%02d', n % {BUSY_ONE_IN} - 100)"
        " ELSE 'waits' END"
    )
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TEMP TABLE copies (robot_id TEXT, kind TEXT)")
        database.execute(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?) "
            f"INSERT INTO copies SELECT printf('robot-%07d', n), {kind} FROM numbers",
            (robots,),
        )
        for table in TABLES:
            columns = [(row[1], row[2]) for row in database.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(_copied(name, kind) for name, kind in columns)
            names = ", ".join(f'"{name}"' for name, _ in columns)
            database.execute(
                f"INSERT INTO {table} ({names}) SELECT {values} FROM copies JOIN {table} AS one "
                "ON one.robot_id = copies.kind ORDER BY copies.robot_id"
            )


def _copied(name: str, kind: str) -> str:
    if name == "nth":
        return "NULL"
    if name == "assignment_id":
        return "one.assignment_id || '-' || copies.robot_id"
    if name == "token_sha256":
        return "lower(hex(randomblob(32)))"
    return f'replace(one."{name}", copies.kind, copies.robot_id)' if kind == "TEXT" else f'one."{name}"'


def _create(case: HealthCase) -> Figures:
    took_ms, rows_before = [], case.fleet.run(lambda rows: len(rows.find(Rollout)))
    for number in range(3):
        release = case.fleet.release(f"0.9.{number}", digest=digest_of(f"0.9.{number}"))
        salt = hashlib.sha256(b"%d" % number).digest()
        began_s = time.perf_counter()
        case.fleet.run(
            lambda rows, release=release, salt=salt: start_rollout(  # type: ignore[misc]
                rows, release.release_id, default_plan(), release.release_id, salt, case.fleet.now_s
            )
        )
        took_ms.append((time.perf_counter() - began_s) * 1000)
    assert case.fleet.run(lambda rows: len(rows.find(Rollout))) == rows_before + 3
    return {"create_rollout_ms": round(statistics.median(took_ms), 1)}


def _tick(store: SqlStore, case: HealthCase, tell: Callable[[str], None]) -> Figures:
    newest = store.read(lambda rows: rows.find(Rollout, newest_first=True, limit=1)[0])
    began_s = time.perf_counter()
    gate = store.read(lambda rows: survey_gate(rows, newest, case.fleet.now_s))
    gate_s = time.perf_counter() - began_s
    tell(f"scale: the gate's survey took {gate_s:.1f} s")
    release = store.read(lambda rows: rows.get(Release, newest.release_id))
    assert release is not None
    began_s = time.perf_counter()
    found = store.read(lambda rows: survey(rows, newest, release, case.fleet.now_s))
    survey_s = time.perf_counter() - began_s
    tell(f"scale: the survey took {survey_s:.1f} s")
    before = _ticks(case, found, gate)
    tell(f"scale: a tick takes {before[0]:.0f} ms, {before[1]:.0f} of them CPU")
    _tell_more(case)
    after = _ticks(case, found, gate)
    return {
        "tick_ms": before[0],
        "tick_cpu_ms": before[1],
        "tick_ms_after_1000_windows": after[0],
        "tick_cpu_ms_after_1000_windows": after[1],
        "gate_survey_s": round(gate_s, 1),
        "survey_s": round(survey_s, 1),
    }


def _tell_more(case: HealthCase) -> None:
    """Let fifty robots tell of twenty quarters of an hour each."""

    def work(rows: Rows) -> None:
        for health in rows.find(RobotHealth, limit=50, sku=SKU):
            robot = rows.robot(health.robot_id)
            assert robot is not None
            voice = Voice(robot=robot, boot=health.signs.boot)
            case.numbers[health.robot_id, voice.epoch, voice.boot] = health.signs.number
            for _ in range(20):
                window = case.window(voice, length_s=QUARTER_S, ok_s=QUARTER_S)
                assert take_health(rows, health.robot_id, window, case.fleet.now_s)

    case.fleet.run(work)


def _ticks(case: HealthCase, found: Survey, gate: GateSurvey) -> tuple[float, float]:
    """Return the median milliseconds, and those of CPU, of a tick with surveys that are there already."""
    took_ms: list[tuple[float, float]] = []
    for number in range(TICKS):
        # Each tick has a new quarter to take in, which is what costs most.
        gate = replace(gate, quarter=gate.quarter + 1)
        case.fleet.now_s += TICK_S
        now_s = case.fleet.now_s

        def work(rows: Rows, now_s: float = now_s, gate: GateSurvey = gate) -> int:
            ids, counting = to_look_at(rows), Counting(rows)
            for rollout_id in ids:
                look_at(
                    rows,
                    rollout_id,
                    now_s,
                    lambda _rows, rollout, _release, _now_s: replace(found, phase=rollout.phase),
                    lambda _rows, rollout, _now_s: replace(gate, rollout_id=rollout.rollout_id),
                    counting=counting,
                )
            return len(ids)

        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        looked_at = case.fleet.run(work)
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
        # The first tick takes the pages from the disk.
        took_ms += [(took_s * 1000, cpu_s * 1000)] if number else []
        assert looked_at == ROLLOUTS, looked_at
    wall_ms, cpu_ms = (statistics.median(values) for values in zip(*took_ms, strict=True))
    return round(wall_ms, 1), round(cpu_ms, 1)
