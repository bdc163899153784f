"""Going through all robots of a rollout's sku: what the last complete quarter of an hour showed, and cohort triggers.

Robots are read page by page, each page in a reading transaction of its own, so a million of them hold nobody up. What
a quarter showed stands still once it is over, and is the same whoever surveys it, as long as the next one is not over.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from surefoot.fleet.gate_drains import Drains
from surefoot.fleet.gate_sums import (
    DRAWN_H,
    FIRST_EVENTS,
    HOUR_S,
    MEANS,
    RATES,
    StratumSums,
    counted,
    drain_level,
    topic_level,
)
from surefoot.fleet.health_place import SETTLING_S
from surefoot.fleet.health_sums import NO_QUARTER, QUARTER_S, Quarter, Totals, quarter_at
from surefoot.fleet.model import Rollout, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.robot_health import Arm, RobotHealth
from surefoot.rollout import triggers
from surefoot.rollout.gate import GateFacts, RateFacts
from surefoot.rollout.means import MeanStratum
from surefoot.rollout.metrics import Metric
from surefoot.rollout.triggers import HANDSHAKES_PER_ROBOT_MAX, Handshakes, Tripped

PAGE_ROBOTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSurvey:
    """What one walk through the robots found.

    `facts` are those of the quarter of an hour `quarter` (`fleet.health_sums`), without outcomes. `hears` tells that a
    robot that was offered the release ever told of its health, `is_fed` that an updated one did in that quarter;
    `not_ok` names robots of the open phase, where it names any, that told of warnings or errors then. `robots` is how
    many the sku has. Of the rollout's assignments `offered` counts all, `installed` those that run the release, and
    `settled` those that ended a settling time ago. `tripped` are the cohort's triggers.
    """

    rollout_id: str
    quarter: int
    facts: GateFacts
    hears: bool
    is_fed: bool
    not_ok: tuple[str, ...]
    robots: int
    offered: int
    installed: int
    settled: int
    tripped: tuple[Tripped, ...]


class GateWalk:
    """One walk; `take` page after page, then `found`."""

    def __init__(self, rollout: Rollout, now_s: float) -> None:
        self._rollout = rollout
        self._now_s = now_s
        self._named = frozenset(rollout.plan.phases[rollout.phase].robots)
        self._quarter = quarter_at(now_s) - 1
        self._begin_s, self._end_s = self._quarter * QUARTER_S, (self._quarter + 1) * QUARTER_S
        self._strata: defaultdict[str, StratumSums] = defaultdict(StratumSums)
        self._hears = self._is_fed = False
        self._speaks = False
        self._not_ok: list[str] = []
        self._handshakes: list[Handshakes] = []
        # Handshakes that went well weigh by their number alone; one value stands for all robots that tried so often.
        self._well = {n: Handshakes(robot_id="", tried=n, failed=0) for n in range(1, HANDSHAKES_PER_ROBOT_MAX + 1)}
        self._drains = Drains()

    def take(self, rows: Rows, after: str | None) -> str | None:
        """Take one page of robots behind this one; return the last one's id, None when there are no more."""
        only: dict[str, Any] = {"robot_id": self._rollout.only_robot_id} if self._rollout.only_robot_id else {}
        page = rows.find(RobotHealth, limit=PAGE_ROBOTS, after=after, sku=self._rollout.sku, **only)
        for health in page:
            self._add(health)
        return page[-1].robot_id if len(page) == PAGE_ROBOTS else None

    def found(self, rows: Rows) -> GateSurvey:
        """Return what was found."""
        rollout_id = self._rollout.rollout_id
        counts = rows.count_by_status(rollout_id)
        return GateSurvey(
            rollout_id=rollout_id,
            quarter=self._quarter,
            facts=self._facts() if self._speaks else GateFacts(hours=QUARTER_S / HOUR_S),
            hears=self._hears,
            is_fed=self._is_fed,
            not_ok=tuple(self._not_ok),
            robots=1 if self._rollout.only_robot_id else sum(1 for _ in rows.robot_ids(self._rollout.sku)),
            offered=sum(counts.values()),
            installed=counts.get(Status.INSTALLED, 0),
            settled=rows.count_settled(rollout_id, self._now_s - SETTLING_S),
            tripped=tuple(self._tripped()),
        )

    def _add(self, health: RobotHealth) -> None:
        if health.signs.updated_by == self._rollout.rollout_id:
            self._add_updated(health)
        place = health.place
        # Who tells of no health can neither have an event nor be spared one.
        if place.rollout_id != self._rollout.rollout_id or health.signs.told_at_s is None:
            return
        stratum = self._strata[place.stratum]
        arm = place.arm_at(self._begin_s)
        self._hears = self._hears or place.offered_at_s is not None
        quarter = self._quarter_of(health, arm)
        if arm is not Arm.SETTLING and place.since_s <= self._begin_s:
            self._add_risks(stratum, health, arm, quarter)
        if quarter.told_s:
            self._speaks = True
            if arm is Arm.UPDATED:
                self._is_fed = True
                if health.robot_id in self._named and quarter.warn_s:
                    self._not_ok.append(health.robot_id)
        self._add_rates(stratum, health, arm, quarter)
        self._add_levels(stratum, health, arm)

    def _quarter_of(self, health: RobotHealth, arm: Arm) -> Quarter:
        """Return what the robot told in the quarter of this walk, nothing where it changed its arm since."""
        sums = health.sums
        known = next((one for one in (sums.quarter, sums.quarter_before) if one.number == self._quarter), NO_QUARTER)
        return known if health.place.arm is arm is not Arm.SETTLING else NO_QUARTER

    def _add_risks(self, stratum: StratumSums, health: RobotHealth, arm: Arm, quarter: Quarter) -> None:
        """Count the robot where it could have had its first event and been heard of it.

        Who is switched off has no events. Robots update while they are on, so at night, say, most of the others are
        off; counted all the same they would make the updated ones look worse. Who fell silent told nothing, of course.
        """
        for metric in FIRST_EVENTS:
            first_s = health.place.first_s.get(metric)
            if first_s is not None and first_s < self._begin_s:
                continue
            had_event = first_s is not None and first_s < self._end_s
            if quarter.told_s or (had_event and metric is Metric.SILENT):
                stratum.risk(metric, arm is Arm.OTHERS, had_event=had_event)

    def _add_rates(self, stratum: StratumSums, health: RobotHealth, arm: Arm, quarter: Quarter) -> None:
        sums = health.sums
        before_h = sums.before.told_s / HOUR_S
        weight = 1 / (before_h + DRAWN_H)
        for metric in RATES:
            rate, before_y = stratum.rates[metric], counted(metric, sums.before)
            own, drawn = before_y * weight, DRAWN_H * weight
            rate.know(before_y, before_h)
            if quarter.told_s:
                rate.count(arm is Arm.OTHERS, counted(metric, quarter), quarter.told_s / HOUR_S, own, drawn)
            for index, totals in enumerate((sums.updated, sums.others)):
                if totals.told_s:
                    rate.spread(index, counted(metric, totals), totals.told_s / HOUR_S, own, drawn)

    def _add_levels(self, stratum: StratumSums, health: RobotHealth, arm: Arm) -> None:
        if arm is Arm.SETTLING:
            return
        sums = health.sums
        since = sums.others if arm is Arm.OTHERS else sums.updated
        for metric, x in zip(MEANS, (drain_level(sums.before, since), topic_level(sums.before, since)), strict=True):
            if x is not None:
                stratum.level(metric, arm is Arm.OTHERS, x)
        if arm is Arm.OTHERS:
            self._drains.add_other(health.place.stratum, sums.before, since)

    def _add_updated(self, health: RobotHealth) -> None:
        """Keep what the triggers of the cohort need to know of a robot that runs the release."""
        since: Totals = health.sums.since_update
        if since.failed:
            self._handshakes.append(
                Handshakes(robot_id=health.robot_id, tried=int(since.tried), failed=int(since.failed))
            )
        elif since.tried:
            self._handshakes.append(self._well[min(int(since.tried), HANDSHAKES_PER_ROBOT_MAX)])
        self._drains.add_updated(health.robot_id, health.place.stratum, health.sums.before, since)

    def _tripped(self) -> list[Tripped]:
        found = (triggers.dtls_failures(self._handshakes), self._drains.tripped())
        return [tripped for tripped in found if tripped is not None]

    def _facts(self) -> GateFacts:
        strata = [self._strata[name] for name in sorted(self._strata)]
        rates: dict[Metric, RateFacts] = {}
        for metric in RATES:
            of_metric = [stratum.rates[metric] for stratum in strata]
            windows, spreads = tuple(one.window() for one in of_metric), tuple(one.both() for one in of_metric)
            rates[metric] = RateFacts(windows=windows, spreads=spreads)
        means: dict[Metric, tuple[MeanStratum, ...]] = {}
        for metric in MEANS:
            arms = [stratum.arms(metric) for stratum in strata]
            means[metric] = tuple(MeanStratum(updated=updated, others=others) for updated, others in arms)
        return GateFacts(
            hours=QUARTER_S / HOUR_S,
            first_events={metric: tuple(stratum.risk_set(metric) for stratum in strata) for metric in FIRST_EVENTS},
            rates=rates,
            means=means,
        )


def survey_gate(rows: Rows, rollout: Rollout, now_s: float) -> GateSurvey:
    """Walk through all robots at once."""
    walk, after = GateWalk(rollout, now_s), None
    while (after := walk.take(rows, after)) is not None:
        pass
    return walk.found(rows)
