"""What a person who is about to act on a rollout should know: whom that meets, and which other rollouts bring what."""

from dataclasses import dataclass
from functools import partial

from surefoot.fleet.model import Release, Rollout, RolloutState, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.way_back import count_led_back, way_back_of

# Nearer rollouts of the sku than this many, on either side, are not named.
BESIDE_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Another rollout of the sku that has a say, how many robots it has `offered` its release, and what that means."""

    rollout_id: str
    version: str
    state: RolloutState
    is_newer: bool
    offered: int
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """How many robots may be `updating` now, how many are `running` the release, and who else has a say.

    `way_back_id` is the rollout that leads robots back from the release, None where none may.
    """

    updating: int
    running: int
    way_back_id: str | None
    beside: tuple[Beside, ...]


def rollout_detail(rows: Rows, rollout: Rollout) -> Detail:
    """Return what there is to know of a rollout beside its progress."""
    installed = rows.count_by_status(rollout.rollout_id).get(Status.INSTALLED, 0)
    release = rows.get(Release, rollout.release_id)
    way_back = (
        None if release is None or rollout.rolls_back is not None else way_back_of(rows, release, rollout.only_robot_id)
    )
    return Detail(
        updating=rows.count_open(rollout.rollout_id),
        running=max(0, installed - count_led_back(rows, rollout)),
        way_back_id=None if way_back is None else way_back.rollout_id,
        beside=tuple(_beside(rows, rollout)),
    )


def _beside(rows: Rows, rollout: Rollout) -> list[Beside]:
    """Return the other rollouts of the sku that have a say, the newest first."""
    # What brings a release to one robot has no say for all others.
    find = partial(rows.find, Rollout, after=rollout.rollout_id, sku=rollout.sku, only_robot_id=None)
    newer, older = find()[::-1], find(newest_first=True)
    ends = [other for other in newer if other.state is RolloutState.FINISHED and other.rolls_back is None]
    # Of finished ones the newest takes every robot, and those behind it none.
    before = [other for other in newer if other.state is not RolloutState.FINISHED or other in ends[:1]][-BESIDE_MAX:]
    behind = [other for other in older if other.state is not RolloutState.FINISHED][:BESIDE_MAX]
    return [_one(rows, other, is_newer=other in before) for other in (*before, *behind)]


def _one(rows: Rows, other: Rollout, *, is_newer: bool) -> Beside:
    release = rows.get(Release, other.release_id)
    return Beside(
        rollout_id=other.rollout_id,
        version="?" if release is None else str(release.version),
        state=other.state,
        is_newer=is_newer,
        offered=rows.count_offered(other.rollout_id),
        meaning=_meaning(other, is_newer),
    )


def _meaning(other: Rollout, is_newer: bool) -> str:
    if other.state in (RolloutState.PAUSED, RolloutState.HALTED):
        goes_on = "; resumed, it goes before this one" if is_newer else ""
        return f"{'Newer' if is_newer else 'Older'}, and takes no robot while it is {other.state}{goes_on}."
    if other.rolls_back is not None:
        return f"{'Newer' if is_newer else 'Older'}, and leads back robots that run release {other.rolls_back}."
    if other.state is RolloutState.FINISHED:
        return "Newer and finished: it takes every robot that may have its release, so this one gets few or none."
    if is_newer:
        return "Newer, so it goes before this one: a robot that it would take now is its own."
    return "Older, so it takes robots that this one does not take now, and keeps those it has until this one does."
