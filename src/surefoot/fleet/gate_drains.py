"""Battery drain of a rollout's robots: who drains more than twice as fast as before, and whether chance explains it.

A battery drains twice as fast on a busy day, too. In a thousand robots some do at any time, so the trigger fires when
more of the updated ones do than a few in a thousand, or twice the share of the others, make likely.
"""

from collections import defaultdict
from dataclasses import replace

from surefoot.fleet.gate_sums import BEFORE_MIN_S, LEVEL_MIN_S, drain_per_hour
from surefoot.fleet.health_sums import Totals
from surefoot.rollout.outcomes import failures_for
from surefoot.rollout.triggers import DRAIN_TIMES_MAX, NAMED_MAX, Drain, Tripped, battery_drain

# A few points of charge may be the gauge's and not the battery's.
DRAINED_MIN_PERCENT = 10.0
# So many robots drain twice as fast by chance, and so unlikely must be what the trigger fires at.
SHARE_BY_CHANCE = 0.005
PROBABILITY_MAX = 0.01


class Drains:
    """What a walk through the robots found of their batteries."""

    def __init__(self) -> None:
        # By stratum of the others: how many, and the sums of their drains before the rollout and in it.
        self._others: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        self._others_fast = 0
        self._updated = 0
        self._fast: list[tuple[str, Drain]] = []

    def add_other(self, stratum: str, before: Totals, since: Totals) -> None:
        """Count a robot that does not run the release."""
        drains = _drains(before, since)
        if drains is None:
            return
        sums = self._others[stratum]
        sums[0], sums[1], sums[2] = sums[0] + 1, sums[1] + drains[0], sums[2] + drains[1]
        self._others_fast += drains[1] > DRAIN_TIMES_MAX * drains[0]

    def add_updated(self, robot_id: str, stratum: str, before: Totals, since: Totals) -> None:
        """Count a robot that does, by its drain since its update."""
        drains = _drains(before, since)
        if drains is None:
            return
        self._updated += 1
        if drains[1] > DRAIN_TIMES_MAX * drains[0]:
            drain = Drain(
                robot_id=robot_id,
                before=drains[0],
                since=drains[1],
                others_before=0.0,
                others_since=0.0,
                discharging_s=since.discharging_s,
            )
            self._fast.append((stratum, drain))

    def tripped(self) -> Tripped | None:
        """Return the trigger if it fires, with the robots that drain fastest named first."""
        fired = [(drain.since / drain.before, found) for drain, found in self._over() if found is not None]
        others = sum(sums[0] for sums in self._others.values())
        by_chance = max(SHARE_BY_CHANCE, min(2 * self._others_fast / others, 1.0) if others else 0.0)
        needed = failures_for(self._updated, by_chance, PROBABILITY_MAX)
        if not fired or needed is None or len(fired) < needed:
            return None
        fired.sort(key=lambda one: -one[0])
        worst = fired[0][1]
        if len(fired) == 1:
            return worst
        ids = tuple(robot_id for _, found in fired for robot_id in found.robot_ids)
        named = ", ".join(ids[:NAMED_MAX]) + (", …" if len(ids) > NAMED_MAX else "")
        start = f"{len(ids)} of {self._updated} updated robots ({named}) drain their batteries more than twice as fast"
        return replace(worst, robot_ids=ids, sentence=f"{start}: {worst.sentence}")

    def _over(self) -> list[tuple[Drain, Tripped | None]]:
        """Return the robots that drain fast, each judged against what became of the others of its stratum."""
        found = []
        for stratum, drain in self._fast:
            count, before, since = self._others[stratum]
            known = replace(drain, others_before=before / count, others_since=since / count) if count else drain
            found.append((known, battery_drain(known)))
        return found


def _drains(before: Totals, since: Totals) -> tuple[float, float] | None:
    """Return a robot's drain before and since, in points an hour; None where too little is known."""
    own, now = drain_per_hour(before, BEFORE_MIN_S), drain_per_hour(since, LEVEL_MIN_S)
    if own is None or now is None or own <= 0 or since.drained_percent < DRAINED_MIN_PERCENT:
        return None
    return own, now
