"""The server beside nginx and goosebit, as ratios from the same run: checks, reports, downloads, a large table, memory.

All of them speak TLS with one certificate on this machine, which also runs the client, and are asked by as many robots
in turn over as many connections that stay open, with the same headers; nginx the very same bytes as Surefoot. What a
server reaches per core is its answers by the CPU time it used itself, so that neither the client nor whoever else is
busy counts; `polls_vs_goosebit` is by wall time, where the one client may be what limits. Needs Debian's nginx, wrk and
curl, and postgresql for its share; goosebit comes from PyPI into a virtual environment below `var/`.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))

from bench_peers.goosebit import goosebit  # noqa: E402 - it lies beside the tests
from bench_peers.nginx import nginx  # noqa: E402
from bench_peers.processes import Load, load, lua, resident_bytes  # noqa: E402
from bench_peers.surefoot_server import CHECK, REPORT, TOKEN, Server, fill, surefoot  # noqa: E402
from postgres import Postgres  # noqa: E402

IMAGE = os.urandom(4 * 1024 * 1024)
# Of the databases that were measured, the slower one's.
LEAST = "reports_per_s_per_core"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything: `robots` known, in a small and a large table; seconds per measurement; rounds."""

    robots: int
    robots_small: int
    robots_large: int
    time_s: float
    rounds: int
    checks_flat: int


FULL = Size(robots=20_000, robots_small=1_000, robots_large=1_000_000, time_s=5, rounds=5, checks_flat=1_000_000)
QUICK = Size(robots=2_000, robots_small=1_000, robots_large=20_000, time_s=3, rounds=1, checks_flat=200_000)


