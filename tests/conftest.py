"""What every test may count on: its needs are there or named, and the run ends by saying what it covered."""

import os
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest

import databases

ROOT = Path(__file__).parent.parent

# A server brings its broker along, at the same port each time. Tests that are about brokers ask for one.
os.environ["SUREFOOT_BROKER"] = "none"

# Tests start hundreds of processes: compiled once, our modules need not be compiled by each of them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A test kills processes, never the machine: what the kernel was handed is not lost, and waiting for a disk tests
# nothing. So files are made in memory, where there is enough of it.
MEMORY = Path("/dev/shm")
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 8 * 2**30:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

# A slow example on a busy machine is no bug, so no deadline; what failed once is kept where `make clean` finds it.
hypothesis.settings.register_profile(
    "surefoot",
    deadline=None,
    database=hypothesis.database.DirectoryBasedExampleDatabase(ROOT / ".cache" / "hypothesis"),
)
hypothesis.settings.load_profile("surefoot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something outside this repository that a marked test cannot run without, and the command that brings it."""

    what: str
    is_there: Callable[[], bool]
    install: str


def _has_command(name: str) -> Callable[[], bool]:
    beside_python = Path(sys.executable).parent
    return lambda: shutil.which(name) is not None or (beside_python / name).exists()


def _has_module(name: str) -> Callable[[], bool]:
    return lambda: find_spec(name) is not None


def _has_postgres() -> bool:
    # Debian keeps the server's programs off the PATH.
    return shutil.which("initdb") is not None or any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


NEEDS = {
    "micropython": Need(
        what="the MicroPython interpreter", is_there=_has_command("micropython"), install="make clean setup"
    ),
    "postgres": Need(what="a PostgreSQL server", is_there=_has_postgres, install="apt-get install postgresql"),
    "s3": Need(what="moto's S3 server", is_there=_has_module("moto"), install=".venv/bin/pip install 'moto[server]'"),
    "mosquitto": Need(
        what="the Mosquitto broker", is_there=_has_command("mosquitto"), install="apt-get install mosquitto"
    ),
    "ros": Need(
        what="ROS 2 in a virtual environment of its own",
        is_there=(ROOT / ".venv-ros" / "ready").exists,
        install="make setup",
    ),
    "rauc": Need(
        what="RAUC, as root: it mounts bundles",
        is_there=lambda: os.geteuid() == 0 and all(map(shutil.which, ("rauc", "mksquashfs", "dbus-daemon"))),
        install="apt-get install rauc squashfs-tools dbus",
    ),
    "browser": Need(what="the Chromium browser", is_there=_has_command("chromium"), install="apt-get install chromium"),
    "aws": Need(what="moto's AWS server", is_there=_has_module("moto"), install=".venv/bin/pip install 'moto[server]'"),
}


def pytest_configure(config: pytest.Config) -> None:
    for name, need in NEEDS.items():
        config.addinivalue_line("markers", f"{name}: needs {need.what}")
    config.addinivalue_line("markers", "every_database: runs on each database, not only on SUREFOOT_TEST_STORE's")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    databases.parametrize(metafunc)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without rows; see `databases`."""
    return databases.MAKERS[request.param](tmp_path)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail, never skip, where a need is missing: a skipped test is a promise nobody checks."""
    for marker in item.iter_markers():
        need = NEEDS.get(marker.name)
        if need and not need.is_there():
            pytest.fail(f"This test needs {need.what}, which is missing here: {need.install}", pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was covered, part by part.

    Tests are counted, not lines: measuring line coverage made the kernel's tests take two thirds longer.
    """
    passed: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    duration_s: defaultdict[str, float] = defaultdict(float)
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                part = _part(report.nodeid)
                passed[part] += outcome == "passed"
                failed[part] += outcome in {"failed", "error"}
                duration_s[part] += report.duration
    if sum(passed.values()) + sum(failed.values()) == 0:
        return
    terminalreporter.section("covered")
    for part in sorted(passed):
        broken = f", {failed[part]} failed" if failed[part] else ""
        terminalreporter.line(f"{part:<24} {passed[part]:>5} passed{broken} in {duration_s[part]:.1f} s")


def _part(nodeid: str) -> str:
    """Return the folder under tests/ that a test is in, or its file where it lies beside the folders."""
    parts = Path(nodeid.partition("::")[0]).parts
    return parts[1] if len(parts) > 1 else parts[0]
