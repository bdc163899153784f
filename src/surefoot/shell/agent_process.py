"""Which process is the agent of a directory, and asking it to look for an update now.

The agent holds a lock on `agent.pid` for as long as it lives, so a number in that file is believed only while somebody
holds it: after a crash it may be another program's. The lock also keeps a second agent away from the same slots.
"""

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from surefoot.wire.errors import Refused

PID_FILE = "agent.pid"


@contextlib.contextmanager
def only_agent(directory: Path, *, listens: bool) -> Iterator[None]:
    """Be the one agent of this directory meanwhile.

    Args:
        directory: The agent's.
        listens: Whether this process takes SIGUSR1 as a wish to check now; to be handled by then.

    Raises:
        Refused: `refused-agent-running`, `refused-file-unwritable`.
    """
    path = directory / PID_FILE
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise Refused("refused-file-unwritable", f"Cannot write {path}: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("refused-agent-running", f"Another agent runs in {directory}: stop it first.") from None
        os.ftruncate(handle, 0)
        if listens:
            os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)


def ask_agent(directory: Path) -> str | None:
    """Let the agent of this directory check now; return why it does not, or None if it does."""
    path = directory / PID_FILE
    try:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                said = file.read(20)
            else:
                return "no agent runs: start surefoot-agent"
        # One that does not listen does all there is to do now anyhow.
        if said.isdigit():
            os.kill(int(said), signal.SIGUSR1)
    except FileNotFoundError:
        return f"no agent has run in {directory} yet: start surefoot-agent"
    except OSError as error:
        return f"the agent in {directory} cannot be asked ({error.strerror}): run as the user that it runs as"
    return None
