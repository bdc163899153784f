"""The fleet's figures, each defined once, from facts: assignments as their robots' reports left them."""

from collections import defaultdict
from dataclasses import dataclass

from surefoot.fleet.model import AssignmentCount, RobotCount, Rollout, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollout_history import ended_at_s

# A robot that left the release again did have it.
INSTALLED = (Status.INSTALLED, Status.DRIFTED)
FAILED = (Status.ROLLED_BACK, Status.REFUSED, Status.SILENT)
# So many rollouts for a whole sku are looked at, the newest ones.
LOOKED_AT_MAX = 100
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
    or fell silent. Times are in seconds, on average. `mean_download_s` is that of the `downloads` whose time is known:
    from the offer to the robot's word that it has the whole image, as `fleet.download_time` counts it. `mean_install_s`
    is from the assignment until the robot was known to run the release, with download, trial and the wait for its next
    word to the server; `whole_fleet_s` from the start of a rollout to its end. `versions` counts robots by sku and by
    the version they name.
    """

    updates_ended: int
    success_rate: float | None
    rollback_rate: float | None
    downloads: int
    mean_download_s: float | None
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
        downloads=sum(count.downloads for count in counts),
        mean_download_s=mean_download_s(counts),
        mean_install_s=_mean(sum(count.installs_s for count in counts), sum(count.installs for count in counts)),
        whole_fleet_s=_whole_fleet_s(rows),
        versions=_versions(rows.count_robots() if robots is None else robots),
    )


def mean_download_s(counts: list[AssignmentCount]) -> float | None:
    """Return how long the downloads of these assignments took on average, None where no such time is known."""
    return _mean(sum(count.downloads_s for count in counts), sum(count.downloads for count in counts))


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


def _mean(sum_s: float, number: int) -> float | None:
    return sum_s / number if number else None


def _failed(count: AssignmentCount) -> bool:
    """Whether these are at an end they cannot get over: who holds a place is about to try again."""
    return count.status in FAILED and not count.is_open


def _whole_fleet_s(rows: Rows) -> float | None:
    newest = rows.find(Rollout, newest_first=True, limit=LOOKED_AT_MAX, rolls_back=None, only_robot_id=None)
    took_s = [end_s - rollout.started_at_s for rollout in newest if (end_s := ended_at_s(rows, rollout.rollout_id)) > 0]
    return sum(took_s) / len(took_s) if took_s else None


def _versions(robots: list[RobotCount]) -> dict[str, dict[str, int]]:
    versions: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for count in robots:
        versions[count.sku][count.version or NO_VERSION] += count.count
    return {sku: dict(counted) for sku, counted in versions.items()}
