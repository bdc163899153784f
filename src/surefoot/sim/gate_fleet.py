"""A fleet as its gates see it: robots of different activity, and what happens to them by chance, window by window.

Chance follows from the seed. An event costs work, a quiet robot none, so a hundred thousand robots take seconds.
"""

import math
import random
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

from surefoot.rollout.metrics import Metric
from surefoot.rollout.outcomes import return_deadline_s
from surefoot.rollout.rates import Sums

WINDOW_H = 0.25
WINDOWS_MAX = 4 * 24 * 12
FIRST_EVENTS = (Metric.SAFETY_STOP, Metric.SILENT, Metric.ERROR, Metric.REBOOT)
RATES = (Metric.WARNING_TIME, Metric.DTLS_FAILURES)
MEANS = (Metric.BATTERY_DRAIN, Metric.TOPIC_RATE)
# Events of an average robot per hour it is online.
USUAL_PER_HOUR = {
    Metric.SAFETY_STOP: 1 / 5000,
    Metric.SILENT: 1 / 3000,
    Metric.ERROR: 1 / 200,
    Metric.REBOOT: 1 / 300,
    Metric.WARNING_TIME: 1 / 6,
    Metric.DTLS_FAILURES: 1 / 20,
}
# Robots' lasting deviation from their own level before, and that of one battery cycle, as logarithms.
DEVIATIONS = {Metric.BATTERY_DRAIN: (0.08, 0.25), Metric.TOPIC_RATE: (0.05, 0.15)}
CYCLE_WINDOWS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What kind of fleet it is.

    `activity_deviation` is how much robots differ in activity (of the logarithm); `bursts` makes events come in heaps
    of very different size and one robot in a hundred a flooding one; with `eager_first`, the busier a robot, the sooner
    it asks for its update.
    """

    activity_deviation: float = 0.3
    bursts: bool = False
    eager_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What is wrong with the release: errors and warnings so many times as often, shares of updated robots hit."""

    error_times: float = 1.0
    bricked_share: float = 0.0
    silent_share: float = 0.0


@dataclass(slots=True, kw_only=True)
class RunningSums:
    """Running sums over one stratum and arm in one rate, from which looks derive what is usual for each entry.

    An entry's m is b (now - since), so sums of b, b since, ... give the sums of m and m^2 at any time; entries that
    ended are kept in the `ended_` sums.
    """

    b: float = 0.0
    bs: float = 0.0
    bb: float = 0.0
    bbs: float = 0.0
    bbss: float = 0.0
    yb: float = 0.0
    ybs: float = 0.0
    y: float = 0.0
    yy: float = 0.0
    ended_m: float = 0.0
    ended_mm: float = 0.0
    ended_ym: float = 0.0
    with_event: int = 0
    robots: int = 0

    def enter(self, b: float, since: float) -> None:
        """Add an entry."""
        self.robots += 1
        self._add(b, since, 1)

    def _add(self, b: float, since: float, sign: int) -> None:
        self.b += sign * b
        self.bs += sign * b * since
        self.bb += sign * b * b
        self.bbs += sign * b * b * since
        self.bbss += sign * b * b * since * since

    def leave(self, b: float, since: float, y: float, now: float) -> None:
        """End an entry: it keeps what it has and grows no more."""
        self._add(b, since, -1)
        self.yb -= y * b
        self.ybs -= y * b * since
        m = b * (now - since)
        self.ended_m += m
        self.ended_mm += m * m
        self.ended_ym += y * m

    def count(self, b: float, since: float, y: float, size: float) -> None:
        """Add `size` to an entry that had counted `y`."""
        self.with_event += not y
        self.y += size
        self.yy += 2 * y * size + size * size
        self.yb += size * b
        self.ybs += size * b * since

    def at(self, now: float) -> Sums:
        """Return the sums as they stand at a time."""
        return Sums(
            robots=self.robots,
            with_event=self.with_event,
            y=self.y,
            m=now * self.b - self.bs + self.ended_m,
            yy=self.yy,
            ym=now * self.yb - self.ybs + self.ended_ym,
            mm=now * now * self.bb - 2 * now * self.bbs + self.bbss + self.ended_mm,
        )


class Clock:
    """The fleet's daily rhythm: busy time that has passed at the start of each window, for an average robot."""

    def __init__(self) -> None:
        hours = (window * WINDOW_H for window in range(WINDOWS_MAX + 1))
        rhythm = [WINDOW_H * (1 + 0.8 * math.sin(hour * math.pi / 12)) for hour in hours]
        self.busy = [0.0, *accumulate(rhythm)]

    def window_at(self, busy: float) -> int:
        """Return the window into which this much busy time falls."""
        return bisect_left(self.busy, busy) - 1


