"""One box for everything: robots by the beginning of their ids; releases, rollouts and incidents by what names them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from surefoot.fleet.incidents import Incident
from surefoot.fleet.model import Release, Rollout
from surefoot.fleet.ports import Rows
from surefoot.fleet.robots import RobotStatus
from surefoot.server.pages.dependencies import Reader, ServicesDependency
from surefoot.server.pages.incidents import IncidentLine, incident_line
from surefoot.server.pages.rendering import render
from surefoot.server.pages.robots import robots_view
from surefoot.server.pages.rollout_lines import RolloutLine, rollout_line

SHOWN = 10
# As far back as releases, rollouts and incidents are looked through.
NEWEST = 300

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What fits a search, the newest first, ten of each at most."""

    robots: tuple[RobotStatus, ...]
    releases: tuple[Release, ...]
    rollouts: tuple[RolloutLine, ...]
    incidents: tuple[IncidentLine, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing fits."""
        return not (self.robots or self.releases or self.rollouts or self.incidents)


@router.get("/search")
async def get_search(
    request: Request, actor: Reader, services: ServicesDependency, q: Annotated[str, Query(max_length=128)] = ""
) -> Response:
    """Show what fits."""
    wanted = q.strip()
    found = await services.read(lambda rows: look_for(rows, wanted, services.now_s())) if wanted else None
    return render(request, "search.html", title="Search", query=wanted, found=found)


def look_for(rows: Rows, wanted: str, now_s: float) -> Found:
    """Look for what a text names."""
    lower = wanted.lower()

    def fits(*names: str) -> bool:
        return any(lower in name.lower() for name in names)

    releases = rows.find(Release, newest_first=True, limit=NEWEST)
    version_of = {release.release_id: str(release.version) for release in releases}
    rollouts = rows.find(Rollout, newest_first=True, limit=NEWEST)
    incidents = rows.find(Incident, newest_first=True, limit=NEWEST)
    return Found(
        robots=robots_view(rows, wanted, "", now_s, SHOWN).robots,
        releases=tuple(
            one for one in releases if fits(one.release_id, one.sku, str(one.version), one.digest, one.sha256)
        )[:SHOWN],
        rollouts=tuple(
            rollout_line(rows, one, None)
            for one in rollouts
            if fits(one.rollout_id, one.sku, one.release_id, one.state, version_of.get(one.release_id, ""))
        )[:SHOWN],
        incidents=tuple(
            incident_line(rows, one)
            for one in incidents
            if fits(one.incident_id, one.rollout_id, one.reason, version_of.get(one.release_id, ""))
        )[:SHOWN],
    )
