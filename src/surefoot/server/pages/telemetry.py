"""What a robot tells of its health as small charts: since its update beside what it told before."""

import math
from dataclasses import dataclass

from surefoot.fleet.health_sums import Totals
from surefoot.fleet.robot_health import RobotHealth
from surefoot.server.pages.rollout_lines import Segment
from surefoot.server.pages.words import BUSY, QUIET, percent

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One figure over some time: its value, None where nothing was told, and the value as text."""

    value: float | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A figure before and since the update, or of what is compared with it, each with its bar on one scale."""

    name: str
    before: Reading
    since: Reading
    labels: tuple[str, str] = ("Before", "Since")

    @property
    def bars(self) -> tuple[list[Segment], list[Segment]]:
        """The two bars, the greater one as long as there is room."""
        whole = max(self.before.value or 0.0, self.since.value or 0.0) or 1.0
        return _bar(self.before, whole, QUIET), _bar(self.since, whole, BUSY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """A robot's telemetry; times are Unix seconds, None where it never was so."""

    online_since_s: float | None
    told_at_s: float | None
    told_before_s: float
    told_since_s: float
    restarts_s: tuple[float, ...]
    twins: tuple[Twin, ...]


def telemetry(health: RobotHealth | None) -> Telemetry | None:
    """Return what to draw, None of a robot that tells nothing of its health."""
    if health is None or health.signs.told_at_s is None:
        return None
    before, since = health.sums.before.plus(health.sums.others), health.sums.since_update
    readings = (
        ("Time with warnings or errors", _warnings),
        ("Battery drain", _drain),
        ("Topic rate", _topics),
        ("DTLS handshakes that failed", _handshakes),
    )
    return Telemetry(
        online_since_s=health.signs.online_since_s,
        told_at_s=health.signs.told_at_s,
        told_before_s=before.told_s,
        told_since_s=since.told_s,
        restarts_s=tuple(reversed(health.signs.reboots_s)),
        twins=tuple(Twin(name=name, before=read(before), since=read(since)) for name, read in readings),
    )


def _warnings(totals: Totals) -> Reading:
    return _share(totals.warn_s, totals.told_s)


def _handshakes(totals: Totals) -> Reading:
    return _share(totals.failed, totals.tried)


def _drain(totals: Totals) -> Reading:
    if not totals.discharging_s:
        return _nothing()
    per_hour = max(0.0, totals.drained_percent / totals.discharging_s * HOUR_S)
    return Reading(value=per_hour, text=f"{per_hour:.1f} %/h")


def _topics(totals: Totals) -> Reading:
    if not totals.topics_count_s:
        return _nothing()
    rate = math.expm1(totals.topics_log_s / totals.topics_count_s)
    return Reading(value=rate, text=f"{rate:.3g} Hz")


def _share(part: float, whole: float) -> Reading:
    return Reading(value=part / whole, text=percent(part / whole)) if whole else _nothing()


def _nothing() -> Reading:
    return Reading(value=None, text="not told")


def _bar(reading: Reading, whole: float, tone: str) -> list[Segment]:
    return [Segment(tone=tone, begin=0.0, width=round(1000 * (reading.value or 0.0) / whole, 1))]
