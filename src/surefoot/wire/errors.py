"""Errors sorted by who must act, each with one stable code.

The code is the same in logs, reports, problem+json, the CLI and the docs; `surefoot.wire.codes` lists them all.
The message is one sentence: the fact, then the remedy.
"""


class SurefootError(Exception):
    """Base of all errors that carry a stable code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Refused(SurefootError):
    """The sender must act: retrying the same bytes cannot help."""


class Interrupted(SurefootError):
    """The way failed: retry, bounded."""


class Damaged(SurefootError):
    """Our own storage is wrong: repair it or roll back, and report it."""


class Misuse(SurefootError):
    """A programmer's mistake, never caused by input."""
