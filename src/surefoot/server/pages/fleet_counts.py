"""How many robots stand where: counted over the whole fleet, so only ever in the background."""

from dataclasses import dataclass

from surefoot.fleet.fleet_metrics import FleetMetrics, Standing, by_status, fleet_metrics, standings
from surefoot.fleet.model import Status
from surefoot.fleet.ports import Rows
from surefoot.server.pages.snapshots import Snapshots
from surefoot.server.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCounts:
    """The fleet's figures, its robots counted, and how the phases of all rollouts stand.

    `online` have been heard within the time in which every robot asks once.
    """

    metrics: FleetMetrics
    robots: int
    by_sku: dict[str, int]
    online: int
    statuses: dict[Status, int]
    phases: dict[tuple[str, int | None], Standing]

    def of_rollout(self, rollout_id: str) -> Standing:
        """Return how all phases of a rollout stand together."""
        found = [standing for (known, _), standing in self.phases.items() if known == rollout_id]
        return Standing(
            offered=sum(one.offered for one in found),
            installed=sum(one.installed for one in found),
            failed=sum(one.failed for one in found),
            open=sum(one.open for one in found),
        )


async def fleet_counts(services: Services, snapshots: Snapshots) -> FleetCounts | None:
    """Return the newest counts, None while the fleet is counted for the first time."""
    return await snapshots.get("fleet", lambda rows: _count(rows, services))


def _count(rows: Rows, services: Services) -> FleetCounts:
    fleet = services.fleet
    robots, assignments = rows.count_robots(), rows.count_assignments()
    by_sku: dict[str, int] = {}
    for count in robots:
        by_sku[count.sku] = by_sku.get(count.sku, 0) + count.count
    every_s = fleet.next_check_s + fleet.next_check_jitter_s
    return FleetCounts(
        metrics=fleet_metrics(rows, robots, assignments),
        robots=sum(by_sku.values()),
        by_sku=by_sku,
        online=rows.count_heard(services.now_s() - every_s),
        statuses=by_status(robots),
        phases=standings(assignments),
    )
