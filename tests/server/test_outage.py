"""An outage is two lines in the log, however long it lasts."""

import errno
import logging

import pytest

from surefoot.server.outage import Outage
from surefoot.wire.errors import Interrupted

AWAY = Interrupted("interrupted-store", "The database did not answer.")
FULL = OSError(errno.ENOSPC, "No space left on device", "/a/path")


def test_an_outage_is_told_when_it_begins_when_it_changes_and_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logging.getLogger("surefoot.test"), "push-waits")
    with caplog.at_level(logging.INFO):
        outage.over()
        for error in (AWAY, AWAY, AWAY, FULL, FULL):
            outage.met(error)
        outage.over()
        outage.over()
        outage.met(AWAY)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "push-waits code=interrupted-store: The database did not answer."),
        ("WARNING", "push-waits code=os-error: No space left on device"),
        ("INFO", "push-waits-over code=os-error"),
        ("WARNING", "push-waits code=interrupted-store: The database did not answer."),
    ]
