"""The real server as a child process that is started again whenever it dies, and dies with its parent."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from surefoot.server.__main__ import main as serve
from surefoot.server.serve import SERVER_FILE
from surefoot.wire.errors import Interrupted

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 15.0
_PR_SET_PDEATHSIG = 1


class ServerProcess:
    """A server on `data_dir` and a fixed port, with settings as in `SUREFOOT_…` without the prefix.

    `variables` are what else its environment holds.
    """

    def __init__(
        self, data_dir: Path, port: int, settings: Mapping[str, str], variables: Mapping[str, str] | None = None
    ) -> None:
        self.url = f"https://127.0.0.1:{port}"
        self.starts = 0
        self._data_dir = data_dir
        self._process: subprocess.Popen[bytes] | None = None
        named = {"data_dir": str(data_dir), "port": str(port), "host": "127.0.0.1", "broker": "none", **settings}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SUREFOOT_")}
        own = {f"SUREFOOT_{name.upper()}": value for name, value in named.items()}
        self._environment = {**inherited, **(variables or {}), **own}

    def start(self) -> None:
        """Start it and return when it listens.

        Raises:
            Interrupted: `server-unreachable`, with the last line of its log.
        """
        self._data_dir.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as log:
            # A session of its own: Ctrl-C is for the parent, which stops the robots first.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "surefoot.sim.server_process"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        self.starts += 1
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not self._is_listening():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                lines = self._log_path.read_text(errors="replace").splitlines() or ["it said nothing"]
                raise Interrupted("server-unreachable", f"The server did not start: {lines[-1]}")
            time.sleep(0.05)

    def revive(self) -> bool:
        """Start it again if it has died; return whether it had."""
        if self._process is None or self._process.poll() is None:
            return False
        self.start()
        return True

    def kill(self) -> None:
        """End it without a chance to do anything more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)

    def log(self) -> str:
        """Return what it logged, over all its starts."""
        return self._log_path.read_text(errors="replace")

    def stop(self) -> None:
        """Let it finish what it is answering, and end it."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(STOP_TIMEOUT_S)

    @property
    def _log_path(self) -> Path:
        return self._data_dir / "server.log"

    def _is_listening(self) -> bool:
        # A killed predecessor leaves its file behind: only the child's own counts.
        try:
            described = json.loads((self._data_dir / SERVER_FILE).read_bytes())
        except (OSError, ValueError):
            return False
        return self._process is not None and described.get("pid") == self._process.pid


def free_port() -> int:
    """Return a port that nothing listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    _die_with_parent()
    sys.exit(serve())
