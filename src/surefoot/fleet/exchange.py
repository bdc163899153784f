"""A robot's contact with the fleet: facts in, answer out, in one transaction.

The answer to a report is derived from the facts the server holds after taking it, so an old or repeated report is
answered as well, and changes nothing.
"""

from collections.abc import Callable
from dataclasses import replace

from surefoot.fleet.judge import CLOSED_BY, Judged, judge, record_verdict
from surefoot.fleet.model import OPEN_STATUSES, Assignment, Facts, HistoryEntry, Robot, Rollout, RolloutState, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.reconcile import Order
from surefoot.fleet.settings import FleetSettings
from surefoot.rollout.door import Door, refusal
from surefoot.rollout.membership import position
from surefoot.wire.errors import Refused
from surefoot.wire.offer import Answer, Offer
from surefoot.wire.report import TERMINAL_STATES, Report
from surefoot.wire.version import Version

# More resets than this and the oldest epoch is forgotten; a report from it would have to be years late.
PAST_EPOCHS_MAX = 16
# Below half of this a reboot or a slow download would be asked for news more often than it has any.
_BUSY = (Status.WAITING, Status.DOWNLOADING, Status.VERIFYING, Status.REBOOTING, Status.ON_TRIAL)
# Past these the robot has an end to tell, whatever it is offered meanwhile.
_TRYING = (Status.REBOOTING, Status.ON_TRIAL)


def exchange(
    rows: Rows, robot: Robot, report: Report, now_s: float, settings: FleetSettings, new_id: Callable[[], str]
) -> Answer:
    """Take an authenticated robot's report and answer it.

    Args:
        rows: The transaction's rows.
        robot: The robot whose credentials came with the report.
        report: What it says.
        now_s: Unix seconds.
        settings: The public address and the pace.
        new_id: Makes an id for a new assignment.

    Raises:
        Refused: `refused-robot-mismatch`, `refused-sku-mismatch`.
    """
    if report.robot_id != robot.robot_id:
        detail = f"Robot {robot.robot_id} sent a report of {report.robot_id}: each robot speaks for itself."
        raise Refused("refused-robot-mismatch", detail)
    if report.sku != robot.sku:
        detail = f"Robot {robot.robot_id} is enrolled as {robot.sku} and reports {report.sku}: correct one of them."
        raise Refused("refused-sku-mismatch", detail)
    facts = take_report(rows, report, now_s)
    said = facts.report.assignment
    acknowledged = said.id if said is not None and said.state in TERMINAL_STATES else None
    judged = _judged(rows, robot, facts, now_s, new_id)
    if judged is None:
        return Answer(acknowledged=acknowledged, offer=None, next_check_s=_pace(robot, settings, busy=False))
    offer = _offer(rows, judged, facts, settings)
    return Answer(
        acknowledged=acknowledged,
        offer=offer,
        next_check_s=_pace(robot, settings, busy=judged.verdict.status in _BUSY or offer is not None),
    )


def poll(
    rows: Rows,
    robot: Robot,
    sku: str,
    version: str,
    now_s: float,
    settings: FleetSettings,
    new_id: Callable[[], str],
) -> Offer | None:
    """Answer a robot that only asks, naming its sku and version, with an offer or None.

    It says too little for a verdict: without a digest its status stays unknown, and a version equal to the wanted
    one is taken for "has it" only here, where the alternative is to send the same image for ever.

    Raises:
        Refused: `refused-sku-mismatch`, `refused-version-format`.
    """
    if sku != robot.sku:
        detail = f"Robot {robot.robot_id} is enrolled as {robot.sku} and asks for {sku}: correct one of them."
        raise Refused("refused-sku-mismatch", detail)
    running = Version.parse(version)
    rows.set_heard(robot.robot_id, now_s)
    facts = rows.facts(robot.robot_id)
    judged = _judged(rows, robot, facts, now_s, new_id, running)
    if judged is None or judged.release.version == running:
        return None
    return _offer(rows, judged, facts, settings)


def take_report(rows: Rows, report: Report, now_s: float) -> Facts:
    """Store the report if it is the greatest seen, and return the facts that hold now."""
    known = rows.facts(report.robot_id)
    if known is None:
        facts = Facts(report=report, received_at_s=now_s, heard_at_s=now_s)
    elif report.epoch == known.report.epoch:
        if (report.boot, report.seq) <= (known.report.boot, known.report.seq):
            return known
        facts = replace(known, report=report, received_at_s=now_s, heard_at_s=now_s)
    elif report.epoch in known.past_epochs:
        return known
    else:
        past_epochs = (known.report.epoch, *known.past_epochs)[:PAST_EPOCHS_MAX]
        facts = Facts(report=report, received_at_s=now_s, heard_at_s=now_s, past_epochs=past_epochs)
        text = f"Its counters started over (epoch {report.epoch} after {known.report.epoch}): a factory reset."
        rows.add_history(HistoryEntry(robot_id=report.robot_id, at_s=now_s, kind="reset", text=text))
    facts = _keep_ending(known, facts)
    rows.put_facts(facts)
    return facts