class Bench:
    """One folder with what the servers need."""

    def __init__(self, folder: Path, size: Size) -> None:
        self._folder = folder
        self._size = size

    def script(self, name: str, method: str, target: str, robots: int, body: str = "", token: str = TOKEN) -> Path:
        """Return a wrk script for so many robots."""
        return lua(self._folder / f"{name}.lua", method, target, robots=robots, body=body, token=token)

    def warm(self, server: Server, script: Path, robots: int, workers: int = 1) -> None:
        """Let every robot ask every worker, so that the fleet is in its steady state."""
        asked = 0
        # A robot is answered from its request's bytes from the third time on; it is chance which worker it meets.
        while asked < robots * (3 if workers == 1 else 6 * workers):
            asked += good(load(server.pid, server.url, 5, script=script, start=asked % robots)).answers

    def against_peers(self, workers: int, url: str | None = None) -> dict[str, float]:
        """Measure checks and downloads beside nginx and goosebit, round by round, each with so many workers."""
        size, folder = self._size, self._folder / f"peers-{workers}"
        fill(folder, size.robots, IMAGE, url)
        settings = {} if url is None else {"workers": workers, "database_url": url}
        rounds: list[dict[str, float]] = []
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(surefoot(folder, **settings))
            pem = folder / "tls" / "server.pem"
            plain_pid, plain_url = stack.enter_context(nginx(self._folder / "nginx", pem, IMAGE, workers))
            goose_folder = ROOT / "var" / "bench-goosebit"
            goose_pid, goose_url = stack.enter_context(goosebit(goose_folder, pem, size.robots, workers))
            checks = self.script("checks", "GET", CHECK, size.robots)
            goose = self.script("goose", "GET", "/fleet/controller/v1/robot-NUMBER", size.robots, token="")
            sha256 = next(path.name for path in (folder / "images").rglob("*") if len(path.name) == 64)
            images = self.script("images", "GET", f"/v1/images/{sha256}", size.robots)
            self.warm(server, checks, size.robots, workers)
            for _ in range(size.rounds):
                ours = good(load(server.pid, server.url, size.time_s, script=checks))
                theirs = good(load(goose_pid, goose_url, size.time_s, script=goose))
                plain = good(load(plain_pid, plain_url, size.time_s, script=checks))
                downloads = good(load(server.pid, server.url, size.time_s, script=images))
                files = good(load(plain_pid, f"{plain_url}/image", size.time_s))
                rounds.append(
                    {
                        "polls_per_s": ours.per_s,
                        "poll_cpu_us": 1e6 / ours.per_core,
                        "goosebit_polls_per_s": theirs.per_s,
                        "polls_vs_goosebit": ours.per_s / theirs.per_s,
                        "polls_vs_goosebit_per_core": ours.per_core / theirs.per_core,
                        "polls_vs_nginx_per_core": ours.per_core / plain.per_core,
                        "download_mib_per_s": downloads.bytes_read / downloads.time_s / 2**20,
                        "download_vs_nginx": (downloads.bytes_read / downloads.time_s)
                        / (files.bytes_read / files.time_s),
                    }
                )
        return medians(rounds)

    def reports(self, url: str | None, name: str) -> dict[str, float]:
        """Measure reports, each durable before it is answered."""
        size, folder = self._size, self._folder / f"reports-{name}"
        fill(folder, size.robots, IMAGE, url)
        settings = {} if url is None else {"database_url": url}
        script = self.script("reports", "POST", "/v1/report", size.robots, REPORT)
        with surefoot(folder, **settings) as server:
            self.warm(server, script, size.robots)
            loads = [
                good(load(server.pid, server.url, size.time_s, script=script, connections=200))
                for _ in range(size.rounds)
            ]
        return medians(
            [
                {
                    f"reports_per_s_per_core_{name}": one.per_core,
                    f"reports_per_s_{name}": one.per_s,
                    LEAST: one.per_core,
                }
                for one in loads
            ]
        )

    def large_table(self) -> dict[str, float]:
        """Measure what a check costs in a small and in a large table, remembered and asked of the rows."""
        size = self._size
        costs: dict[str, float] = {}
        page_s = 0.0
        script = self.script("table", "GET", CHECK, size.robots_small)
        for name, robots in (("small", size.robots_small), ("large", size.robots_large)):
            folder = self._folder / f"table-{name}"
            fill(folder, robots, b"image")
            for kind, settings in (("rows", {"poll_cache_robots": 1}), ("remembered", {})):
                with surefoot(folder, **settings) as server:
                    self.warm(server, script, size.robots_small)
                    loads = [good(load(server.pid, server.url, size.time_s, script=script)) for _ in range(size.rounds)]
                    costs[f"{kind}-{name}"] = statistics.median(1 / one.per_core for one in loads)
                    page_s = server.page_s()
        return {
            "check_cost_1M_vs_1k": costs["remembered-large"] / costs["remembered-small"],
            "check_cost_1M_vs_1k_from_rows": costs["rows-large"] / costs["rows-small"],
            "check_from_rows_cpu_us": costs["rows-large"] * 1e6,
            "list_page_ms_1M": page_s * 1000,
        }

    def memory(self) -> dict[str, float]:
        """Measure how a worker grows over many checks, once it is in its steady state."""
        size, folder = self._size, self._folder / "memory"
        fill(folder, size.robots, b"image")
        script = self.script("memory", "GET", CHECK, size.robots)
        with surefoot(folder) as server:
            self.warm(server, script, size.robots)
            found = [(0, resident_bytes(server.pid))]
            while found[-1][0] < size.checks_flat:
                asked = found[-1][0] + good(load(server.pid, server.url, 5, script=script)).answers
                found.append((asked, resident_bytes(server.pid)))
        (first, before), (half, middle), (asked, after) = found[0], found[len(found) // 2], found[-1]
        return {
            "memory_growth_bytes_per_check": (after - before) / (asked - first),
            "memory_growth_bytes_per_check_second_half": (after - middle) / max(asked - half, 1),
            "memory_mib": after / 2**20,
            "checks": asked,
        }


def good(done: Load) -> Load:
    """Return the load if every answer was a success."""
    if done.failed or not done.answers:
        raise AssertionError(f"{done.failed} of {done.answers} answers were no success.")
    return done


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Run PostgreSQL, as careful with what it acknowledged as Debian sets it up; yield its address."""
    folder.mkdir()
    server = Postgres(folder, fsync="on")
    server.start()
    try:
        yield server.url("postgres")
    finally:
        server.stop()


def main() -> None:
    """Measure and print; with names, only those parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small fleet, one round")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("parts", nargs="*", help="peers, two, reports, postgresql, table, memory; all without any")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as directory:
        folder = Path(directory)
        folder.chmod(0o755)
        bench = Bench(folder, size)

        def on_postgresql() -> dict[str, float]:
            with postgresql(folder / "postgresql") as url:
                return bench.reports(url, "postgresql")

        def two_workers() -> dict[str, float]:
            # Several processes share one database only where it is PostgreSQL.
            with postgresql(folder / "postgresql-two") as url:
                found = bench.against_peers(2, url)
            return {f"{name}_two_workers": value for name, value in found.items()}

        parts: dict[str, Callable[[], dict[str, float]]] = {
            "peers": lambda: bench.against_peers(1),
            "two": two_workers,
            "reports": lambda: bench.reports(None, "sqlite"),
            "postgresql": on_postgresql,
            "table": bench.large_table,
            "memory": bench.memory,
        }
        for name, part in parts.items():
            if not options.parts or name in options.parts:
                found = {key: round(value, 3) for key, value in part().items()}
                if LEAST in found:
                    found[LEAST] = min(found[LEAST], figures.get(LEAST, found[LEAST]))
                figures |= found
                if not options.json:
                    print(name, json.dumps(found), flush=True)
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
