"""Passwords: kept as argon2id, computed in threads of their own, and compared in the same time for whoever asks.

A password is compared as it was typed, after Unicode's NFC; a computation takes some 0.1 s and 64 MiB.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from surefoot.wire.errors import Interrupted, Refused

T = TypeVar("T")

CHARS_MIN = 12
CHARS_MAX = 256
# Each computation takes 64 MiB and a core; who comes while too many wait is sent away rather than kept for minutes.
THREADS = 2
WAITING_MAX = 32


class Passwords:
    """Makes and checks what is kept of passwords; `cheap` is for tests alone."""

    def __init__(self, *, cheap: bool = False) -> None:
        self._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1) if cheap else PasswordHasher()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="passwords")
        self._waiting = 0
        self._stand_in: str | None = None

    async def phc_of(self, password: str) -> str:
        """Return what is kept of a new password.

        Raises:
            Refused: `refused-password` when it is too short or too long.
            Interrupted: `interrupted-passwords` when too many wait.
        """
        if not CHARS_MIN <= len(password) <= CHARS_MAX:
            detail = f"A password has {CHARS_MIN} to {CHARS_MAX} characters: choose a sentence."
            raise Refused("refused-password", detail)
        return await self._run(lambda: self._hasher.hash(_typed(password)))

    async def matches(self, phc: str | None, password: str) -> bool:
        """Return whether this is the password; without one to compare with, No after the same time.

        Raises:
            Interrupted: `interrupted-passwords` when too many wait.
        """
        return await self._run(lambda: self._verify(phc, password[:CHARS_MAX]))

    def outdated(self, phc: str) -> bool:
        """Return whether it was computed with other costs than are usual now."""
        return self._hasher.check_needs_rehash(phc)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_MAX:
            detail = "Too many passwords are being checked at the moment: try again in some seconds."
            raise Interrupted("interrupted-passwords", detail)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def _verify(self, phc: str | None, password: str) -> bool:
        if self._stand_in is None:
            # Made by whoever comes first, or the first unknown name would take twice as long as a known one.
            self._stand_in = self._hasher.hash("nobody's password")
        try:
            return self._hasher.verify(phc or self._stand_in, _typed(password)) and phc is not None
        except VerifyMismatchError:
            return False


def _typed(password: str) -> bytes:
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
