"""A robot's contact with the fleet: facts in, answer out, in one transaction.

The answer to a report is derived from the facts the server holds after taking it, so an old or repeated report is
answered as well, and changes nothing.
"""

from collections.abc import Callable
from dataclasses import replace

from surefoot.fleet.deltas import delta_for
from surefoot.fleet.doors import Doors
from surefoot.fleet.download_time import with_download_time
from surefoot.fleet.facts import take_poll, take_report
from surefoot.fleet.health_place import follow
from surefoot.fleet.judge import Judged, judge, record_verdict
from surefoot.fleet.model import Assignment, Facts, HistoryEntry, Robot, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.reconcile import Order
from surefoot.fleet.settings import FleetSettings
from surefoot.rollout.membership import phase_of, position
from surefoot.wire.errors import Refused
from surefoot.wire.offer import Answer, Offer
from surefoot.wire.report import TERMINAL_STATES, Report
from surefoot.wire.version import Version

# Below half of this a reboot or a slow download would be asked for news more often than it has any.
_BUSY = (Status.WAITING, Status.DOWNLOADING, Status.VERIFYING, Status.REBOOTING, Status.ON_TRIAL)
# What a newer assignment leaves as it ended.
_ENDED = (Status.INSTALLED, Status.REFUSED, Status.DRIFTED)
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
    known = rows.facts(robot.robot_id)
    facts, stale = take_report(rows, report, now_s)
    said = facts.report.assignment
    acknowledged = said.id if said is not None and said.state in TERMINAL_STATES else None
    told = not stale and facts.received_at_s == now_s
    judged = _judged(rows, robot, facts, now_s, new_id, told=told)
    if judged is None:
        next_check_s = pace(robot, settings, busy=False)
        return Answer(acknowledged=acknowledged, offer=None, cancelled=None, stale=stale, next_check_s=next_check_s)
    if told:
        judged = _timed(rows, judged, known, facts, now_s)
    offer = _offer(rows, judged, facts, settings)
    if offer is not None:
        offer = offer.replace(delta=delta_for(rows, judged.release, facts.report, settings.public_url))
    return Answer(
        acknowledged=acknowledged,
        offer=offer,
        cancelled=judged.assignment.assignment_id if judged.verdict.next_order is Order.CANCEL else None,
        stale=stale,
        next_check_s=pace(robot, settings, busy=judged.verdict.status in _BUSY or offer is not None),
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
    facts = take_poll(rows, robot, running, now_s)
    judged = _judged(rows, robot, facts, now_s, new_id, running)
    if judged is None or judged.release.version == running:
        return None
    return _offer(rows, judged, facts, settings)


def _judged(
    rows: Rows,
    robot: Robot,
    facts: Facts | None,
    now_s: float,
    new_id: Callable[[], str],
    polled: Version | None = None,
    *,
    told: bool = False,
) -> Judged | None:
    """Return the recorded verdict on the robot's newest assignment, made now if a newer rollout's door is open.

    The one it has is judged first: how it ended is recorded before another takes its place.
    """
    current = rows.newest_assignment(robot.robot_id)
    judged = None if current is None else _recorded(rows, current, facts, now_s, told=told)
    # Nothing is begun while an image is on trial, and its end would be recorded nowhere.
    if judged is not None and judged.verdict.status in _TRYING:
        return judged
    running = polled or (None if facts is None else facts.running_version)
    trusted = () if facts is None else facts.report.trusted_keys
    newer = _assign(rows, robot, judged, running, trusted, now_s, new_id)
    return judged if newer is None else _recorded(rows, newer, facts, now_s)


def _recorded(rows: Rows, assignment: Assignment, facts: Facts | None, now_s: float, *, told: bool = False) -> Judged:
    judged = judge(rows, assignment, facts, now_s, told=told)
    return replace(judged, assignment=record_verdict(rows, judged, now_s))


def _timed(rows: Rows, judged: Judged, known: Facts | None, facts: Facts, now_s: float) -> Judged:
    """Record what the robot's newest word tells of its download."""
    before = None if known is None else known.report.assignment
    is_offered = judged.verdict.next_order is Order.OFFER
    timed = with_download_time(judged.assignment, before, facts.report.assignment, now_s, is_offered=is_offered)
    if timed == judged.assignment:
        return judged
    rows.put_assignment(timed)
    return replace(judged, assignment=timed)


def _assign(
    rows: Rows,
    robot: Robot,
    judged: Judged | None,
    running: Version | None,
    trusted: tuple[str, ...],
    now_s: float,
    new_id: Callable[[], str],
) -> Assignment | None:
    """Give the robot to the newest rollout whose door is open for it; None when that has it or there is none."""
    current = None if judged is None else judged.assignment
    entrance = Doors(rows, now_s).find(robot, current, running, trusted).entrance
    if entrance is None:
        return None
    assignment = Assignment(
        assignment_id=new_id(),
        rollout_id=entrance.rollout.rollout_id,
        release_id=entrance.release.release_id,
        robot_id=robot.robot_id,
        assigned_at_s=now_s,
        attempt=1,
        status=Status.WAITING,
        code=None,
        status_since_s=now_s,
        installed_at_s=None,
        is_open=True,
        force=entrance.rollout.force,
        rollback=entrance.rollout.rolls_back is not None,
        phase=phase_of(entrance.rollout.plan, entrance.rollout.salt, robot.robot_id),
    )
    rows.add_assignment(assignment)
    follow(rows, assignment, now_s)
    if judged is not None:
        _close(rows, judged, now_s)
    text = f"Assigned {entrance.release.version} by rollout {entrance.rollout.rollout_id}."
    rows.add_history(HistoryEntry(robot_id=robot.robot_id, at_s=now_s, kind="assigned", text=text))
    return assignment


def _close(rows: Rows, judged: Judged, now_s: float) -> None:
    """Let go of an assignment whose place a newer one took: as it ended, or as superseded where it had not."""
    current = judged.assignment
    # A rollback that was worth another try was not its end.
    went_back = current.status is Status.ROLLED_BACK and judged.verdict.failed
    if went_back or current.status in _ENDED:
        rows.put_assignment(replace(current, is_open=False))
    else:
        rows.put_assignment(replace(current, status=Status.SUPERSEDED, status_since_s=now_s, is_open=False))


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
        delta=None,
    )


def pace(robot: Robot, settings: FleetSettings, *, busy: bool) -> int:
    """Return when the robot should ask again; robots enrolled together are spread by their ids."""
    if busy:
        return settings.busy_check_s
    spread = position(b"pace", robot.robot_id) * 2 - 1
    return round(settings.next_check_s + spread * settings.next_check_jitter_s)