def _keep_ending(known: Facts | None, facts: Facts) -> Facts:
    """Keep what the robot last said of its assignment when it has forgotten it within one epoch.

    A robot may drop an ending once the server acknowledged it; the ending stays true all the same.
    """
    if known is None or facts.report.assignment is not None or facts.report.epoch != known.report.epoch:
        return facts
    ending = known.report.assignment
    if ending is None or ending.state not in TERMINAL_STATES:
        return facts
    return replace(facts, report=facts.report.replace(assignment=ending))


def _judged(
    rows: Rows,
    robot: Robot,
    facts: Facts | None,
    now_s: float,
    new_id: Callable[[], str],
    polled: Version | None = None,
) -> Judged | None:
    """Return the recorded verdict on the robot's newest assignment, made now if a newer rollout's door is open.

    The one it has is judged first: how it ended is recorded before another takes its place.
    """
    current = rows.newest_assignment(robot.robot_id)
    judged = None if current is None else _recorded(rows, current, facts, now_s)
    # Nothing is begun while an image is on trial, and its end would be recorded nowhere.
    if judged is not None and judged.verdict.status in _TRYING:
        return judged
    running = polled or (None if facts is None else facts.running_version)
    newer = _assign(rows, robot, None if judged is None else judged.assignment, running, now_s, new_id)
    return judged if newer is None else _recorded(rows, newer, facts, now_s)


def _recorded(rows: Rows, assignment: Assignment, facts: Facts | None, now_s: float) -> Judged:
    judged = judge(rows, assignment, facts, now_s)
    return replace(judged, assignment=record_verdict(rows, judged, now_s))


def _assign(
    rows: Rows,
    robot: Robot,
    current: Assignment | None,
    running: Version | None,
    now_s: float,
    new_id: Callable[[], str],
) -> Assignment | None:
    """Give the robot to the newest rollout whose door is open for it; None when that has it or there is none."""
    for rollout in rows.rollouts_for(robot.sku):
        if current is not None and current.rollout_id == rollout.rollout_id:
            return None
        release = rows.release(rollout.release_id)
        if release is None or refusal(_door(rows, rollout, release.version), robot.robot_id, running) is not None:
            continue
        assignment = Assignment(
            assignment_id=new_id(),
            rollout_id=rollout.rollout_id,
            release_id=rollout.release_id,
            robot_id=robot.robot_id,
            assigned_at_s=now_s,
            attempt=1,
            status=Status.WAITING,
            code=None,
            status_since_s=now_s,
            installed_at_s=None,
        )
        rows.put_assignment(assignment)
        if current is not None and current.status in OPEN_STATUSES:
            rows.put_assignment(replace(current, status=Status.SUPERSEDED, status_since_s=now_s))
        text = f"Assigned {release.version} by rollout {rollout.rollout_id}."
        rows.add_history(HistoryEntry(robot_id=robot.robot_id, at_s=now_s, kind="assigned", text=text))
        return assignment
    return None


def _door(rows: Rows, rollout: Rollout, version: Version) -> Door:
    return Door(
        plan=rollout.plan,
        salt=rollout.salt,
        phase=rollout.phase,
        closed_by=CLOSED_BY.get(rollout.state),
        version=version,
        open_assignments=0 if rollout.state is RolloutState.FINISHED else rows.count_open(rollout.rollout_id),
    )


def _offer(rows: Rows, judged: Judged, facts: Facts | None, settings: FleetSettings) -> Offer | None:
    if judged.verdict.next_order is not Order.OFFER:
        return None
    assignment = judged.assignment
    said = None if facts is None else facts.report.assignment
    attempt = said.attempts + 1 if said is not None and said.id == assignment.assignment_id else 1
    if attempt > assignment.attempt:
        rows.put_assignment(replace(assignment, attempt=attempt))
    release = judged.release
    return Offer(
        id=assignment.assignment_id,
        url=f"{settings.public_url}/v1/images/{release.sha256}",
        sha256=release.sha256,
        size_bytes=release.size_bytes,
        digest=release.digest,
        version=release.version,
        sku=release.sku,
        release=release.release_id,
        manifest=release.manifest,
        force=assignment.force,
        rollback=assignment.rollback,
        attempt=attempt,
    )


def _pace(robot: Robot, settings: FleetSettings, *, busy: bool) -> int:
    """Return when the robot should ask again; robots enrolled together are spread by their ids."""
    if busy:
        return settings.busy_check_s
    spread = position(b"pace", robot.robot_id) * 2 - 1
    return round(settings.next_check_s + spread * settings.next_check_jitter_s)
