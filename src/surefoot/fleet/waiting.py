"""Who waits in a rollout and why: the robots without the release, counted by the refusal that keeps each from it."""

from collections import defaultdict
from dataclasses import dataclass

from surefoot.fleet.doors import door_of
from surefoot.fleet.lacking import ELSEWHERE, NEWER, Asked, is_unheard, lacking
from surefoot.fleet.model import Release, Rollout, Status
from surefoot.fleet.ports import Rows
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
    NEWER: "A newer rollout has the robot: of several rollouts the newest open door wins.",
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

    `without_offer` counts the robots that the rollout still has to reach; of the others in the groups a newer rollout
    has some, and the rest have an offer.
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
    door = door_of(rows, rollout, release)
    asked = Asked(by_the_clock=True, by_the_key=True, looked_at_max=COUNTED_MAX)
    for robot, kept_by in lacking(rows, rollout, release, now_s, door, asked):
        counted += 1
        if kept_by == ELSEWHERE:
            continue
        code = kept_by or DUE
        if kept_by in (None, "outside-window") and is_unheard(rollout, robot, now_s):
            code = UNHEARD
        without_offer += code != NEWER
        found[code].append(robot.robot_id)
    groups = [
        Group(code=code, why=WORDS.get(code, code), robots=len(ids), robot_ids=tuple(ids[:NAMED_MAX]))
        for code, ids in found.items()
    ]
    return Waiting(
        groups=tuple(sorted(groups, key=lambda group: (-group.robots, group.code))),
        without_offer=without_offer,
        is_complete=counted < COUNTED_MAX,
    )
