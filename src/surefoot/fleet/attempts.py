"""Rate limits on guessing: how often an account or address may fail within a while, exact across processes."""

from dataclasses import dataclass, replace
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from math import ceil

from surefoot.fleet.access import Attempts
from surefoot.fleet.ports import Rows
from surefoot.wire.errors import Refused

# What is over is cleared away this many rows at a time, by those who try next.
_CLEARED_MAX = 8


class TooManyAttempts(Refused):
    """The limit is reached; `retry_after_s` is how long it holds."""

    def __init__(self, retry_after_s: int) -> None:
        detail = f"There were too many failed attempts: try again in {retry_after_s} s."
        super().__init__("refused-attempts", detail)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """So many attempts in so many seconds, counted from the first."""

    count: int
    window_s: float


def of_account(name: str) -> str:
    """Return the subject for an account's name; people put passwords into the wrong field, so it is not kept."""
    return f"account:{sha256(name.encode('utf-8', 'replace')).hexdigest()}"


def of_address(address: str) -> str:
    """Return the subject for a network address; who has one IPv6 address has the 2**64 beside it."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "address:unknown"
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return f"address:{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return f"address:{address}"


def take(rows: Rows, subject: str, limit: Limit, now_s: float) -> None:
    """Count one attempt, before it is known how it ends; raise `TooManyAttempts` (`refused-attempts`)."""
    for old in rows.find(Attempts, limit=_CLEARED_MAX):
        if _is_over(old, limit, now_s):
            rows.drop(Attempts, old.subject)
    known = rows.get(Attempts, subject)
    if known is None or _is_over(known, limit, now_s):
        # Dropped first, so that rows stand in the order of their windows and old ones are found in front.
        rows.drop(Attempts, subject)
        rows.put(Attempts(subject=subject, count=1, since_s=now_s))
        return
    if known.count >= limit.count:
        raise TooManyAttempts(max(1, ceil(known.since_s + limit.window_s - now_s)))
    rows.put(replace(known, count=known.count + 1))


def give_back(rows: Rows, subject: str) -> None:
    """Take back the count of one attempt, as it did not fail."""
    known = rows.get(Attempts, subject)
    if known is not None:
        rows.put(replace(known, count=max(0, known.count - 1)))


def forget(rows: Rows, subject: str) -> None:
    """Begin anew with this subject."""
    rows.drop(Attempts, subject)


def _is_over(attempts: Attempts, limit: Limit, now_s: float) -> bool:
    # A clock that stepped back must not hold anyone for longer than the window.
    return not 0 <= now_s - attempts.since_s < limit.window_s
