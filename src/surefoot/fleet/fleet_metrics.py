"""The fleet's figures, each defined once, from facts: assignments as their robots' reports left them.

How long a download takes is no fact that robots report; `mean_install_s` counts from the assignment until the robot was
known to run the release, with download, trial and the wait for its next word to the server.
"""

from collections import defaultdict
from dataclasses import dataclass

from surefoot.fleet.model import AssignmentCount, RobotCount, Rollout, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollout_history import RolloutAction, RolloutChange

# A robot that left the release again did have it.
INSTALLED = (Status.INSTALLED, Status.DRIFTED)
FAILED = (Status.ROLLED_BACK, Status.REFUSED, Status.SILENT)
# So many finished rollouts are looked at, the newest ones.
FINISHED_MAX = 100
NO_VERSION = "unknown"
# What the rates are held to.
SUCCESS_TARGET, ROLLBACK_TARGET = 0.99, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How many robots of one rollout's phase were offered the release, installed it, failed, and may be updating."""

    offered: int = 0
    installed: int = 0
    failed: int = 0
    open: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetMetrics:
    """What the fleet is judged by; None where nothing has happened yet that would tell.

    `success_rate` and `rollback_rate` are shares of the updates that ended: robots that installed, went back, refused
    or fell silent. Times are in seconds; `whole_fleet_s` is from the start of a rollout to its end, on average.
    `versions` counts robots by sku and by the version they name.
    """

    updates_ended: int
    success_rate: float | None
    rollback_rate: float | None
    mean_install_s: float | None
    whole_fleet_s: float | None
    versions: dict[str, dict[str, int]]


def fleet_metrics(
    rows: Rows, robots: list[RobotCount] | None = None, assignments: list[AssignmentCount] | None = None
) -> FleetMetrics:
    """Derive the figures from the rows as they are; whoever has counted already hands the counts in."""
    counts = rows.count_assignments() if assignments is None else assignments
    installed = sum(count.count for count in counts if count.status in INSTALLED)
    failed = sum(count.count for count in counts if _failed(count))
    went_back = sum(count.count for count in counts if _failed(count) and count.status is Status.ROLLED_BACK)
    ended = installed + failed
    return FleetMetrics(
        updates_ended=ended,
        success_rate=installed / ended if ended else None,
        rollback_rate=went_back / ended if ended else None,
        mean_install_s=rows.mean_install_s(),
        whole_fleet_s=_whole_fleet_s(rows),
        versions=_versions(rows.count_robots() if robots is None else robots),
    )


def standings(counts: list[AssignmentCount]) -> dict[tuple[str, int | None], Standing]:
    """Return how each phase of each rollout stands, by rollout id and the index of the phase."""
    sums: defaultdict[tuple[str, int | None], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for count in counts:
        facts = (True, count.status in INSTALLED, _failed(count), count.is_open)
        found = sums[count.rollout_id, count.phase]
        for place, holds in enumerate(facts):
            found[place] += count.count * holds
    return {
        key: Standing(offered=offered, installed=installed, failed=failed, open=is_open)
        for key, (offered, installed, failed, is_open) in sums.items()
    }


def by_status(robots: list[RobotCount]) -> dict[Status, int]:
    """Return how many robots have which status."""
    statuses: defaultdict[Status, int] = defaultdict(int)
    for count in robots:
        statuses[count.status or Status.UNASSIGNED] += count.count
    return dict(statuses)


def _failed(count: AssignmentCount) -> bool:
    """Whether these are at an end they cannot get over: who holds a place is about to try again."""
    return count.status in FAILED and not count.is_open


def _whole_fleet_s(rows: Rows) -> float | None:
    finished = rows.find(RolloutChange, newest_first=True, limit=FINISHED_MAX, action=RolloutAction.FINISHED)
    took_s = [
        change.at_s - rollout.started_at_s
        for change in finished
        if (rollout := rows.get(Rollout, change.rollout_id)) is not None and rollout.rolls_back is None
    ]
    return sum(took_s) / len(took_s) if took_s else None


def _versions(robots: list[RobotCount]) -> dict[str, dict[str, int]]:
    versions: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for count in robots:
        versions[count.sku][count.version or NO_VERSION] += count.count
    return {sku: dict(counted) for sku, counted in versions.items()}
