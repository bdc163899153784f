"""Sums over what one robot told of itself: over all of its past, over a rollout, over a quarter of an hour.

They are stored for each robot: what is nothing is left out there, and a million of them are read in seconds.
"""

import math

import msgspec
from msgspec.structs import replace

from surefoot.wire.health import HealthSums
from surefoot.wire.limits import WINDOW_S_MAX

QUARTER_S = 900.0
# After so much told time, what was told before weighs a third: a robot's own level is that of its last weeks.
MEMORY_S = 7 * 24 * 3600.0
# A robot that was away for longer than this was switched off; that says nothing of how busy it is.
SPAN_S_MAX = 24 * 3600.0
# What clocks and pauses on the way make of the time that windows tell of.
SLACK_S = 120.0


class Totals(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a robot told over some time.

    `span_s` is how long that was by the clock, `told_s` how much of it the robot told about, `warn_s` with warnings or
    errors. Handshakes are those of DTLS. `discharging_s` was spent on the battery, which lost `drained_percent` points
    of its charge meanwhile. Of topics, over `topics_s` seconds: the sum of log(1 + Hz), and how many there were, each
    times seconds.
    """

    span_s: float = 0.0
    told_s: float = 0.0
    warn_s: float = 0.0
    tried: float = 0.0
    failed: float = 0.0
    discharging_s: float = 0.0
    drained_percent: float = 0.0
    topics_s: float = 0.0
    topics_log_s: float = 0.0
    topics_count_s: float = 0.0

    def plus(self, other: "Totals") -> "Totals":
        """Return both together."""
        # Written out, as every window of every robot comes by here.
        return Totals(
            span_s=self.span_s + other.span_s,
            told_s=self.told_s + other.told_s,
            warn_s=self.warn_s + other.warn_s,
            tried=self.tried + other.tried,
            failed=self.failed + other.failed,
            discharging_s=self.discharging_s + other.discharging_s,
            drained_percent=self.drained_percent + other.drained_percent,
            topics_s=self.topics_s + other.topics_s,
            topics_log_s=self.topics_log_s + other.topics_log_s,
            topics_count_s=self.topics_count_s + other.topics_count_s,
        )

    def remembered(self, later: "Totals") -> "Totals":
        """Return both together, the earlier ones the less the more time the later ones tell about."""
        share = math.exp(-later.told_s / MEMORY_S)
        return Totals(**{name: getattr(self, name) * share + getattr(later, name) for name in _NAMES})


_SECONDS = ("length_s", "ok_s", "warn_s", "error_s", "stale_s", "charging_s")
_NAMES = Totals.__struct_fields__
NOTHING = Totals()


class Quarter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was told in one quarter of an hour, of those whose `number` is Unix seconds over `QUARTER_S`."""

    number: int = -1
    told_s: float = 0.0
    warn_s: float = 0.0
    failed: float = 0.0

    def plus(self, totals: Totals) -> "Quarter":
        """Return the quarter with more in it."""
        return replace(
            self,
            told_s=self.told_s + totals.told_s,
            warn_s=self.warn_s + totals.warn_s,
            failed=self.failed + totals.failed,
        )


NO_QUARTER = Quarter()


def quarter_at(now_s: float) -> int:
    """Return the number of the quarter of an hour that a time (Unix seconds) falls into."""
    return int(now_s // QUARTER_S)


def within_time(sums: HealthSums, told_until_s: float | None, now_s: float) -> tuple[HealthSums, float]:
    """Return a window with as much time as has passed since the robot's others ended, and when it ends (Unix seconds).

    Gates weigh robots by the time they tell of: one that tells of more than there was must not outweigh the others.
    """
    begun_s = now_s - sums.length_s if told_until_s is None else max(told_until_s, now_s - WINDOW_S_MAX)
    # None ends so late, but by a clock that was set back since.
    if begun_s > now_s + 2 * SLACK_S:
        begun_s = now_s
    left_s = max(0.0, now_s + SLACK_S - begun_s)
    if sums.length_s > left_s:
        share = left_s / sums.length_s
        # Of how much charge that was in the time that is left nobody told.
        told = {name: getattr(sums, name) * share for name in _SECONDS}
        sums = sums.replace(**told, battery_start_percent=None, battery_end_percent=None)
    return sums, begun_s + sums.length_s


def totals_of(sums: HealthSums, span_s: float) -> Totals:
    """Return what a window adds; `span_s` is the time since the one before."""
    start, end = sums.battery_start_percent, sums.battery_end_percent
    # A window with any charging in it says nothing about drain.
    drains = start is not None and end is not None and not sums.charging_s
    return Totals(
        span_s=max(sums.length_s, min(span_s, SPAN_S_MAX)),
        told_s=sums.ok_s + sums.warn_s + sums.error_s + sums.stale_s,
        warn_s=sums.warn_s + sums.error_s,
        tried=sums.handshakes_tried,
        failed=sums.handshakes_failed,
        discharging_s=sums.length_s if drains else 0.0,
        drained_percent=start - end if drains and start is not None and end is not None else 0.0,
        topics_s=sums.length_s if sums.topics else 0.0,
        topics_log_s=sums.length_s * sum(math.log1p(hz) for _, hz in sums.topics),
        topics_count_s=sums.length_s * len(sums.topics),
    )
