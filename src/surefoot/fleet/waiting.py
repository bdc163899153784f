"""Who waits in a rollout and why: the robots without the release, counted by the refusal that keeps each from it."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import islice

from surefoot.fleet.doors import closed_by, depends_on_time, held_for, is_wave_full
from surefoot.fleet.model import Release, Rollout, Status
from surefoot.fleet.pins import kept_from
from surefoot.fleet.ports import Rows
from surefoot.rollout.door import Door, refusal
from surefoot.wire.codes import CODES, NAMED_REFUSALS
from surefoot.wire.errors import Refused

# A larger fleet is counted as far as this: a person looks at the figures again and again.
COUNTED_MAX = 20_000
NAMED_MAX = 5
UNHEARD, DUE = "unheard", "due"
WORDS = {
    **CODES,
    **NAMED_REFUSALS,
    UNHEARD: "The robot has said nothing for longer than the plan's silence deadline, or never.",
    DUE: "The robot gets the offer when it asks next.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """So many robots wait for the same reason; some of them by name. `code` is stable, `why` is for people."""

    code: str
    why: str
    robots: int
    robot_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The groups, the largest first; `is_complete` unless the fleet is too large to be counted to its end.

    `without_offer` counts the robots that the rollout still has to reach; the others in the groups have an offer.
    """

    groups: tuple[Group, ...]
    without_offer: int
    is_complete: bool


def waiting(rows: Rows, rollout_id: str, now_s: float) -> Waiting:
    """Count who has no offer from the rollout yet, or waits with one; `Refused` (`not-found-rollout`)."""
    rollout = rows.get(Rollout, rollout_id)
    release = None if rollout is None else rows.get(Release, rollout.release_id)
    if rollout is None or release is None:
        raise Refused("not-found-rollout", f"There is no rollout {rollout_id}: list the rollouts.")
    found: defaultdict[str, list[str]] = defaultdict(list)
    for assignment in rows.assignments_to_judge(rollout_id, now_s):
        if assignment.status is Status.WAITING and assignment.code is not None:
            found[assignment.code].append(assignment.robot_id)
    counted = without_offer = 0
    for robot_id, code in _without(rows, rollout, release, now_s):
        counted += 1
        if code is not None:
            without_offer += 1
            found[code].append(robot_id)
    groups = [
        Group(code=code, why=WORDS.get(code, code), robots=len(ids), robot_ids=tuple(ids[:NAMED_MAX]))
        for code, ids in found.items()
    ]
    return Waiting(
        groups=tuple(sorted(groups, key=lambda group: (-group.robots, group.code))),
        without_offer=without_offer,
        is_complete=counted < COUNTED_MAX,
    )


def _without(rows: Rows, rollout: Rollout, release: Release, now_s: float) -> list[tuple[str, str | None]]:
    door = Door(
        plan=rollout.plan,
        salt=rollout.salt,
        phase=rollout.phase,
        closed_by=closed_by(rows, rollout, release),
        version=release.version,
        open_assignments=rows.count_open(rollout.rollout_id),
        is_wave_full=is_wave_full(rows, rollout),
    )
    kept = kept_from(rows, release.release_id) if rollout.rolls_back is None else frozenset()
    recalled = None if rollout.rolls_back is None else rows.get(Release, rollout.rolls_back)
    newer = _newer(rows, rollout)
    by_the_clock = depends_on_time(rows, rollout.sku)
    found = []
    for robot in islice(rows.robots_without(rollout.rollout_id, rollout.sku), COUNTED_MAX):
        code: str | None
        if robot.newest_rollout_id in newer or (recalled is not None and robot.running_digest != recalled.digest):
            # Not this rollout's business any more.
            code = None
        else:
            code = refusal(door, robot.robot_id, robot.version, is_pinned=robot.robot_id in kept)
            if code is None and (
                robot.heard_at_s is None or now_s - robot.heard_at_s > rollout.plan.silence_deadline_s
            ):
                code = UNHEARD
            if code is None and by_the_clock:
                code = held_for(rows, rollout, release, robot.robot_id, now_s)
            code = code or DUE
        found.append((robot.robot_id, code))
    return found


def _newer(rows: Rows, rollout: Rollout) -> set[str]:
    known = [other.rollout_id for other in rows.find(Rollout, newest_first=True, sku=rollout.sku)]
    return set(known[: known.index(rollout.rollout_id)])
