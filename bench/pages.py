"""How long the server takes for each page, and how much a first load moves, with a large fleet and twenty rollouts."""

import argparse
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser.showcase import PASSWORD, SETTINGS, Showcase  # noqa: E402 - the tests' server and its operator
from live_server import LiveServer  # noqa: E402

ROBOTS, ROBOTS_QUICK, ROLLOUTS = 1_000_000, 20_000, 20
ASKED = 20
CLOCK_HZ = os.sysconf("SC_CLK_TCK")
TARGET_S, TARGET_BYTES = 0.3, 500_000
ASSETS = ("surefoot.css", "theme.js", "surefoot.js", "vendor/htmx.js", "vendor/sse.js")
OF_CHARTS = ("charts.js", "vendor/uplot.js", "vendor/uplot.css")


def main() -> None:
    """Fill a server, ask for each page, and print a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{ROBOTS_QUICK} robots in place of {ROBOTS}")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--data", type=Path, help="directory to keep the filled server in, for another call")
    given = parser.parse_args()
    robots = ROBOTS_QUICK if given.quick else ROBOTS
    with tempfile.TemporaryDirectory(prefix="surefoot-pages-") as name:
        data = given.data or Path(name) / "data"
        if not data.exists():
            _make(data, robots)
        with LiveServer(data, **SETTINGS).start() as server:
            found = _measure(server)
    print(json.dumps(found) if given.json else _table(found))


def _make(data: Path, robots: int) -> None:
    with LiveServer(data, **SETTINGS).start() as server:
        stage = Showcase(server)
        stage.account("ada", "admin")
        stage.trust("release-2026", stage.signer)
        stage.enrol("robot-first", "0.2.0")
        rollouts = [_halted(stage, number) for number in range(ROLLOUTS - 1)]
        rollouts.append(stage.roll_out(stage.publish("1.0.0"), phases=_PHASES))
        stage.close()
    fill(data / "surefoot.db", robots, rollouts)


_PHASES = [{"name": "canary", "percent": 10, "soak_s": 864_000}, {"name": "full", "percent": 100, "soak_s": 864_000}]


def _halted(stage: Showcase, number: int) -> str:
    rollout_id = stage.roll_out(stage.publish(f"0.3.{number}"), phases=_PHASES)
    stage.change(rollout_id, "halt", "arms shake")
    return rollout_id


def fill(path: Path, robots: int, rollouts: list[str]) -> None:
    """Write robots with facts, and an assignment of two rollouts for most of them, a few of the others'."""
    now_s = time.time()
    base = sqlite3.connect(path, isolation_level=None)
    base.execute("PRAGMA synchronous = OFF")
    base.execute("BEGIN")
    for table, rows in (
        ("robots", _robots(robots, now_s)),
        ("facts", _facts(base, robots, now_s)),
        ("heard", ({"robot_id": _name(number), "heard_at_s": now_s} for number in range(robots))),
        ("assignments", _assignments(base, robots, rollouts, now_s)),
    ):
        _insert(base, table, rows)
    base.execute("COMMIT")
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    base.close()


def _insert(base: sqlite3.Connection, table: str, rows: Iterator[dict[str, Any]]) -> None:
    first = next(rows)
    marks = ", ".join(f":{name}" for name in first)
    statement = f"INSERT INTO {table} ({', '.join(first)}) VALUES ({marks})"  # noqa: S608 - names of ours
    base.execute(statement, first)
    base.executemany(statement, rows)


def _name(number: int) -> str:
    return f"robot-{number:07}"


def _robots(count: int, now_s: float) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {"robot_id": _name(number), "sku": "standard", "token_sha256": f"{number:064x}", "enrolled_at_s": now_s}


def _facts(base: sqlite3.Connection, count: int, now_s: float) -> Iterator[dict[str, Any]]:
    names = [row[1] for row in base.execute("PRAGMA table_info(facts)")]
    known = dict(zip(names, base.execute("SELECT * FROM facts WHERE robot_id = 'robot-first'").fetchone(), strict=True))
    report = json.loads(known["report"])
    for number in range(count):
        version = f"0.{number % 5}.0"
        said = {**report, "robot_id": _name(number), "running": {**report["running"], "version": version}}
        yield {
            **known,
            "robot_id": _name(number),
            "report": json.dumps(said),
            "received_at_s": now_s,
            "running_version": version,
        }


