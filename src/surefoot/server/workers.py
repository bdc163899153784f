"""Several processes behind one address: this one binds it and keeps the workers alive, and answers nothing itself.

A worker learns its settings from its standard input, as the address of a database may hold a password and command
lines are there for all to read. It stops when that input ends: so workers never outlive this process, even if it is
killed.
"""

import json
import logging
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from surefoot.server.mqtt.broker_address import BrokerAddress
from surefoot.server.settings import ServerSettings, settings_to_object
from surefoot.wire.errors import Interrupted

READY = b"ready\n"
# A worker that dies at once would otherwise be started anew as fast as the machine can.
PAUSE_S = 0.5

log = logging.getLogger(__name__)


class Workers:
    """The worker processes of one server, sharing its socket.

    Args:
        settings: What each of them serves by.
        public_url: Where robots reach the server.
        broker: Where they meet over MQTT, if they do.
    """

    def __init__(self, settings: ServerSettings, public_url: str, broker: BrokerAddress | None) -> None:
        self._settings = settings
        self._public_url = public_url
        self._broker = broker
        self._stopping = threading.Event()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def run(self, listening: socket.socket, on_ready: Callable[[], None]) -> None:
        """Keep the workers running until `stop`, or, in the main thread, SIGINT or SIGTERM.

        `on_ready` is called when all of them listen for the first time.

        Raises:
            Interrupted: `interrupted-worker` when one of them cannot even start.
        """
        order = {
            "settings": settings_to_object(self._settings),
            "fd": listening.fileno(),
            "public_url": self._public_url,
            "broker": None if self._broker is None else self._broker.to_object(),
        }
        started = Started(self._settings.workers, on_ready)
        keepers = [
            threading.Thread(target=self._keep, args=(number, order, started), name=f"worker-{number}")
            for number in range(self._settings.workers)
        ]
        with stopping_on_signals(self.stop):
            for keeper in keepers:
                keeper.start()
            for keeper in keepers:
                keeper.join()
        if started.failed:
            raise Interrupted("interrupted-worker", "A worker process could not start: its own lines above say why.")

    def stop(self) -> None:
        """Let every worker finish what it is answering; from any thread, also from a signal handler's."""
        self._stopping.set()
        with self._lock:
            for process in self._processes.values():
                _close_input(process)

    def _keep(self, number: int, order: dict[str, Any], started: "Started") -> None:
        while not self._stopping.is_set():
            process = self._start(number, order)
            assert process.stdout is not None  # noqa: S101 - it was opened with one
            if process.stdout.readline() == READY:
                started.count(number)
            self._wait(process)
            process.stdout.close()
            if self._stopping.is_set():
                return
            if not started.has(number):
                # It never came up, and would not the next time either.
                started.failed = True
                self.stop()
                return
            log.error("worker-died number=%d pid=%d status=%s", number, process.pid, process.returncode)
            self._stopping.wait(PAUSE_S)

    def _start(self, number: int, order: dict[str, Any]) -> "subprocess.Popen[bytes]":
        with self._lock:
            process = subprocess.Popen(
                [sys.executable, "-m", "surefoot.server.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[order["fd"]],
                # Ctrl-C reaches a terminal's whole group; the workers stop when this process tells them.
                start_new_session=True,
            )
            self._processes[number] = process
            assert process.stdin is not None  # noqa: S101 - it was opened with one
            # A worker that is gone already shows by what it did not say.
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(order).encode() + b"\n")
                process.stdin.flush()
            if self._stopping.is_set():
                _close_input(process)
        return process

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        while True:
            try:
                process.wait(1.0)
            except subprocess.TimeoutExpired:
                if not self._stopping.is_set():
                    continue
                try:
                    process.wait(self._settings.stop_timeout_s + 5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            return


class Started:
    """Which workers have listened at least once; calls `on_all` when the last of `number` does."""

    def __init__(self, number: int, on_all: Callable[[], None]) -> None:
        self._missing = set(range(number))
        self._on_all = on_all
        self._lock = threading.Lock()
        self.failed = False

    def count(self, number: int) -> None:
        """Take note that this worker listens."""
        with self._lock:
            was_last = self._missing == {number}
            self._missing.discard(number)
        if was_last:
            self._on_all()

    def has(self, number: int) -> bool:
        """Whether this worker has listened."""
        return number not in self._missing


@contextmanager
def stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on SIGINT and SIGTERM while the block runs, in the main thread; elsewhere do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda _number, _frame: stop()) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def _close_input(process: "subprocess.Popen[bytes]") -> None:
    # Closing writes what is left in the buffer, and there may be nobody to take it.
    with suppress(BrokenPipeError):
        if process.stdin is not None:
            process.stdin.close()
