"""One Mosquitto that is started again whenever it ends, and whose log is part of ours.

It outlives this process if that is killed, and its robots stay connected; the next start ends it and begins anew. By a
file with its process id it is found again.
"""

import logging
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from surefoot.server.files import PRIVATE, write_atomically

PID_FILE = "mosquitto.pid"
PAUSE_S_MIN = 0.5
PAUSE_S_MAX = 30.0
# Who ran for so long did not fail to start.
LIVED_S = 60.0
# It writes down what it remembers before it ends.
STOP_TIMEOUT_S = 20.0
# Before, the signal that makes it read its files would end it.
SETTLED_S = 1.0
# Each connection is an open file, and so is each of its listeners, its log and its database.
FILES_RESERVED = 64
# Each handshake of a stranger that fails is a line.
LINES_MAX = 100
LINES_WITHIN_S = 60.0

log = logging.getLogger(__name__)


def pause_s(previous_s: float, lived_s: float) -> float:
    """Return how long to wait before the next start: twice as long as last time, unless it lived well in between."""
    if previous_s == 0 or lived_s >= LIVED_S:
        return PAUSE_S_MIN
    return min(PAUSE_S_MAX, previous_s * 2)


def end_orphan(folder: Path, config_path: str, monotonic_s: Callable[[], float] = time.monotonic) -> None:
    """End the broker that a killed server left running with this configuration; without one do nothing."""
    with suppress(OSError, ValueError):
        pid = int((folder / PID_FILE).read_text())
        if not _is_ours(pid, config_path):
            return
        log.warning("broker-orphan-ended pid=%d", pid)
        os.kill(pid, signal.SIGTERM)
        give_up_s = monotonic_s() + STOP_TIMEOUT_S
        while _is_ours(pid, config_path):
            if monotonic_s() > give_up_s:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


def _is_ours(pid: int, config_path: str) -> bool:
    # Process ids are used again: another program may have this one by now. A zombie has no command line.
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return config_path.encode() in words


class BrokerProcess:
    """Keeps `command` running from `start` to `stop`.

    Args:
        command: The program, and its configuration file as the last word.
        folder: Where its process id is kept.
        files_max: How many files it may have open, if this process may allow that.
        monotonic_s: A clock that only rises.
    """

    def __init__(
        self, command: list[str], folder: Path, files_max: int, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.starts = 0
        self._command = command
        self._pid_path = folder / PID_FILE
        self._files_max = files_max
        self._monotonic_s = monotonic_s
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._keeper = threading.Thread(target=self._keep, name="broker")

    def start(self) -> None:
        """End what an earlier process left running, and start anew."""
        end_orphan(self._pid_path.parent, self._command[-1], self._monotonic_s)
        self._keeper.start()

    def stop(self) -> None:
        """Let it write down what it remembers, and end it."""
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._keeper.ident is not None:
            self._keeper.join()
        self._pid_path.unlink(missing_ok=True)

    def reload(self) -> bool:
        """Make it read its files again; False when it is not there to do so, or not yet."""
        with self._lock:
            if self._process is None or not self._is_settled():
                return False
            self._process.send_signal(signal.SIGHUP)
        return True

    def kill(self) -> None:
        """End it without a chance to clean up: it does not answer; it is started again like one that died."""
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def _is_settled(self) -> bool:
        process = self._process
        return process is not None and process.poll() is None and self._monotonic_s() - self._started_s >= SETTLED_S

    def _keep(self) -> None:
        waited_s = 0.0
        while not self._stopping.is_set():
            process = self._start()
            if process is not None:
                _log_lines(process, self._monotonic_s)
                process.wait()
            if self._stopping.is_set():
                return
            waited_s = pause_s(waited_s, self._monotonic_s() - self._started_s)
            status = "unstartable" if process is None else process.returncode
            log.error("broker-died status=%s restart_in_s=%.1f", status, waited_s)
            self._stopping.wait(waited_s)

    def _start(self) -> "subprocess.Popen[bytes] | None":
        with self._lock:
            self._process, self._started_s = None, self._monotonic_s()
            if self._stopping.is_set():
                return None
            try:
                # In a session of its own: Ctrl-C reaches a terminal's whole group, and this is ended last.
                process = subprocess.Popen(  # noqa: S603 - the operator's own program
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except OSError as error:
                log.error("broker-unstartable program=%s error=%s", self._command[0], error.strerror)
                return None
            self._process = process
            self.starts += 1
        self._note_pid(process.pid)
        self._allow_files(process.pid)
        log.info("broker-started pid=%d", process.pid)
        return process

    def _note_pid(self, pid: int) -> None:
        try:
            write_atomically(self._pid_path, b"%d\n" % pid, PRIVATE)
        except OSError as error:
            # A full disk must not end the supervision; only an orphan would not be found.
            log.warning("broker-pid-unwritten pid=%d error=%s", pid, error.strerror)

    def _allow_files(self, pid: int) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = self._files_max + FILES_RESERVED
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        # It may have ended already.
        with suppress(OSError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _log_lines(process: "subprocess.Popen[bytes]", monotonic_s: Callable[[], float]) -> None:
    assert process.stderr is not None  # noqa: S101 - it was opened with one
    began_s, count = monotonic_s(), 0
    with process.stderr as lines:
        for line in lines:
            if monotonic_s() - began_s >= LINES_WITHIN_S:
                began_s, count = monotonic_s(), 0
            count += 1
            if count <= LINES_MAX:
                text = line.decode(errors="replace").strip()
                log.log(_level_of(text), "broker said=%r", text)
            elif count == LINES_MAX + 1:
                log.warning("broker-says-more: no more than %d lines in %.0f s are told", LINES_MAX, LINES_WITHIN_S)


def _level_of(line: str) -> int:
    if "Error:" in line:
        return logging.ERROR
    return logging.WARNING if "Warning:" in line else logging.INFO
