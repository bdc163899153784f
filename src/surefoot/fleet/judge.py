"""Reconcile applied to rows: gathers what `reconcile` needs, and keeps the record of what it said."""

from dataclasses import dataclass, replace

from surefoot.fleet.doors import closed_by, held_for
from surefoot.fleet.health_place import follow
from surefoot.fleet.model import Assignment, Facts, HistoryEntry, Release, Rollout, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.reconcile import Order, Record, Verdict, Wanted, reconcile
from surefoot.wire.errors import Damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An assignment with everything its verdict was derived from."""

    assignment: Assignment
    release: Release
    rollout: Rollout
    verdict: Verdict


def judge(rows: Rows, assignment: Assignment, facts: Facts | None, now_s: float, *, told: bool = False) -> Judged:
    """Derive the verdict on one assignment from the latest facts; nothing is written.

    `told` means that the robot has said them just now: what they do not speak of, it does not have.
    """
    release = rows.get(Release, assignment.release_id)
    rollout = rows.get(Rollout, assignment.rollout_id)
    if release is None or rollout is None:
        raise Damaged("damaged-assignment", f"Assignment {assignment.assignment_id} has no release: restore a backup.")
    return judge_for(rows, rollout, release, assignment, facts, now_s, told=told)


def judge_for(
    rows: Rows,
    rollout: Rollout,
    release: Release,
    assignment: Assignment,
    facts: Facts | None,
    now_s: float,
    *,
    told: bool = False,
) -> Judged:
    """Derive the verdict where rollout and release are known already."""
    wanted = Wanted(
        assignment_id=assignment.assignment_id,
        digest=release.digest,
        version=release.version,
        # Installed once more it is done, whatever the robot forgets of it later.
        force=assignment.force and assignment.installed_at_s is None,
    )
    record = Record(
        assigned_at_s=assignment.assigned_at_s,
        installed_before=assignment.installed_at_s is not None,
        attempts_max=rollout.plan.attempts_max,
        silence_deadline_s=rollout.plan.silence_deadline_s,
        repair_drift=rollout.plan.repair_drift,
        # An outage excuses those who could not report in it; who was silent before stays so until it speaks.
        watched_since_s=0.0 if assignment.status is Status.SILENT else rollout.watched_since_s,
        held=closed_by(rows, rollout, release),
        # While a rollout is paused, an offer made before may still be taken: others must not get its place meanwhile.
        keeps_place=assignment.is_open and not told,
    )
    verdict = reconcile(wanted, facts, record, now_s)
    if verdict.next_order is Order.OFFER:
        held = held_for(rows, rollout, release, assignment.robot_id, now_s)
        # A second try needs a place like the first: those who had theirs and went back do not come on top.
        if held is None and not assignment.is_open and rows.count_open(rollout.rollout_id) >= rollout.plan.capacity:
            held = "at-capacity"
        if held is not None:
            verdict = reconcile(wanted, facts, replace(record, held=held), now_s)
    return Judged(assignment=assignment, release=release, rollout=rollout, verdict=verdict)


def record_verdict(rows: Rows, judged: Judged, now_s: float) -> Assignment:
    """Store the verdict if it differs from the last one, and tell the change in the robot's history."""
    before, verdict = judged.assignment, judged.verdict
    if (before.status, before.code, before.is_open) == (verdict.status, verdict.code, verdict.is_open):
        return before
    installed_at_s = before.installed_at_s
    if verdict.status is Status.INSTALLED and installed_at_s is None:
        installed_at_s = now_s
    moved = before.status is not verdict.status
    after = replace(
        before,
        status=verdict.status,
        code=verdict.code,
        status_since_s=now_s if moved else before.status_since_s,
        installed_at_s=installed_at_s,
        is_open=verdict.is_open,
    )
    rows.put_assignment(after)
    if moved:
        follow(rows, after, now_s)
    if (before.status, before.code) != (verdict.status, verdict.code):
        rows.add_history(_entry(judged, now_s))
    return after


# What was once recorded of these turns out otherwise when the robot speaks again: that is a correction, not progress.
_ENDED = (Status.INSTALLED, Status.ROLLED_BACK, Status.REFUSED, Status.SILENT)


def _entry(judged: Judged, now_s: float) -> HistoryEntry:
    before, verdict = judged.assignment, judged.verdict
    # Silence says nothing new of what runs.
    corrected = before.status in _ENDED and verdict.status not in (before.status, Status.SILENT)
    code = f" ({verdict.code})" if verdict.code else ""
    was = f", recorded as {before.status} before" if corrected else ""
    return HistoryEntry(
        robot_id=before.robot_id,
        at_s=now_s,
        kind="correction" if corrected else "status",
        text=f"{judged.release.version}: {verdict.status}{code}{was}. {verdict.reason}",
    )
