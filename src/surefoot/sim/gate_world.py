"""One rollout's robots in virtual time, and the sums of each window that the gates look at.

Windows of a quarter of an hour. A robot is one of the others, settling, updated, or gone for good.
"""

from collections import defaultdict, deque

from surefoot.rollout.first_event import RiskSet
from surefoot.rollout.gate import Ended, GateFacts, RateFacts
from surefoot.rollout.means import Levels, MeanStratum
from surefoot.rollout.metrics import Metric
from surefoot.rollout.ramp import Ramp, offers_max
from surefoot.rollout.rates import RateWindow, Spread
from surefoot.sim.gate_fleet import (
    CYCLE_WINDOWS,
    DEVIATIONS,
    FIRST_EVENTS,
    MEANS,
    RATES,
    WINDOW_H,
    WINDOWS_MAX,
    Effect,
    Fleet,
    RunningSums,
)

SETTLING_WINDOWS = 4
MISSING_WINDOWS = 2
NATURAL_FAILED, NATURAL_LOST = 0.01, 0.0005
OTHER, SETTLING, UPDATED, GONE = range(4)


class World:
    """One rollout on one fleet."""

    def __init__(self, fleet: Fleet, effect: Effect, ramp: Ramp | None) -> None:
        self.fleet, self.effect, self.ramp, self.dice = fleet, effect, ramp, fleet.dice
        robots = fleet.robots
        self.order = self.dice.sample(range(robots), robots)
        self.arm = [OTHER] * robots
        self.had = {metric: bytearray(robots) for metric in FIRST_EVENTS}
        self.due: dict[Metric, list[int]] = {}
        self.coming: dict[Metric, defaultdict[int, list[int]]] = {}
        self.at_risk = {metric: [[0, len(members)] for members in fleet.members] for metric in FIRST_EVENTS}
        for metric in FIRST_EVENTS:
            self.due[metric] = [fleet.first_event_window(metric, robot, 0) for robot in range(robots)]
            self.coming[metric] = defaultdict(list)
            for robot, window in enumerate(self.due[metric]):
                self.coming[metric][window].append(robot)
        self.since = [0.0] * robots
        self.y = {metric: [0.0] * robots for metric in RATES}
        self.sums = {metric: [(RunningSums(), RunningSums()) for _ in fleet.strata] for metric in RATES}
        self.paces = {metric: [[0.0, 0.0] for _ in fleet.strata] for metric in RATES}
        for metric in RATES:
            for robot, usual in enumerate(fleet.usual[metric]):
                self.sums[metric][fleet.stratum[robot]][1].enter(usual, 0.0)
                self.paces[metric][fleet.stratum[robot]][1] += usual
        self.cycles = [0] * robots
        self.level = {metric: [0.0] * robots for metric in MEANS}
        self.levels = {metric: [[[0, 0.0, 0.0], [0, 0.0, 0.0]] for _ in fleet.strata] for metric in MEANS}
        self.checks: defaultdict[int, list[int]] = defaultdict(list)
        self.settles: defaultdict[int, list[int]] = defaultdict(list)
        self.deadlines: defaultdict[int, list[int]] = defaultdict(list)
        self.ready: deque[int] = deque()
        self.away: defaultdict[int, int] = defaultdict(int)
        self.offered, self.settled, self.lost, self.reached, self.missing = 0, 0, 0, 0, 0

    def open(self, share: float, window: int) -> int:
        """Open a phase's door to this share of the fleet; return how many robots it reaches more."""
        until = max(2, round(share * self.fleet.robots))
        members = self.order[self.reached : until]
        for robot in members:
            self.checks[self.fleet.check_in_window(robot, window)].append(robot)
        self.reached = until
        return len(members)

    def pass_window(self, window: int, log_pooled: float) -> GateFacts:
        """Let a quarter of an hour pass and return what it showed."""
        first_events = {metric: self._first_events(metric, window) for metric in FIRST_EVENTS}
        rates = {metric: self._rates(metric, window) for metric in RATES}
        means = self._means(window)
        outcomes = self._offer(window, log_pooled)
        return GateFacts(hours=WINDOW_H, outcomes=outcomes, first_events=first_events, rates=rates, means=means)

    def _first_events(self, metric: Metric, window: int) -> tuple[RiskSet, ...]:
        counts = [[0, 0] for _ in self.fleet.strata]
        for robot in self.coming[metric].pop(window, ()):
            if self.due[metric][robot] != window or self.had[metric][robot]:
                continue
            if self.arm[robot] in (OTHER, UPDATED):
                self.had[metric][robot] = 1
                counts[self.fleet.stratum[robot]][self.arm[robot] == OTHER] += 1
            elif self.arm[robot] == SETTLING:
                self._await_event(metric, robot, window + 1, 1.0)
        found = []
        for at_risk, (updated, others) in zip(self.at_risk[metric], counts, strict=True):
            found.append(RiskSet(updated=at_risk[0], others=at_risk[1], updated_events=updated, others_events=others))
            at_risk[0] -= updated
            at_risk[1] -= others
        return tuple(found)

    def _await_event(self, metric: Metric, robot: int, window: int, times: float) -> None:
        due = self.fleet.first_event_window(metric, robot, min(window, WINDOWS_MAX), times)
        self.due[metric][robot] = due
        self.coming[metric][due].append(robot)

    def _rates(self, metric: Metric, window: int) -> RateFacts:
        times = self.effect.error_times if metric is Metric.WARNING_TIME else 1.0
        now, busy = self.fleet.clock.busy[window + 1], self.fleet.clock.busy[window + 1] - self.fleet.clock.busy[window]
        windows, spreads = [], []
        for stratum in self.fleet.strata:
            sums, counts = self.sums[metric][stratum], [0.0, 0.0]
            for robot in self.fleet.events(metric, stratum, window, times):
                arm = self.arm[robot]
                if arm in (SETTLING, GONE) or (arm == OTHER and times > 1 and self.dice.random() * times > 1):
                    continue
                size = self.fleet.size()
                sums[arm == OTHER].count(
                    self.fleet.usual[metric][robot], self.since[robot], self.y[metric][robot], size
                )
                self.y[metric][robot] += size
                counts[arm == OTHER] += size
            paces = self.paces[metric][stratum]
            windows.append(
                RateWindow(
                    updated_count=counts[0],
                    others_count=counts[1],
                    updated_usual=paces[0] * busy,
                    others_usual=paces[1] * busy,
                )
            )
            spreads.append(Spread(updated=sums[0].at(now), others=sums[1].at(now)))
        return RateFacts(windows=tuple(windows), spreads=tuple(spreads))

    def _means(self, window: int) -> dict[Metric, tuple[MeanStratum, ...]]:
        cycling = range(window % CYCLE_WINDOWS, self.fleet.robots, CYCLE_WINDOWS)
        watched = [robot for robot in cycling if self.arm[robot] in (OTHER, UPDATED)]
        for robot in watched:
            self.cycles[robot] += 1
        for metric in MEANS:
            self._end_cycles(metric, watched)
        return {
            metric: tuple(
                MeanStratum(updated=_levels(updated), others=_levels(others)) for updated, others in self.levels[metric]
            )
            for metric in MEANS
        }

    def _end_cycles(self, metric: Metric, robots: list[int]) -> None:
        # Half of all work is here, so what the loop needs is looked up once.
        arm, cycles, stratum = self.arm, self.cycles, self.fleet.stratum
        level, lasting, levels = self.level[metric], self.fleet.lasting[metric], self.levels[metric]
        gauss, deviation = self.dice.gauss, DEVIATIONS[metric][1]
        for robot in robots:
            done = cycles[robot]
            before = level[robot]
            sums = levels[stratum[robot]][arm[robot] == OTHER]
            level[robot] = after = before + (lasting[robot] + gauss(0.0, deviation) - before) / done
            if done == 1:
                sums[0] += 1
                before = 0.0
            sums[1] += after - before
            sums[2] += after * after - before * before

    def _offer(self, window: int, log_pooled: float) -> dict[Metric, Ended]:
        self._settle(window)
        lost = len(self.deadlines.pop(window, ()))
        self.missing += self.away.pop(window, 0) - lost
        returned, failed = 0, 0
        self.ready.extend(self.checks.pop(window, ()))
        self.lost += lost
        doors = self._doors(log_pooled)
        for _ in range(min(doors, len(self.ready))):
            robot = self.ready.popleft()
            self.offered += 1
            self._leave_others(robot, window)
            if self.dice.random() < max(NATURAL_LOST, self.effect.bricked_share):
                self.arm[robot] = GONE
                self.deadlines[window + self.fleet.return_deadline_windows(robot)].append(robot)
                self.away[window + MISSING_WINDOWS] += 1
            else:
                self.arm[robot] = SETTLING
                self.settles[window + SETTLING_WINDOWS].append(robot)
                returned += 1
                failed += self.dice.random() < NATURAL_FAILED
        return {
            Metric.NOT_RETURNED: Ended(failed=lost, ended=returned + lost),
            Metric.INSTALL_FAILED: Ended(failed=failed, ended=returned),
        }

    def _doors(self, log_pooled: float) -> int:
        """Return how many more robots may be offered the release now."""
        if self.ramp is None:
            return len(self.ready)
        pending = self.offered - self.settled - self.lost
        offers = offers_max(
            self.ramp, offered=self.offered, pending=pending, settled=self.settled, log_pooled=log_pooled
        )
        return offers - self.offered

    def _leave_others(self, robot: int, window: int) -> None:
        stratum, now = self.fleet.stratum[robot], self.fleet.clock.busy[window + 1]
        for metric in FIRST_EVENTS:
            self.at_risk[metric][stratum][1] -= not self.had[metric][robot]
        for metric in RATES:
            usual = self.fleet.usual[metric][robot]
            self.sums[metric][stratum][1].leave(usual, self.since[robot], self.y[metric][robot], now)
            self.paces[metric][stratum][1] -= usual
            self.y[metric][robot] = 0.0
        for metric in MEANS:
            if self.cycles[robot]:
                sums, level = self.levels[metric][stratum][1], self.level[metric][robot]
                sums[0] -= 1
                sums[1] -= level
                sums[2] -= level * level
        self.cycles[robot] = 0

    def _settle(self, window: int) -> None:
        """From now on, robots whose settling time is over speak for the release."""
        now = self.fleet.clock.busy[window + 1]
        for robot in self.settles.pop(window, ()):
            stratum = self.fleet.stratum[robot]
            self.arm[robot] = UPDATED
            self.settled += 1
            self.since[robot] = now
            for metric in RATES:
                usual = self.fleet.usual[metric][robot]
                self.sums[metric][stratum][0].enter(usual, now)
                self.paces[metric][stratum][0] += usual
            for metric in FIRST_EVENTS:
                if not self.had[metric][robot]:
                    self.at_risk[metric][stratum][0] += 1
                    if metric is Metric.ERROR and self.effect.error_times != 1:
                        self._await_event(metric, robot, window + 1, self.effect.error_times)
                    elif self.due[metric][robot] <= window:
                        self._await_event(metric, robot, window + 1, 1.0)
            if self.dice.random() < self.effect.silent_share and not self.had[Metric.SILENT][robot]:
                self.due[Metric.SILENT][robot] = window + 1
                self.coming[Metric.SILENT][window + 1].append(robot)


def _levels(sums: list[float]) -> Levels:
    return Levels(robots=int(sums[0]), x=sums[1], xx=sums[2])
