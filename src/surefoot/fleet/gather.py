"""The facts of a rollout, derived from its robots: the database sorts out those that time may have changed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from surefoot.fleet.doors import open_door
from surefoot.fleet.health import RobotHealth, return_deadline_s
from surefoot.fleet.judge import judge_for, record_verdict
from surefoot.fleet.lacking import ELSEWHERE, NEWER, Asked, is_unheard, lacking
from surefoot.fleet.model import Assignment, Release, Rollout, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.way_back import count_led_back
from surefoot.rollout.decide import RolloutFacts
from surefoot.wire.report import STAGED

# A robot in one of these has come to the end of its assignment for now and holds no phase up.
_SETTLED = (Status.INSTALLED, Status.REFUSED, Status.DRIFTED, Status.SUPERSEDED)

_NOT_REACHED = frozenset({NEWER, ELSEWHERE, "excluded", "pinned", "phase-closed"})

# Robots read ahead together.
AHEAD = 1000
# Restarting and coming back takes no robot longer.
MISSING_S = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """How many robots behind a phase's open door have no assignment: those alive, and those that say nothing.

    Of those alive so many are `untrusting`: they do not trust the key that signed the release.
    """

    phase: int
    unreached: int
    unheard: int
    untrusting: int = 0


class Away(StrEnum):
    """What a robot is that did not come back from the restart into the release: perhaps switched off, or lost."""

    MISSING = "missing"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How a rollout's assignments stand that time alone may change.

    `failed` names who refused, rolled back for good or fell silent; `silent` counts the last of these. `missing` and
    `lost` are away since their restart into the release, longer than that takes or longer than they ever are.
    """

    updating: int
    failed: tuple[str, ...]
    silent: int = 0
    missing: int = 0
    lost: int = 0


# Surveys a rollout, or returns None when that is not done yet.
Count = Callable[[Rows, Rollout, Release, float], Survey | None]


def survey(rows: Rows, rollout: Rollout, release: Release, now_s: float) -> Survey:
    """Go through all robots of the sku that have no assignment from this rollout."""
    unreached, unheard, untrusting = 0, 0, 0
    door = open_door(rollout, release)
    for robot, code in lacking(rows, rollout, release, now_s, door, Asked(by_the_key=True)):
        # Whom a newer rollout took or a person keeps away is never reached: nobody must wait for it.
        if code in _NOT_REACHED:
            continue
        if is_unheard(rollout, robot, now_s):
            unheard += 1
        elif code in (None, "untrusted-key"):
            unreached += 1
            untrusting += code is not None
    return Survey(phase=rollout.phase, unreached=unreached, unheard=unheard, untrusting=untrusting)


def gather(
    rows: Rows,
    rollout: Rollout,
    release: Release,
    now_s: float,
    count: Count = survey,
    tally: Tally | None = None,
    installed: int | None = None,
) -> RolloutFacts | None:
    """Derive a rollout's facts from its robots; None when `count` knows nothing yet.

    `tally` is what judging them again found, and `installed` how many run the release; both are found out here if they
    are not known, and counting a million takes a while. While robots are updating or too many failed,
    nothing depends on who has not asked yet, and nobody counts them.
    """
    tally = tally or judge_again(rows, rollout, release, now_s)
    found: Survey | None = Survey(phase=rollout.phase, unreached=0, unheard=0)
    if not tally.updating and rollout.plan.allows(len(tally.failed)):
        found = count(rows, rollout, release, now_s)
    if found is None:
        return None
    return RolloutFacts(
        installed=count_installed(rows, rollout) if installed is None else installed,
        updating=tally.updating,
        unreached=found.unreached,
        unheard=found.unheard,
        failed=tally.failed,
        settled_at_s=rows.newest_change_s(rollout.rollout_id),
        led_back=count_led_back(rows, rollout),
        untrusting=found.untrusting,
    )


def count_installed(rows: Rows, rollout: Rollout) -> int:
    """Count the rollout's robots that run the release."""
    return rows.count_by_status(rollout.rollout_id).get(Status.INSTALLED, 0)


def judge_again(rows: Rows, rollout: Rollout, release: Release, now_s: float) -> Tally:
    """Judge the assignments anew that time alone may have changed, and count how they stand."""
    updating, silent, missing, lost, failed = 0, 0, 0, 0, []
    for stored in _with_robots(rows, rows.assignments_to_judge(rollout.rollout_id, now_s)):
        assignment, counts_as_failed = _latest(rows, rollout, release, stored, now_s)
        if counts_as_failed:
            failed.append(assignment.robot_id)
            silent += assignment.status is Status.SILENT
        elif assignment.status not in _SETTLED and not _claims(assignment):
            updating += 1
        if assignment.status in (Status.REBOOTING, Status.SILENT):
            away = _away(rows, rollout, assignment, now_s)
            missing += away is Away.MISSING
            lost += away is Away.LOST
    return Tally(updating=updating, failed=tuple(failed), silent=silent, missing=missing, lost=lost)


def _with_robots(rows: Rows, found: list[Assignment]) -> Iterator[Assignment]:
    """Yield the assignments, with what will be asked about their robots read ahead."""
    for first in range(0, len(found), AHEAD):
        page = found[first : first + AHEAD]
        rows.prefetch([assignment.robot_id for assignment in page])
        yield from page


def _away(rows: Rows, rollout: Rollout, assignment: Assignment, now_s: float) -> Away | None:
    """Return whether a robot that was to restart into the release is away for longer than that takes."""
    facts = rows.facts(assignment.robot_id)
    said = None if facts is None else facts.report.assignment
    if facts is None or said is None or said.id != assignment.assignment_id or said.state != STAGED:
        return None
    away_s = now_s - max(facts.heard_at_s, rollout.watched_since_s)
    if away_s <= MISSING_S:
        return None
    deadline_s = return_deadline_s(rows.get(RobotHealth, assignment.robot_id))
    return Away.LOST if away_s > deadline_s else Away.MISSING


def _claims(assignment: Assignment) -> bool:
    """Whether the robot names the wanted version without a digest: not installed for sure, but nothing to wait for."""
    return assignment.status is Status.UNKNOWN and not assignment.is_open and assignment.code is None


def _latest(
    rows: Rows, rollout: Rollout, release: Release, stored: Assignment, now_s: float
) -> tuple[Assignment, bool]:
    """Judge an assignment again where time alone can have changed it; the rest is as the last report left it."""
    assignment = _not_in_future(rows, stored, now_s)
    if assignment.status in (Status.INSTALLED, Status.DRIFTED, Status.SUPERSEDED) and not assignment.is_open:
        return assignment, False
    newest = rows.newest_assignment(assignment.robot_id)
    if newest is not None and newest.assignment_id != assignment.assignment_id:
        # The robot speaks of its newer assignment now; what it says of that one must not rewrite how this one ended.
        return assignment, assignment.status in (Status.ROLLED_BACK, Status.REFUSED)
    # On the way back from a recalled release each robot has a release of its own.
    own = release if assignment.release_id == release.release_id else rows.get(Release, assignment.release_id)
    judged = judge_for(rows, rollout, own or release, assignment, rows.facts(assignment.robot_id), now_s)
    return record_verdict(rows, judged, now_s), judged.verdict.failed


def _not_in_future(rows: Rows, assignment: Assignment, now_s: float) -> Assignment:
    """Bring back to now what a clock that was set back since left in the future: no soak could end before it."""
    if assignment.status_since_s <= now_s:
        return assignment
    healed = replace(assignment, status_since_s=now_s)
    rows.put_assignment(healed)
    return healed
