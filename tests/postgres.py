"""A real PostgreSQL server for tests, on a private socket; started at the first use and gone with the process."""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import psycopg

# Debian keeps the server's programs off the PATH.
DEBIAN_PROGRAMS = Path("/usr/lib/postgresql")
OWNER = "postgres"
# A test kills processes, never the machine: what the kernel was handed is not lost, so syncing would test nothing.
SETTINGS = {"fsync": "off", "listen_addresses": "", "max_connections": "200", "log_min_messages": "fatal"}


class Postgres:
    """A server with its data below `path`; it can be killed and started again."""

    def __init__(self, path: Path, **settings: str) -> None:
        self._settings = SETTINGS | settings
        self._socket = path / "socket"
        self._data = path / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._socket.mkdir(mode=0o755)
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            owner = pwd.getpwnam(OWNER)
            for folder in (path, self._socket):
                os.chown(folder, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "--pgdata", str(self._data), "--auth", "trust", "--username", OWNER, "--no-sync")

    def start(self) -> None:
        """Start it and return when it answers."""
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        command = [_program("postgres"), "-D", str(self._data), "-k", str(self._socket), *settings]
        # It dies with this process, however that ends.
        self._process = subprocess.Popen(
            [*_as_owner("--pdeathsig", "INT"), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._run("pg_isready", "--host", str(self._socket), "--timeout", "0", tries=1000)

    def crash(self) -> None:
        """End it without a word to its clients; it recovers when it starts again."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """Stop it, as nobody needs it any more."""
        self._end(signal.SIGINT)

    def url(self, database: str) -> str:
        """Return the address of a database."""
        return f"postgresql+psycopg://{OWNER}@/{database}?host={self._socket}"

    @contextmanager
    def administrator(self) -> Iterator[psycopg.Connection]:
        """Connect as who may do everything."""
        with psycopg.connect(host=str(self._socket), user=OWNER, dbname="postgres", autocommit=True) as connection:
            yield connection

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def _run(self, program: str, *arguments: str, tries: int = 1) -> None:
        for left in reversed(range(tries)):
            done = subprocess.run([*_as_owner(), _program(program), *arguments], capture_output=True, check=False)
            if done.returncode == 0:
                return
            assert left, f"{program} ended with {done.returncode}: {done.stderr.decode()}"


def _program(name: str) -> str:
    found = sorted(DEBIAN_PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(found[-1]) if found else name


def _as_owner(*options: str) -> list[str]:
    owner = ("--reuid", OWNER, "--regid", OWNER, "--init-groups") if os.geteuid() == 0 else ()
    return ["setpriv", *owner, *options] if owner or options else []


def open_postgres(**settings: str) -> Postgres:
    """Make and start a server of one's own with these settings, which is gone with this process."""
    # Not below pytest's directories: nobody else may enter them, and a socket's path must be short.
    # A thousand small databases are too much for memory, and without syncing the disk is not waited for.
    path = Path(tempfile.mkdtemp(prefix="surefoot-pg-", dir="/var/tmp"))
    server = Postgres(path, **settings)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    atexit.register(server.stop)
    server.start()
    return server


@cache
def shared_postgres() -> Postgres:
    """Return the server that the tests of this process share."""
    return open_postgres()


_numbers = count()


def new_database(*, template: str | None = None) -> str:
    """Make a database, empty or a copy, and return its address."""
    name = f"test_{next(_numbers)}"
    with shared_postgres().administrator() as administrator:
        administrator.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
    return shared_postgres().url(name)


def database_name(url: str) -> str:
    """Return the name in a database's address."""
    return url.partition("@/")[2].partition("?")[0]
