"""How large a run with killed processes is, and what came of it, in figures."""

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from surefoot.sim import process_promises as promise
from surefoot.sim.light_client import Counts
from surefoot.sim.process_operator import ProcessOperator
from surefoot.sim.process_witness import LeaseWatch, Witness
from surefoot.sim.webhook_receiver import WebhookReceiver

_LEADING = re.compile(r"leading epoch=(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How long, with how many robots, and how many downloads each may take in a day."""

    seconds: float
    robots: int = 60
    greedy: int = 12
    downloads_per_day: int = 60


SHORT = Size(seconds=15.0, robots=24, greedy=4, downloads_per_day=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One kill: when by the monotonic clock, and of which process."""

    at_s: float
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a run met.

    `answers_lost` are requests that a kill left without an answer, `answers_503` those that were told to try again;
    `open_max` is the most assignments of one rollout that were ever seen open, those of paused rollouts included.
    """

    seconds: float
    requests: int
    answers_lost: int
    answers_503: int
    reports_acknowledged: int
    updates: int
    downloads_mib: float
    refused_over_limit: int
    rollouts_finished: int
    changes: int
    webhook_deliveries: int
    kills: int
    leaders_killed: int
    takeover_s_median: float | None
    takeover_s_max: float | None
    looks: int
    open_max: int
    broken: tuple[str, ...]

    @property
    def violations(self) -> int:
        """How many promises were seen broken, each counted once for who broke it."""
        return len(self.broken)


def takeovers_of(witness: Witness, watch: LeaseWatch, kills: Sequence[Kill], logs: Sequence[str]) -> list[float]:
    """Return how long each killed leader was missed, and hold the promises about leaders against what was seen.

    A kill is of the leader when its process had taken the epoch that stood in the lease. Where its successor was
    killed too before it could take over, the time counts from the last kill.
    """
    taken = {int(epoch): number for number, log in enumerate(logs) for epoch in _LEADING.findall(log)}
    witness.check("logs", promise.epoch_taken_once, [int(epoch) for log in logs for epoch in _LEADING.findall(log)])
    if watch.broken is not None:
        witness.check("lease", promise.runs_to_its_end, watch.broken)
    found = []
    for kill, following in zip(kills, [*kills[1:], None], strict=True):
        before = [epoch for at_s, epoch in watch.seen if at_s <= kill.at_s]
        after = [at_s for at_s, _ in watch.seen if at_s > kill.at_s]
        if not before or not after or taken.get(before[-1]) != kill.number:
            continue
        if following is not None and following.at_s < after[0]:
            continue
        found.append(after[0] - kill.at_s)
        witness.check(f"epoch {before[-1]}", promise.taken_over_in_time, found[-1])
    return found


def totals(
    seconds: float,
    counts: Sequence[Counts],
    witness: Witness,
    operator: ProcessOperator,
    receiver: WebhookReceiver,
    kills: Sequence[Kill],
    takeovers: Sequence[float],
) -> Totals:
    """Add everything up."""
    robots, greedy = witness.robots, witness.greedy
    files = [file for robot in robots for file in robot.taken.all()]
    files += [file for robot in greedy for file in robot.taken.all()]
    return Totals(
        seconds=round(seconds, 1),
        requests=sum(one.requests for one in counts),
        answers_lost=sum(one.lost for one in counts),
        answers_503=sum(one.statuses.get(503, 0) for one in counts),
        reports_acknowledged=sum(robot.reports_acknowledged for robot in robots),
        updates=sum(robot.updates for robot in robots),
        downloads_mib=round(sum(received for received, _ in files) / 2**20, 1),
        refused_over_limit=sum(robot.refusals for robot in greedy),
        rollouts_finished=operator.finished,
        changes=witness.changes,
        webhook_deliveries=receiver.deliveries,
        kills=len(kills),
        leaders_killed=len(takeovers),
        takeover_s_median=round(statistics.median(takeovers), 2) if takeovers else None,
        takeover_s_max=round(max(takeovers), 2) if takeovers else None,
        looks=witness.looks,
        open_max=witness.open_max,
        broken=witness.broken,
    )
