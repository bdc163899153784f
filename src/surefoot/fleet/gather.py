"""The facts of a rollout, derived from its robots one by one."""

from dataclasses import replace

from surefoot.fleet.judge import judge_for, record_verdict
from surefoot.fleet.model import Assignment, Release, Rollout, Status
from surefoot.fleet.ports import Rows
from surefoot.rollout.decide import RolloutFacts
from surefoot.rollout.door import Door, refusal

# A robot in one of these has come to the end of its assignment for now and holds no phase up.
_SETTLED = (Status.INSTALLED, Status.REFUSED, Status.DRIFTED, Status.SUPERSEDED)


def gather(rows: Rows, rollout: Rollout, release: Release, now_s: float) -> RolloutFacts:
    """Derive a rollout's facts from its robots, bringing the record of silent ones up to date on the way."""
    assignments = rows.assignments(rollout.rollout_id)
    installed, updating, failed, settled_at_s = 0, 0, [], 0.0
    for stored in assignments:
        assignment, counts_as_failed = _latest(rows, rollout, release, stored, now_s)
        if counts_as_failed:
            failed.append(assignment.robot_id)
        elif assignment.status in _SETTLED or _claims(assignment):
            installed += assignment.status is Status.INSTALLED
        else:
            updating += 1
        settled_at_s = max(settled_at_s, assignment.status_since_s)
    reached = {known.robot_id for known in assignments}
    unreached, unheard = _count_without(rows, rollout, release, reached, now_s)
    return RolloutFacts(
        installed=installed,
        updating=updating,
        unreached=unreached,
        unheard=unheard,
        failed=tuple(failed),
        settled_at_s=settled_at_s,
    )


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
    judged = judge_for(rows, rollout, release, assignment, rows.facts(assignment.robot_id), now_s)
    return record_verdict(rows, judged, now_s), judged.verdict.failed


def _not_in_future(rows: Rows, assignment: Assignment, now_s: float) -> Assignment:
    """Bring back to now what a clock that was set back since left in the future: no soak could end before it."""
    if assignment.status_since_s <= now_s:
        return assignment
    healed = replace(assignment, status_since_s=now_s)
    rows.put_assignment(healed)
    return healed


def _count_without(rows: Rows, rollout: Rollout, release: Release, reached: set[str], now_s: float) -> tuple[int, int]:
    """Count robots behind the open doors without an assignment from this rollout: those alive, and those unheard."""
    door = Door(
        plan=rollout.plan,
        salt=rollout.salt,
        phase=rollout.phase,
        closed_by=None,
        version=release.version,
        open_assignments=0,
    )
    newer = _newer_rollout_ids(rows, rollout)
    unreached, unheard = 0, 0
    for robot_id in rows.robot_ids(rollout.sku):
        if robot_id in reached or refusal(door, robot_id, None) is not None:
            continue
        # A robot that a newer rollout took is never asked by this one, and must not hold it up for ever.
        taken = rows.newest_assignment(robot_id) if newer else None
        if taken is not None and taken.rollout_id in newer:
            continue
        facts = rows.facts(robot_id)
        if facts is None or now_s - facts.heard_at_s > rollout.plan.silence_deadline_s:
            unheard += 1
        elif refusal(door, robot_id, facts.running_version) is None:
            unreached += 1
    return unreached, unheard


def _newer_rollout_ids(rows: Rows, rollout: Rollout) -> set[str]:
    newest_first = [known.rollout_id for known in rows.find(Rollout, newest_first=True, sku=rollout.sku)]
    return set(newest_first[: newest_first.index(rollout.rollout_id)])
