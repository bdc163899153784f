"""The fleet at a glance: what it runs, how updates go, what is under way, what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from surefoot.fleet.fleet_metrics import ROLLBACK_TARGET, SUCCESS_TARGET
from surefoot.fleet.incidents import Incident, open_incident_of
from surefoot.fleet.model import Rollout, RolloutState, Status
from surefoot.fleet.ports import Rows
from surefoot.rollout.plan import default_plan
from surefoot.server.pages import words
from surefoot.server.pages.dependencies import Reader, ServicesDependency, SnapshotsDependency
from surefoot.server.pages.fleet_counts import FleetCounts, fleet_counts
from surefoot.server.pages.fleet_verdict import Verdict, verdict
from surefoot.server.pages.incidents import IncidentLine, incident_line
from surefoot.server.pages.live import live_response
from surefoot.server.pages.pie import Slice, slices
from surefoot.server.pages.rendering import render, render_part
from surefoot.server.pages.rollout_lines import RolloutLine, Segment, rollout_line, segments_of
from surefoot.server.pages.snapshots import Snapshots
from surefoot.server.services import Services

UNDER_WAY = (RolloutState.HALTED, RolloutState.PAUSED, RolloutState.RUNNING)
SHOWN_MAX = 50
# Of so many of a sku some bring a release, and do not lead back from one.
NEWEST_MAX = 10
UPDATING = (Status.WAITING, Status.DOWNLOADING, Status.VERIFYING, Status.REBOOTING, Status.ON_TRIAL)
# What the bar over all robots shows; the rest of it are robots that no rollout has led anywhere yet.
DRAWN = (
    (words.GOOD, (Status.INSTALLED,)),
    (words.BUSY, UPDATING),
    (words.CAREFUL, (Status.SILENT, Status.DRIFTED)),
    (words.BAD, (Status.ROLLED_BACK, Status.REFUSED)),
)
PARTS = {
    "verdict": "fleet_verdict.html",
    "figures": "fleet_figures.html",
    "rollouts": "fleet_rollouts.html",
    "incidents": "fleet_incidents.html",
}

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number with what it is held to; the tone says whether it keeps that."""

    name: str
    value: str
    target: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    """What the page shows; `counts` and what follows from them are empty while robots are being counted."""

    counts: FleetCounts | None
    verdict: Verdict | None
    figures: tuple[Figure, ...]
    versions: tuple[Slice, ...]
    rollouts: tuple[RolloutLine, ...]
    incidents: tuple[IncidentLine, ...]
    every_s: float

    @property
    def updating(self) -> int:
        """How many robots are on their way to another version."""
        return 0 if self.counts is None else _sum(self.counts, UPDATING)

    @property
    def standing(self) -> list[Segment]:
        """Where the robots stand, as a bar."""
        counts = self.counts
        if counts is None:
            return []
        return segments_of([(tone, _sum(counts, statuses)) for tone, statuses in DRAWN], counts.robots)


@router.get("/")
async def get_fleet(
    request: Request, actor: Reader, services: ServicesDependency, snapshots: SnapshotsDependency
) -> Response:
    """Show the fleet."""
    view = await fleet_view(services, snapshots)
    return render(request, "fleet.html", title="Fleet", view=view, live="/live/fleet")


@router.get("/live/fleet")
async def get_live_fleet(
    request: Request, actor: Reader, services: ServicesDependency, snapshots: SnapshotsDependency
) -> Response:
    """Send what changes of the page."""

    async def parts() -> Mapping[str, str]:
        view = await fleet_view(services, snapshots)
        return {name: render_part(request, template, view=view) for name, template in PARTS.items()}

    return live_response(request, parts)


async def fleet_view(services: Services, snapshots: Snapshots) -> FleetView:
    """Gather what the page shows."""
    counts = await fleet_counts(services, snapshots)
    return await services.read(lambda rows: _view(rows, services, counts))


def _view(rows: Rows, services: Services, counts: FleetCounts | None) -> FleetView:
    under_way = [
        rollout for state in UNDER_WAY for rollout in _newest(rows, state) if not _is_left_behind(rows, rollout)
    ]
    lines = tuple(rollout_line(rows, rollout, counts) for rollout in under_way)
    found = rows.find(Incident, newest_first=True, limit=SHOWN_MAX, is_open=True)
    incidents = tuple(incident_line(rows, incident) for incident in found)
    return FleetView(
        counts=counts,
        verdict=verdict(counts, lines, incidents),
        figures=() if counts is None else figures(counts),
        versions=() if counts is None else tuple(slices(versions_of(counts))),
        rollouts=lines,
        incidents=incidents,
        every_s=services.fleet.next_check_s + services.fleet.next_check_jitter_s,
    )


def _newest(rows: Rows, state: RolloutState) -> list[Rollout]:
    """Return the newest rollouts of a state; however many are for single robots, the others stand before them."""
    find = partial(rows.find, Rollout, newest_first=True, limit=SHOWN_MAX, state=state)
    return list({one.rollout_id: one for one in (*find(only_robot_id=None), *find())}.values())


def _is_left_behind(rows: Rows, rollout: Rollout) -> bool:
    """Whether a halted rollout has no open incident any more, and a newer release has taken its place."""
    if rollout.state is not RolloutState.HALTED or open_incident_of(rows, rollout.rollout_id) is not None:
        return False
    newest = rows.find(Rollout, newest_first=True, limit=NEWEST_MAX, sku=rollout.sku, only_robot_id=None)
    return next((one for one in newest if one.rolls_back is None), rollout) != rollout


def _sum(counts: FleetCounts, statuses: tuple[Status, ...]) -> int:
    return sum(counts.statuses.get(status, 0) for status in statuses)


def versions_of(counts: FleetCounts) -> dict[str, int]:
    """Return the robots by version; by sku and version where there are several skus."""
    versions = counts.metrics.versions
    return {
        f"{sku} {version}" if len(versions) > 1 else version: count
        for sku, counted in versions.items()
        for version, count in counted.items()
    }


def figures(counts: FleetCounts) -> tuple[Figure, ...]:
    """Return what the fleet is judged by, each figure with its target."""
    metrics = counts.metrics
    success, rollback = metrics.success_rate, metrics.rollback_rate
    soak_s = sum(phase.soak_s for phase in default_plan().phases)
    return (
        Figure(
            name="Updates that succeeded",
            value=words.percent(success),
            target=f"target over {words.percent(SUCCESS_TARGET)}, of {words.number(metrics.updates_ended)} that ended",
            tone=_tone(success, success is not None and success > SUCCESS_TARGET),
        ),
        Figure(
            name="Rolled back",
            value=words.percent(rollback),
            target=f"target under {words.percent(ROLLBACK_TARGET)}",
            tone=_tone(rollback, rollback is not None and rollback < ROLLBACK_TARGET),
        ),
        Figure(
            name="Average download time",
            value=words.duration(metrics.mean_download_s),
            target=f"mean of {words.plural(metrics.downloads, 'download')}, offer to whole image; no target is set",
            tone=words.QUIET,
        ),
        Figure(
            name="Time to install",
            value=words.duration(metrics.mean_install_s),
            target="mean, with download and trial; no target is set",
            tone=words.QUIET,
        ),
        Figure(
            name="Time to the whole fleet",
            value=words.duration(metrics.whole_fleet_s),
            target=f"mean of finished rollouts; the default plan soaks {words.duration(soak_s)}",
            tone=words.QUIET,
        ),
    )


def _tone(value: float | None, is_kept: bool) -> str:
    return words.QUIET if value is None else words.GOOD if is_kept else words.BAD
