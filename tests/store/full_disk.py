"""Write to a database whose files may not grow, then to one whose files may again; print what came of each."""

import resource
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event

from surefoot.fleet.model import HistoryEntry
from surefoot.fleet.ports import Rows
from surefoot.store.sql_store import SqlStore
from surefoot.wire.errors import SurefootError

LARGE_CHARS = 1_000_000


def add(chars: int) -> Callable[[Rows], str]:
    def work(rows: Rows) -> str:
        rows.add_history(HistoryEntry(robot_id="robot-1", at_s=0.0, kind="note", text="x" * chars))
        return "written"

    return work


def wait_for(event: Event) -> Callable[[Rows], bool]:
    return lambda _rows: event.wait()


def outcome(future: Future[str]) -> str:
    try:
        return future.result()
    except SurefootError as error:
        return error.code


signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
store = SqlStore(sys.argv[1])
for limit_bytes in (200_000, hard):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    # What is submitted while this one waits shares a commit: the small one must fail with the large one.
    both_submitted = Event()
    store.submit(wait_for(both_submitted))
    small, large = store.submit(add(1)), store.submit(add(LARGE_CHARS))
    both_submitted.set()
    sys.stdout.write(f"{outcome(small)} {outcome(large)} {len(store.read(lambda rows: rows.history('robot-1', 9)))}\n")
store.close()