class Fleet:
    """Robots with their strata, activity, first events to come and check-in habits, drawn from the dice."""

    def __init__(self, robots: int, habits: Habits, dice: random.Random) -> None:
        self.robots, self.habits, self.dice = robots, habits, dice
        self.clock = Clock()
        self.activity = [dice.lognormvariate(0.0, habits.activity_deviation) for _ in range(robots)]
        if habits.eager_first:
            # Strata are fifths of the activity measured before, which is not exactly the true one.
            measured = [activity * dice.lognormvariate(0.0, 0.3) for activity in self.activity]
            fifths = sorted(measured)[robots // 5 :: robots // 5][:4]
            self.stratum = [bisect_left(fifths, activity) for activity in measured]
            self.online = [0.5] * 5
        else:
            self.stratum = dice.choices((0, 1, 2), weights=(40, 40, 20), k=robots)
            self.online = [1.0, 0.4, 0.1]
        self.strata = range(len(self.online))
        self.pace = [
            activity * self.online[stratum] for activity, stratum in zip(self.activity, self.stratum, strict=True)
        ]
        self.floods = [habits.bursts and dice.random() < 0.01 for _ in range(robots)]
        self.usual = {metric: [self._usual(metric, robot) for robot in range(robots)] for metric in RATES}
        self.lasting = {metric: [dice.gauss(0.0, DEVIATIONS[metric][0]) for _ in range(robots)] for metric in MEANS}
        self.members = [[robot for robot in range(robots) if self.stratum[robot] == stratum] for stratum in self.strata]
        self.chances = [list(accumulate(self._chance(robot) for robot in members)) for members in self.members]

    def first_event_window(self, metric: Metric, robot: int, since_window: int, times: float = 1.0) -> int:
        """Draw the window of a robot's next event, at so many times its usual rate."""
        wait = self.dice.expovariate(USUAL_PER_HOUR[metric] * self.pace[robot] * times)
        return max(since_window, self.clock.window_at(self.clock.busy[since_window] + wait))

    def check_in_window(self, robot: int, window: int) -> int:
        """Draw when a robot asks for an update next."""
        if self.habits.eager_first:
            wait_h = self.dice.expovariate(self.activity[robot] / 4)
        else:
            stratum, at_once = self.stratum[robot], self.dice.random()
            wait_h = 0.0 if stratum == 0 or (stratum == 1 and at_once < 0.5) else at_once * (14 if stratum == 1 else 40)
        return window + 1 + int(wait_h / WINDOW_H)

    def return_deadline_windows(self, robot: int) -> int:
        """Return how long the robot may be away after its trial boot."""
        absence_h = 12 if self.habits.eager_first else (0, 14, 40)[self.stratum[robot]]
        return int(return_deadline_s(absence_h * 3600) / 3600 / WINDOW_H)

    def events(self, metric: Metric, stratum: int, window: int, times: float) -> list[int]:
        """Draw which robots of a stratum have events in a window, were all at so many times their usual rate."""
        if not self.members[stratum]:
            return []
        busy = self.clock.busy[window + 1] - self.clock.busy[window]
        mean = USUAL_PER_HOUR[metric] * self.chances[stratum][-1] * busy * times
        count = poisson(self.dice, mean)
        return self.dice.choices(self.members[stratum], cum_weights=self.chances[stratum], k=count) if count else []

    def size(self) -> float:
        """Draw how much one event counts."""
        return min(500.0, self.dice.paretovariate(1.1)) if self.habits.bursts else self.dice.expovariate(1.0)

    def _chance(self, robot: int) -> float:
        return self.pace[robot] * (50 if self.floods[robot] else 1)

    def _usual(self, metric: Metric, robot: int) -> float:
        """A robot's own rate as a week before the rollout showed it, drawn towards its stratum's."""
        rate = USUAL_PER_HOUR[metric] * self._chance(robot)
        stratum_rate = USUAL_PER_HOUR[metric] * self.online[self.stratum[robot]]
        return (poisson(self.dice, 168 * rate) + 2) / (168 + 2 / stratum_rate)


def poisson(dice: random.Random, mean: float) -> int:
    """Draw a Poisson number; above 50 by the rounded normal, which is as good there."""
    if mean > 50:
        return max(0, round(dice.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, dice.random()
    while product > limit:
        count += 1
        product *= dice.random()
    return count
