"""The demonstration as a person runs it: real server process, real TLS, real firmware, and real kills."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from surefoot.cli.client import connect
from surefoot.sim.demonstration import SERVER_SETTINGS, Demonstration, Look
from surefoot.sim.server_process import ServerProcess, free_port

pytestmark = pytest.mark.timeout(240)

TIMEOUT_S = 200.0


def server_pid(directory: Path) -> int:
    return int(json.loads((directory / "server.json").read_bytes())["pid"])


def test_a_server_killed_in_the_middle_of_a_rollout_loses_nothing(tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_once_robots_update(look: Look) -> None:
        if not killed and look.rollout["phase_name"] == "wider":
            killed.append(server_pid(tmp_path))
            os.kill(killed[0], signal.SIGKILL)

    server = ServerProcess(tmp_path, free_port(), SERVER_SETTINGS)
    server.start()
    try:
        with connect(server=server.url, token_file=None, ca=None, data=tmp_path) as operator:
            demonstration = Demonstration(tmp_path, 8, server, operator)
            rollout_id = demonstration.prepare()
            demonstration.pool.start()
            try:
                summary = demonstration.run(rollout_id, kill_once_robots_update, TIMEOUT_S)
            finally:
                demonstration.pool.stop()
    finally:
        server.stop()

    assert killed and summary.server_starts == 2
    assert (summary.installed, summary.divergent, summary.rollout) == (8, 0, "finished")


def run_demo(directory: Path) -> "subprocess.Popen[str]":
    words = ["demo", "--robots", "5", "--headless", "--json", "--data", str(directory)]
    return subprocess.Popen([sys.executable, "-m", "surefoot", *words], stdout=subprocess.PIPE, text=True)


def summary_of(process: "subprocess.Popen[str]") -> Any:
    out, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, out
    return json.loads(out)


def test_robots_and_server_killed_together_go_on_where_they_stopped(tmp_path: Path) -> None:
    process = run_demo(tmp_path)
    flash = tmp_path / "robots" / "robot-001" / "flash.bin"
    deadline_s = time.monotonic() + TIMEOUT_S
    # Chips are made before robots start; some blocks more on disk and a download is under way.
    while not flash.exists() or flash.stat().st_blocks < 4_000:
        assert process.poll() is None and time.monotonic() < deadline_s
        time.sleep(0.01)
    process.kill()
    process.communicate()

    first = summary_of(run_demo(tmp_path))
    again = summary_of(run_demo(tmp_path))

    assert (first["installed"], first["divergent"], first["rollout"]) == (5, 0, "finished")
    assert (again["installed"], again["divergent"], again["rollout"]) == (5, 0, "finished")
