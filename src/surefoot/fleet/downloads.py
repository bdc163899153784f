"""How many downloads a robot took today, exact over processes, restarts and resumed ranges.

Bytes are counted, not requests: what a request asks for is set aside before its first byte leaves, and what then did
not leave is given back. So ranges of one file add up to one download, and a killed process can only count too much.
The day is a calendar day in UTC. Downloads of a file are its bytes taken over its size, rounded up.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from surefoot.fleet.ports import Rows
from surefoot.wire.errors import Refused

DAY_S = 86400
# A signed address of the object store is good for this long; all requests until then are one download.
REDIRECT_S = 3600
# With less than this left an address would run out before a slow robot uses it.
REDIRECT_LEAST_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTaken:
    """What a robot took of one file today; until `redirect_until_s` (Unix seconds) it holds a signed address of it."""

    sha256: str
    size_bytes: int
    taken_bytes: int = 0
    redirect_until_s: float = 0.0

    @property
    def downloads(self) -> int:
        """How many downloads these bytes are."""
        return -(-self.taken_bytes // self.size_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadsOfDay:
    """What a robot took on one day (days since 1970, UTC); the next day begins a new count."""

    robot_id: str
    day: int
    files: tuple[FileTaken, ...] = ()

    @property
    def downloads(self) -> int:
        """How many downloads all files make together."""
        return sum(file.downloads for file in self.files)


class OverLimit(Refused):
    """`refused-download-limit`: the robot took all its downloads of today; the next day begins in `retry_after_s`."""

    def __init__(self, limit: int, retry_after_s: int) -> None:
        detail = f"The robot took its {limit} downloads of today (UTC): ask again after {retry_after_s} s."
        super().__init__("refused-download-limit", detail)
        self.retry_after_s = retry_after_s


def reserve(
    rows: Rows, robot_id: str, sha256: str, size_bytes: int, length_bytes: int, limit: int, now_s: float
) -> int:
    """Set bytes of a file aside before they are sent; return the day they count for. Raises `OverLimit`."""
    today = _today(rows, robot_id, now_s)
    file = _file(today.files, sha256, size_bytes)
    _keep(rows, today, replace(file, taken_bytes=file.taken_bytes + length_bytes), limit, now_s)
    return today.day


def give_back(rows: Rows, robot_id: str, sha256: str, unsent_bytes: int, day: int) -> None:
    """Give back what was set aside and did not leave; past the end of its day nothing is left to correct."""
    known = rows.get(DownloadsOfDay, robot_id)
    if known is None or known.day != day:
        return
    files = (
        replace(file, taken_bytes=max(0, file.taken_bytes - unsent_bytes)) if file.sha256 == sha256 else file
        for file in known.files
    )
    rows.put(replace(known, files=tuple(files)))


def reserve_redirect(rows: Rows, robot_id: str, sha256: str, size_bytes: int, limit: int, now_s: float) -> int:
    """Count a download from elsewhere, unless the robot holds an address; return for how many seconds it is good.

    Nobody tells us how much is taken there, so an address counts as one whole download. Raises `OverLimit`.
    """
    today = _today(rows, robot_id, now_s)
    file = _file(today.files, sha256, size_bytes)
    left_s = file.redirect_until_s - now_s
    if REDIRECT_LEAST_S <= left_s <= REDIRECT_S:
        return int(left_s)
    taken_bytes = file.taken_bytes + size_bytes
    file = replace(file, taken_bytes=taken_bytes, redirect_until_s=now_s + REDIRECT_S)
    _keep(rows, today, file, limit, now_s)
    return REDIRECT_S


def _today(rows: Rows, robot_id: str, now_s: float) -> DownloadsOfDay:
    day = int(now_s // DAY_S)
    known = rows.get(DownloadsOfDay, robot_id)
    # A clock that was set back must not give a day's downloads out twice: the later day goes on.
    if known is not None and known.day >= day:
        return known
    return DownloadsOfDay(robot_id=robot_id, day=day)


def _file(files: Iterable[FileTaken], sha256: str, size_bytes: int) -> FileTaken:
    return next((file for file in files if file.sha256 == sha256), FileTaken(sha256=sha256, size_bytes=size_bytes))


def _keep(rows: Rows, today: DownloadsOfDay, file: FileTaken, limit: int, now_s: float) -> None:
    others = tuple(known for known in today.files if known.sha256 != file.sha256)
    after = replace(today, files=(*others, file))
    if after.downloads > limit:
        raise OverLimit(limit, max(1, int((today.day + 1) * DAY_S - now_s) + 1))
    rows.put(after)
