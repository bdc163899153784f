"""Supervision, tried on a stand-in for Mosquitto: a script that ends when it is told to."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from surefoot.server.mqtt.broker_process import (
    LINES_MAX,
    LIVED_S,
    PAUSE_S_MAX,
    PAUSE_S_MIN,
    PID_FILE,
    BrokerProcess,
    pause_s,
)
from waiting import wait_until

# It writes down each start and each signal, ends at once if a file says so, and runs until it is terminated.
SCRIPT = """
import os, pathlib, signal, sys
folder = pathlib.Path(sys.argv[1]).parent
def say(word):
    with (folder / "said").open("a") as said:
        said.write(word + "\\n")
signal.signal(signal.SIGHUP, lambda *_: say("reloaded"))
sys.stderr.write("Warning: it is only a script\\n")
if (folder / "chatters").exists():
    sys.stderr.write("a stranger\\n" * 100000)
say("started")
if (folder / "ends").exists():
    sys.exit(3)
try:
    while True:
        signal.pause()
finally:
    pass
"""


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Case:
    """A script under supervision, and what it said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        (folder / "broker.py").write_text(SCRIPT)
        (folder / "broker.conf").touch()

    @contextmanager
    def running(self, program: str = sys.executable) -> Iterator[BrokerProcess]:
        command = [program, str(self.folder / "broker.py"), str(self.folder / "broker.conf")]
        process = BrokerProcess(command, self.folder, 100, self.clock)
        process.start()
        try:
            yield process
        finally:
            process.stop()

    def said(self) -> list[str]:
        path = self.folder / "said"
        return path.read_text().split() if path.exists() else []

    def pid(self) -> int:
        return int((self.folder / PID_FILE).read_text())


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


@pytest.mark.parametrize(
    ("previous_s", "lived_s", "expected_s"),
    [
        (0.0, 0.0, PAUSE_S_MIN),
        (PAUSE_S_MIN, 0.1, 2 * PAUSE_S_MIN),
        (8.0, 0.1, 16.0),
        (PAUSE_S_MAX, 0.1, PAUSE_S_MAX),
        (PAUSE_S_MAX, LIVED_S, PAUSE_S_MIN),
        (8.0, LIVED_S - 1, 16.0),
    ],
)
def test_each_wait_is_twice_the_last_until_it_lived_well(previous_s: float, lived_s: float, expected_s: float) -> None:
    assert pause_s(previous_s, lived_s) == expected_s


def test_who_is_killed_is_started_again_and_the_log_tells(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with case.running() as process:
        wait_until(lambda: case.said() == ["started"])
        os.kill(case.pid(), 9)
        wait_until(lambda: case.said() == ["started", "started"])
        assert process.starts == 2
    events = [record.getMessage() for record in caplog.records]
    assert "broker-died status=-9 restart_in_s=0.5" in events
    assert sum(event.startswith("broker-started") for event in events) == 2
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warned == ["broker said='Warning: it is only a script'"] * 2


def test_after_stop_nothing_runs_and_nothing_is_started(case: Case) -> None:
    with case.running() as process:
        wait_until(lambda: case.said() == ["started"])
        pid = case.pid()
    assert process.starts == 1 and not process.reload()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not (case.folder / PID_FILE).exists()


def test_who_ends_at_once_is_waited_for_longer_each_time(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    (case.folder / "ends").touch()
    with case.running():
        wait_until(lambda: len([record for record in caplog.records if "broker-died" in record.msg]) == 2)
    died = [record.getMessage() for record in caplog.records if "broker-died" in record.msg]
    assert died[:2] == ["broker-died status=3 restart_in_s=0.5", "broker-died status=3 restart_in_s=1.0"]


def test_a_program_that_cannot_start_is_an_event_and_no_crash(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    with case.running(str(case.folder / "nowhere")):
        wait_until(lambda: any("broker-died status=unstartable" in record.getMessage() for record in caplog.records))


def test_a_disk_that_is_full_does_not_end_the_supervision(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("surefoot.server.mqtt.broker_process.write_atomically", full)
    with case.running() as process:
        wait_until(lambda: case.said() == ["started"])
        process.kill()
        wait_until(lambda: case.said() == ["started", "started"])


def test_a_flood_of_its_lines_fills_no_disk(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    (case.folder / "chatters").touch()
    with case.running():
        wait_until(lambda: case.said() == ["started"])
    said = [
        record.getMessage()
        for record in caplog.records
        if record.getMessage().startswith("broker said=") or "broker-says" in record.getMessage()
    ]
    assert len(said) == LINES_MAX + 1 and said[-1].startswith("broker-says-more")


def test_it_is_not_asked_to_read_its_files_before_it_can(case: Case) -> None:
    with case.running() as process:
        wait_until(lambda: case.said() == ["started"])
        assert not process.reload()
        case.clock.now_s += 2
        assert process.reload()
        wait_until(lambda: case.said() == ["started", "reloaded"])


def test_what_a_killed_server_left_running_is_ended_first(case: Case) -> None:
    with case.running() as orphaned:
        wait_until(lambda: case.said() == ["started"])
        first = case.pid()
        with case.running():
            wait_until(lambda: case.pid() != first)
            assert not Path(f"/proc/{first}/cmdline").exists() or not Path(f"/proc/{first}/cmdline").read_bytes()
            orphaned.stop()


def test_another_program_that_has_the_old_process_id_is_left_alone(case: Case) -> None:
    (case.folder / PID_FILE).write_text(f"{os.getpid()}\n")
    with case.running():
        wait_until(lambda: case.said() == ["started"])
