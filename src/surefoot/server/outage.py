"""An outage in the log: a line when it begins and one when it ends, however often it is met in between.

A database that is away is met several times a second, and the disk that is full may be the log's own.
"""

import logging

from surefoot.wire.errors import SurefootError


class Outage:
    """What keeps one task from its work, now and then.

    Args:
        log: Where the task logs.
        event: The name of the line; the one at the end is called `EVENT-over`.
        level: How bad it is.
    """

    def __init__(self, log: logging.Logger, event: str, level: int = logging.WARNING) -> None:
        self._log = log
        self._event = event
        self._level = level
        self._code = ""

    def met(self, error: SurefootError | OSError) -> None:
        """Tell of it, unless it is the same as the last time."""
        code, why = (
            (error.code, error.message) if isinstance(error, SurefootError) else ("os-error", str(error.strerror))
        )
        if code != self._code:
            self._code = code
            self._log.log(self._level, "%s code=%s: %s", self._event, code, why)

    def over(self) -> None:
        """Tell that it is over, if there was one."""
        if self._code:
            self._log.info("%s-over code=%s", self._event, self._code)
            self._code = ""
