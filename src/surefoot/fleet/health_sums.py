"""Sums over what one robot told of itself: over all of its past, over a rollout, over a quarter of an hour.

They are stored for each robot: what is nothing is left out there, and a million of them are read in seconds.
"""

import math

import msgspec
from msgspec.structs import replace

from surefoot.wire.health import HealthSums

QUARTER_S = 900.0
# After so much told time, what was told before weighs a third: a robot's own level is that of its last weeks.
MEMORY_S = 7 * 24 * 3600.0
# A robot that was away for longer than this was switched off; that says nothing of how busy it is.
SPAN_S_MAX = 24 * 3600.0


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
        return Totals(**{name: getattr(self, name) + getattr(other, name) for name in _NAMES})

    def remembered(self, later: "Totals") -> "Totals":
        """Return both together, the earlier ones the less the more time the later ones tell about."""
        share = math.exp(-later.told_s / MEMORY_S)
        return Totals(**{name: getattr(self, name) * share + getattr(later, name) for name in _NAMES})


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
