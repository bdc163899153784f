"""A real server process for tests that need one: real TLS, a real database, and a real kill."""

import os
import ssl
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

import databases

STOP_TIMEOUT_S = 20


class LiveServer:
    """The server on a data directory; it can be stopped, killed and started again, on a new port each time."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.url = ""
        self._brings_database = databases.CHOSEN == "sqlite" and "database_url" not in settings
        if databases.CHOSEN != "sqlite":
            settings.setdefault("database_url", databases.chosen_url(data_dir))
        self._settings = {f"SUREFOOT_{name.upper()}": value for name, value in settings.items()}
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Start the process and return when it listens; fail with its log when it ends instead."""
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        if self._brings_database and not self.data_dir.exists():
            self.data_dir.mkdir(mode=0o700)
            (self.data_dir / "surefoot.db").write_bytes(databases.migrated_sqlite())
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SUREFOOT_")}
        defaults = {"SUREFOOT_PORT": "0", "SUREFOOT_BROKER": "none"}
        environment = {**inherited, **defaults, **self._settings, "SUREFOOT_DATA_DIR": str(self.data_dir)}
        with self.log_path.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "surefoot.server"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            code = self.wait()
            raise AssertionError(f"the server ended with {code}:\n{self.log_path.read_text()}")
        return self

    def stop(self) -> int:
        """Ask it to stop, as a supervisor does, and return its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self.wait()

    def kill9(self) -> None:
        """End it without a chance to clean up."""
        assert self._process is not None
        self._process.kill()
        self.wait()

    def wait(self) -> int:
        """Return its exit code once it has ended."""
        assert self._process is not None and self._process.stdout is not None
        code = self._process.wait(STOP_TIMEOUT_S)
        self._process.stdout.close()
        self._process = None
        return code

    @property
    def database_url(self) -> str:
        """Where its rows are."""
        return self._settings.get("SUREFOOT_DATABASE_URL", f"sqlite:///{self.data_dir / 'surefoot.db'}")

    @property
    def pid(self) -> int:
        """The number of its process, while it runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """Where its standard error goes, over all starts."""
        return self.data_dir.parent / f"{self.data_dir.name}.log"

    @property
    def ca_path(self) -> Path:
        """The certificate robots and operators trust."""
        return self.data_dir / "tls" / "ca.pem"

    @property
    def tls(self) -> ssl.SSLContext:
        """What a client needs to trust this server and no other."""
        context = ssl.create_default_context(cafile=str(self.ca_path))
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    def client(self, token: str | None = None) -> httpx.Client:
        """Return a client that sends this bearer token, if any."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, verify=self.tls, headers=headers, timeout=STOP_TIMEOUT_S)

    def operator(self) -> httpx.Client:
        """Return a client with the operator's token."""
        return self.client((self.data_dir / "operator.token").read_text().strip())

    def __enter__(self) -> Self:
        return self if self._process is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.stop()
