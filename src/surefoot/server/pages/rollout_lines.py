"""A rollout in one line, as lists show it."""

from dataclasses import dataclass

from surefoot.fleet.fleet_metrics import Standing
from surefoot.fleet.model import Release, Rollout
from surefoot.fleet.ports import Rows
from surefoot.server.pages.fleet_counts import FleetCounts
from surefoot.server.pages.words import BAD, BUSY, GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of a bar a thousand wide."""

    tone: str
    begin: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutLine:
    """A rollout with its version and how its robots stand; `robots` are all of its sku, None while being counted."""

    rollout: Rollout
    version: str
    phase_name: str
    standing: Standing | None
    robots: int | None

    @property
    def segments(self) -> list[Segment]:
        """How far it is: installed, updating, failed."""
        return [] if self.standing is None else bar_of(self.standing, self.robots or 0)


def rollout_line(rows: Rows, rollout: Rollout, counts: FleetCounts | None) -> RolloutLine:
    """Return a rollout's line."""
    release = rows.get(Release, rollout.release_id)
    return RolloutLine(
        rollout=rollout,
        version="?" if release is None else str(release.version),
        phase_name=rollout.plan.phases[rollout.phase].name,
        standing=None if counts is None else counts.of_rollout(rollout.rollout_id),
        robots=None if counts is None else counts.by_sku.get(rollout.sku, 0),
    )


def bar_of(standing: Standing, whole: int) -> list[Segment]:
    """Return the pieces of a bar: of `whole` robots those that installed, are updating, and failed."""
    whole = max(whole, standing.offered, 1)
    pieces, begin = [], 0.0
    for tone, count in ((GOOD, standing.installed), (BUSY, standing.open), (BAD, standing.failed)):
        width = 1000 * count / whole
        pieces.append(Segment(tone=tone, begin=round(begin, 1), width=round(width, 1)))
        begin += width
    return pieces
