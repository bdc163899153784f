"""A robot that is started as often as it takes, and what its agent remembers then."""

from collections.abc import Callable
from contextlib import suppress

from shell.fakes import PowerCut
from surefoot.shell.ports import JournalStorage
from surefoot.wire.journal import Journal, load_journal

RESTARTS_MAX = 12


def live(start: Callable[[], int | None], ends_in: type[Exception] = PowerCut) -> int:
    """Start a robot as often as it restarts or ends in this error; return the seconds until its next check."""
    for _ in range(RESTARTS_MAX):
        with suppress(ends_in):
            delay_s = start()
            if delay_s is not None:
                return delay_s
    raise AssertionError("it restarts for ever")


def journal_in(storage: JournalStorage) -> Journal:
    """Return what the agent remembers there."""
    journal = load_journal(storage.read_copies()).journal
    assert journal is not None
    return journal
