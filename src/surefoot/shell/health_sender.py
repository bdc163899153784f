"""Sending a companion's health windows over HTTPS, in order, however long the server is away."""

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from surefoot.shell.agent_config import AgentConfig
from surefoot.shell.files import FileJournal, read_token
from surefoot.shell.https import HttpsTransport
from surefoot.shell.problems import error_of
from surefoot.wire import limits
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.health import HealthSums, HealthWindow, encode_health
from surefoot.wire.journal import load_journal

# Two hours of them; what is older says little of how the robot is.
KEPT_MAX = 120
RETRY_PAUSE_S = 30.0


class HealthPost(HttpsTransport):
    """A robot's way to say its windows."""

    def send(self, window: HealthWindow) -> None:
        """Send one window.

        Raises:
            Interrupted: `server-unreachable`.
            Refused: The server's code.
        """
        headers = {**self._credentials, "Content-Type": "application/json"}
        path = f"{self._base}/v1/health"
        answer = self._ask(self._origin, "POST", path, headers, "server-unreachable", encode_health(window))
        try:
            received = b"" if answer.status == 204 else answer.read(limits.ANSWER_BYTES_MAX)
        except Interrupted as error:
            raise Interrupted("server-unreachable", "The server's answer broke off: it is asked again.") from error
        finally:
            answer.close()
        if answer.status == 204:
            return
        raise error_of(received, answer.status)


def post_of(config: AgentConfig) -> HealthPost:
    """Return the way of a companion, with the credentials that its agent has."""
    return HealthPost(config.server, read_token(config.token_file), config.ca_file, config.certificate_file)


def window_of(directory: Path, robot_id: str, number: int, sums: HealthSums) -> HealthWindow | None:
    """Return the sums as a window in the epoch and boot of the agent's journal; None while there is no journal.

    Reports and windows must count by the same counters, or each of them would look like a factory reset of the other.
    """
    journal = load_journal(FileJournal(directory).read_copies()).journal
    if journal is None:
        return None
    return HealthWindow(robot_id=robot_id, epoch=journal.epoch, boot=journal.boot, number=number, sums=sums)


class HealthSender:
    """A thread that sends windows in their order. What the server refuses is dropped, as it would be again."""

    def __init__(self, send: Callable[[HealthWindow], None], log_line: Callable[[str], None]) -> None:
        self._send = send
        self._log_line = log_line
        self._waiting: deque[HealthWindow] = deque(maxlen=KEPT_MAX)
        self._changed = threading.Condition()
        self._ends = False
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)
        self._thread.start()

    def put(self, window: HealthWindow) -> None:
        """Let a window be sent; of too many that wait the oldest is dropped."""
        with self._changed:
            self._waiting.append(window)
            self._changed.notify()

    def close(self) -> None:
        """Send no more than the window that is on its way."""
        with self._changed:
            self._ends = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ends)
                if self._ends:
                    return
                window = self._waiting[0]
            try:
                self._send(window)
            except Interrupted as error:
                self._log_line(f"{error.code}: {error.message}")
                with self._changed:
                    self._changed.wait_for(lambda: self._ends, RETRY_PAUSE_S)
                continue
            except Refused as error:
                self._log_line(f"{error.code}: {error.message}")
            with self._changed:
                if self._waiting and self._waiting[0] is window:
                    self._waiting.popleft()
