"""A rollout in one line, as lists show it."""

from collections.abc import Iterable
from dataclasses import dataclass

from surefoot.fleet.fleet_metrics import Standing
from surefoot.fleet.model import Release, Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.server.pages.fleet_counts import FleetCounts
from surefoot.server.pages.words import BAD, BUSY, CAREFUL, GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of a bar a thousand wide."""

    tone: str
    begin: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutLine:
    """A rollout with its version and how its robots stand; `robots` are those it is about, None while being counted.

    Of those that installed it so many were `led_back` since.
    """

    rollout: Rollout
    version: str
    phase_name: str
    standing: Standing | None
    robots: int | None
    led_back: int

    @property
    def sku(self) -> str:
        """What it is for."""
        return self.rollout.sku

    @property
    def goes_on_in_s(self) -> float | None:
        """How long its phase still soaks."""
        return goes_on_in_s(self.rollout)

    @property
    def segments(self) -> list[Segment]:
        """How far it is: installed, updating, failed."""
        return [] if self.standing is None else bar_of(self.standing, self.robots or 0, self.led_back)


def rollout_line(rows: Rows, rollout: Rollout, counts: FleetCounts | None) -> RolloutLine:
    """Return a rollout's line."""
    release = rows.get(Release, rollout.release_id)
    return RolloutLine(
        rollout=rollout,
        version="?" if release is None else str(release.version),
        phase_name=rollout.plan.phases[rollout.phase].name,
        standing=None if counts is None else counts.of_rollout(rollout.rollout_id),
        robots=None if counts is None else _reached(rows, rollout, counts),
        led_back=0 if counts is None else _led_back(rows, rollout, counts),
    )


def _reached(rows: Rows, rollout: Rollout, counts: FleetCounts) -> int:
    """Return how many robots a rollout is about: all of its sku, the one it is for, or those that it leads back."""
    if rollout.only_robot_id is not None:
        return 1
    everyone = counts.by_sku.get(rollout.sku, 0)
    if rollout.rolls_back is None:
        return everyone
    brought = rows.find(Rollout, release_id=rollout.rolls_back)
    return min(everyone, sum(counts.of_rollout(one.rollout_id).installed for one in brought if not one.rolls_back))


def _led_back(rows: Rows, rollout: Rollout, counts: FleetCounts) -> int:
    if rollout.rolls_back is not None:
        return 0
    back = rows.find(Rollout, rolls_back=rollout.release_id)
    led = sum(counts.of_rollout(one.rollout_id).installed for one in back)
    return min(led, counts.of_rollout(rollout.rollout_id).installed)


def goes_on_in_s(rollout: Rollout) -> float | None:
    """Return after how long the open phase has soaked, if nothing comes between; None while it does not soak."""
    if rollout.state is not RolloutState.RUNNING or rollout.soaked_s <= 0:
        return None
    return max(0.0, rollout.plan.phases[rollout.phase].soak_s - rollout.soaked_s)


def bar_of(standing: Standing, whole: int, led_back: int = 0) -> list[Segment]:
    """Return the pieces of a bar: of `whole` robots those that installed, were led back, are updating, and failed."""
    counts = (
        (GOOD, standing.installed - led_back),
        (CAREFUL, led_back),
        (BUSY, standing.open),
        (BAD, standing.failed),
    )
    return segments_of(counts, max(whole, standing.offered))


def segments_of(parts: Iterable[tuple[str, float]], whole: float) -> list[Segment]:
    """Return the pieces of a bar, one behind the other: a tone with its part of the whole each."""
    pieces, begin = [], 0.0
    for tone, part in parts:
        width = 1000 * part / max(whole, 1)
        pieces.append(Segment(tone=tone, begin=round(begin, 1), width=round(width, 1)))
        begin += width
    return pieces
