"""Folding what a robot says about itself, message by message, to the sums of a health window.

One message stands for the time until the next one, at most `COVER_S`; time that nobody told about is in no bucket. A
safety stop is counted when it begins, however often it is told, and a robot first heard of in one has begun one: a
release that stops robots as they start must not go unseen. Of counters that only rise what counts is the difference,
and one that fell has started anew.

The same fold runs on the robot and, for robots that publish diagnostics only, in the server.
"""

from surefoot.wire import limits
from surefoot.wire.diagnostics import ERROR, OK, WARN, Diagnostics
from surefoot.wire.health import HealthSums

COVER_S = 2.0


class HealthFold:
    """What is known of one robot since the last window was taken. `now_s` are seconds of any clock that never falls."""

    # A server has one for each robot.
    __slots__ = (
        "_battery",
        "_battery_start",
        "_battery_told",
        "_begun_s",
        "_boot_count",
        "_charging",
        "_charging_s",
        "_counted_s",
        "_dtls",
        "_error_s",
        "_failed",
        "_heard_s",
        "_level",
        "_ok_s",
        "_rates",
        "_reboots",
        "_stale_s",
        "_stopped",
        "_stops_operator",
        "_stops_other",
        "_tried",
        "_uptime_s",
        "_warn_s",
    )

    def __init__(self, now_s: float) -> None:
        # When the last message came, and how far its time is counted.
        self._heard_s = now_s - COVER_S
        self._counted_s = now_s
        self._level = OK
        self._charging = False
        self._stopped = False
        self._battery: "float | None" = None
        self._dtls: "tuple[int, int] | None" = None
        self._boot_count: "int | None" = None
        self._uptime_s: "float | None" = None
        self._failed = 0
        self._begin(now_s)

    def _begin(self, now_s: float) -> None:
        self._begun_s = now_s
        self._ok_s = self._warn_s = self._error_s = self._stale_s = self._charging_s = 0.0
        self._stops_operator = self._stops_other = self._reboots = self._tried = 0
        self._battery_start: "float | None" = None
        self._battery_told = False
        self._rates: "dict[str, tuple[float, int]]" = {}

    def add(self, said: Diagnostics, now_s: float) -> None:
        """Take a message that came now."""
        self._count_time(now_s)
        self._heard_s = self._counted_s = max(now_s, self._counted_s)
        self._level = said.level
        if said.charging is not None:
            self._charging = said.charging
        if said.battery_percent is not None:
            self.battery(said.battery_percent)
        if said.estop_active is not None:
            if said.estop_active and not self._stopped:
                self.stop(said.estop_by_operator is True)
            self._stopped = said.estop_active
        for name, hz in said.topics:
            self.topic(name, hz)
        if said.dtls_tried is not None:
            self._take_dtls(said.dtls_tried, said.dtls_failed or 0)
        if said.boot_count is not None or said.uptime_s is not None:
            self._take_start(said.boot_count, said.uptime_s)

    def battery(self, percent: float) -> None:
        """Take the charge of the battery as it is now."""
        if not self._battery_told:
            # What was lost between the windows is lost in this one.
            self._battery_start = percent if self._battery is None else self._battery
            self._battery_told = True
        self._battery = percent

    def stop(self, by_operator: bool) -> None:
        """Count a safety stop that began."""
        if by_operator:
            self._stops_operator += 1
        else:
            self._stops_other += 1

    def reboot(self) -> None:
        """Count a restart."""
        self._reboots += 1

    def topic(self, name: str, hz: float) -> None:
        """Take a rate that was measured on a topic; of more topics than a window can tell the first ones are told."""
        sum_hz, count = self._rates.get(name, (0.0, 0))
        if count or len(self._rates) < limits.TOPICS_MAX:
            self._rates[name] = sum_hz + hz, count + 1

    def handshakes(self, tried: int, failed: int) -> None:
        """Count DTLS handshakes that were tried, and how many of them failed."""
        self._tried += tried
        self._failed += failed

    @property
    def is_urgent(self) -> bool:
        """Whether something happened that must not wait for the end of the window: a stop of its own, or a restart."""
        return self._stops_other > 0 or self._reboots > 0

    def take(self, now_s: float) -> HealthSums:
        """Return the sums since the last time, and begin a new window."""
        self._count_time(now_s)
        sums = HealthSums(
            length_s=round(max(now_s - self._begun_s, 0.0), 3),
            ok_s=round(self._ok_s, 3),
            warn_s=round(self._warn_s, 3),
            error_s=round(self._error_s, 3),
            stale_s=round(self._stale_s, 3),
            topics=tuple([(name, _mean(self._rates[name])) for name in sorted(self._rates)]),
            battery_start_percent=self._battery_start,
            battery_end_percent=self._battery if self._battery_told else None,
            charging_s=round(self._charging_s, 3),
            stops_operator=min(self._stops_operator, limits.EVENTS_MAX),
            stops_other=min(self._stops_other, limits.EVENTS_MAX),
            reboots=min(self._reboots, limits.EVENTS_MAX),
            handshakes_tried=min(self._tried, limits.EVENTS_MAX),
            handshakes_failed=min(self._failed, self._tried, limits.EVENTS_MAX),
        )
        # A handshake may fail in the window after the one in which it was tried, or never.
        self._failed = min(self._failed - sums.handshakes_failed, limits.EVENTS_MAX)
        self._begin(max(now_s, self._begun_s))
        return sums

    def _count_time(self, now_s: float) -> None:
        """Count what the last message stands for until now."""
        until_s = min(now_s, self._heard_s + COVER_S)
        span_s = until_s - self._counted_s
        if span_s <= 0:
            return
        self._counted_s = until_s
        level = self._level
        if level == OK:
            self._ok_s += span_s
        elif level == WARN:
            self._warn_s += span_s
        elif level == ERROR:
            self._error_s += span_s
        else:
            self._stale_s += span_s
        if self._charging:
            self._charging_s += span_s

    def _take_dtls(self, tried: int, failed: int) -> None:
        before = self._dtls
        self._dtls = tried, failed
        if before is None:
            # Tried before anyone listened: nobody knows when.
            return
        if tried < before[0] or failed < before[1]:
            before = 0, 0
        self.handshakes(tried - before[0], failed - before[1])

    def _take_start(self, boot_count: "int | None", uptime_s: "float | None") -> None:
        if boot_count is not None:
            if self._boot_count is not None and boot_count != self._boot_count:
                # A counter that fell was reset, and by a restart.
                self._reboots += max(boot_count - self._boot_count, 1)
            self._boot_count = boot_count
        elif uptime_s is not None and self._uptime_s is not None and uptime_s < self._uptime_s:
            self._reboots += 1
        self._uptime_s = uptime_s


def _mean(rate: "tuple[float, int]") -> float:
    return round(rate[0] / rate[1], 3)