def _assignments(base: sqlite3.Connection, count: int, rollouts: list[str], now_s: float) -> Iterator[dict[str, Any]]:
    release_of = dict(base.execute("SELECT rollout_id, release_id FROM rollouts"))
    for index, rollout_id in enumerate(rollouts):
        reached = {len(rollouts) - 1: count // 10, 0: count}.get(index, count // 1000)
        for number in range(reached):
            status = ("installed", "rolled_back", "silent")[0 if number % 500 else 1 + number // 500 % 2]
            yield {
                "assignment_id": f"{rollout_id}-{number}",
                "rollout_id": rollout_id,
                "release_id": release_of[rollout_id],
                "robot_id": _name(number),
                "assigned_at_s": now_s - 600,
                "attempt": 1,
                "status": status,
                "code": "trial-failed" if status == "rolled_back" else None,
                "status_since_s": now_s - 300,
                "installed_at_s": now_s - 300 if status == "installed" else None,
                "is_open": 0,
                "force": 0,
                "rollback": 0,
                "phase": 0,
            }


def _table(found: dict[str, dict[str, float]]) -> str:
    lines = [f"{'page':<22}{'first':>9}{'median':>9}{'worst':>9}{'CPU':>9}{'first load':>13}"]
    for name, one in found.items():
        times = "".join(f"{one[key]:>6.0f} ms" for key in ("first_ms", "median_ms", "worst_ms", "cpu_ms"))
        lines.append(f"{name:<22}{times}{one['first_load_bytes'] / 1000:>10.0f} kB")
    slowest_ms = max(max(one["first_ms"], one["worst_ms"]) for one in found.values())
    largest = max(one["first_load_bytes"] for one in found.values())
    lines.append(f"Slowest: {slowest_ms:.0f} ms, of {TARGET_S * 1000:.0f}.")
    lines.append(f"Largest first load: {largest / 1000:.0f} kB, of {TARGET_BYTES / 1000:.0f}.")
    return "\n".join(lines)


def _measure(server: LiveServer) -> dict[str, dict[str, float]]:
    with server.operator() as api:
        base = sqlite3.connect(server.data_dir / "surefoot.db")
        rollouts = [row[0] for row in base.execute("SELECT rollout_id FROM rollouts ORDER BY nth")]
        base.close()
        key = api.get("/api/v1/keys").json()["keys"][0]["key_id"]
    pages = {
        "fleet": "/",
        "rollouts": "/rollouts",
        "rollout, all robots": f"/rollouts/{rollouts[0]}",
        "rollout, under way": f"/rollouts/{rollouts[-1]}",
        "halt?": f"/rollouts/{rollouts[-1]}/halt",
        "its robots": f"/rollouts/{rollouts[0]}/robots?status=silent",
        "new rollout": "/rollouts/new",
        "robots": "/robots?after=robot-0010000",
        "robots, silent": "/robots?status=silent",
        "robot": "/robots/robot-0010000",
        "incidents": "/incidents",
        "incident": f"/incidents/{rollouts[0]}-2",
        "releases": "/releases",
        "keys": "/keys",
        "rotate?": f"/keys/{key}/rotate",
        "audit log": "/audit",
        "accounts": "/accounts",
        "search": "/search?q=robot-001",
    }
    with httpx.Client(base_url=server.url, verify=server.tls, timeout=60, headers={"accept": "text/html"}) as client:
        form = {"account": "ada", "password": PASSWORD}
        signed_in = client.post("/sign-in", data=form, headers={"origin": server.url})
        cookie = signed_in.headers["set-cookie"].partition(";")[0]
        client.headers["cookie"] = cookie
        assets = {name: len(client.get(f"/assets/{name}").content) for name in (*ASSETS, *OF_CHARTS)}
        found: dict[str, dict[str, float]] = {}
        for name, path in pages.items():
            first_s = client.get(path).raise_for_status().elapsed.total_seconds()
            _until_counted(client, path)
            used_s = _cpu_s(server.pid)
            asked = [client.get(path) for _ in range(ASKED)]
            used_s = (_cpu_s(server.pid) - used_s) / ASKED
            times_s = [answer.raise_for_status().elapsed.total_seconds() for answer in asked]
            moved = max(len(answer.content) for answer in asked) + sum(assets.values())
            found[name] = {
                "first_ms": first_s * 1000,
                "median_ms": statistics.median(times_s) * 1000,
                "worst_ms": max(times_s) * 1000,
                "cpu_ms": used_s * 1000,
                "first_load_bytes": moved,
            }
    return found


def _until_counted(client: httpx.Client, path: str) -> None:
    """Ask until nothing is being counted any more, as a page that is live does."""
    while 'class="counting"' in client.get(path).text:
        time.sleep(0.5)


def _cpu_s(pid: int) -> float:
    """Return how much CPU time a process has used, counting in the background included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_HZ


if __name__ == "__main__":
    main()
