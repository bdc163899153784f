"""Works per second through the store, beside the ways it could have been built; docs/decisions/0001 reads from it.

A work is what a robot's check does: find the robot by its token, read its facts and newest assignment, store new facts.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from surefoot.fleet.model import Facts, Robot
from surefoot.fleet.ports import Rows
from surefoot.store.sql_store import BATCH_MAX, SqlStore
from surefoot.wire.report import Report, SlotReport

ROBOTS = 1000
Check = Callable[[int], Awaitable[None]]


def robot_id(number: int) -> str:
    """Return the id of a robot, which is its token here too."""
    return f"robot-{number % ROBOTS:06}"


def report_of(number: int) -> Report:
    """Return what a robot says."""
    return Report(
        robot_id=robot_id(number),
        sku="standard",
        epoch="0",
        boot=1,
        seq=number,
        running=SlotReport(slot="ota_0", version="0.2.1", digest="9f" * 32, state="confirmed"),
        spare=None,
        assignment=None,
        version_floor="0.1.0",
        protocol=1,
        companion_version=None,
        trusted_keys=("aa" * 32,),
        code=None,
    )


def enrol_all(rows: Rows) -> None:
    """Store every robot and what it said first."""
    for number in range(ROBOTS):
        name = robot_id(number)
        rows.put_robot(Robot(robot_id=name, sku="standard", token_sha256=name, enrolled_at_s=0.0))
        rows.put_facts(Facts(report=report_of(number), received_at_s=0.0, heard_at_s=0.0))


def check(rows: Rows, number: int) -> None:
    """Do what a robot's check does."""
    robot = rows.robot_by_token(robot_id(number))
    facts = rows.facts(robot.robot_id) if robot else None
    if robot is None or facts is None:
        raise LookupError(robot_id(number))
    rows.newest_assignment(robot.robot_id)
    rows.put_facts(replace(facts, report=report_of(number), heard_at_s=float(number)))


async def measure(one: Check, works: int, in_flight: int) -> float:
    """Return works per second with so many in flight."""
    numbers = iter(range(works))

    async def worker() -> None:
        for number in numbers:
            await one(number)

    started_s = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return works / (time.perf_counter() - started_s)


async def through_store(url: str, works: int, in_flight: int, batch_max: int) -> float:
    """Measure the store itself, or one commit per work when a batch is one."""
    store = SqlStore(url, batch_max=batch_max)
    try:
        return await measure(
            lambda number: asyncio.wrap_future(store.submit(lambda rows: check(rows, number))), works, in_flight
        )
    finally:
        store.close()


async def through_aiosqlite(path: Path, works: int, in_flight: int) -> float:
    """Measure the same statements awaited one by one on aiosqlite, a transaction per work."""
    aiosqlite = import_module("aiosqlite")
    one_writer = asyncio.Lock()
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            await connection.execute(f"PRAGMA {pragma}")

        async def first(statement: str, *parameters: Any) -> Any:
            async with connection.execute(statement, parameters) as cursor:
                return await cursor.fetchone()

        async def one(number: int) -> None:
            async with one_writer:
                await connection.execute("BEGIN IMMEDIATE")
                (name,) = await first("SELECT robot_id FROM robots WHERE token_sha256 = ?", robot_id(number))
                (text,) = await first("SELECT report FROM facts WHERE robot_id = ?", name)
                json.loads(text)
                await first("SELECT * FROM assignments WHERE robot_id = ? ORDER BY nth DESC LIMIT 1", name)
                statement = "UPDATE facts SET report = ?, seq = ?, heard_at_s = ? WHERE robot_id = ?"
                await connection.execute(statement, (text, number, number, name))
                await connection.execute("COMMIT")

        return await measure(one, works, in_flight)


def measure_all(works: int, in_flight: int, rounds: int) -> dict[str, float]:
    """Return each way's median over rounds in which all take turns; the first round only warms up."""
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=".") as directory:
        path = Path(directory) / "fleet.db"
        url = f"sqlite:///{path}"
        store = SqlStore(url)
        store.submit(enrol_all).result()
        store.close()
        ways: dict[str, Callable[[], Coroutine[Any, Any, float]]] = {
            "one writer, batches": lambda: through_store(url, works, in_flight, BATCH_MAX),
            "one writer, a commit per work": lambda: through_store(url, works, in_flight, 1),
        }
        if find_spec("aiosqlite"):
            ways["aiosqlite, raw SQL, a commit per work"] = lambda: through_aiosqlite(path, works, in_flight)
        for _ in range(rounds + 1):
            for name, way in ways.items():
                rates.setdefault(name, []).append(asyncio.run(way()))
    return {name: round(statistics.median(measured[1:])) for name, measured in rates.items()}


def main() -> None:
    """Measure each way and print works per second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer works, one round")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--in-flight", type=int, default=64, help="works submitted and not yet done")
    options = parser.parse_args()
    works, rounds = (500, 1) if options.quick else (3000, 5)
    works_per_s = measure_all(works, options.in_flight, rounds)
    if options.json:
        print(json.dumps({"in_flight": options.in_flight, "works_per_s": works_per_s}))
        return
    for name, rate in works_per_s.items():
        print(f"{name:<40} {rate:>7} works/s")


if __name__ == "__main__":
    main()
