"""A name at the broker for each process of a server, the same after a restart: its session waits there for it.

The names lie in the data directory; a process holds the first one that no other holds, for as long as it lives.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from surefoot.server.files import PRIVATE

FOLDER = "mqtt-names"


@contextmanager
def process_id(data_dir: Path) -> Iterator[str]:
    """Hold a name while the block runs; it differs from those of all servers at one broker."""
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    for number in count():
        file = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        try:
            yield _name_in(file)
        finally:
            os.close(file)
        return


def _name_in(file: int) -> str:
    known = os.pread(file, 64, 0).decode("ascii", "replace")
    # Killed while it was written, it is a new one: a session lost, and nothing else.
    if len(known) == 32 and known.isalnum():
        return known
    name = secrets.token_hex(16)
    os.pwrite(file, name.encode(), 0)
    return name
