"""The meeting of a device made for AWS IoT Jobs with the fleet: its updates become facts, offers become its jobs.

Such a device says less than a report does. What it says is put into a report on its behalf, in an epoch of its own, so
that one table judges all robots and a rollout may hold both kinds.
"""

from collections.abc import Callable
from dataclasses import dataclass

from surefoot.fleet.aws_document import job_id_of
from surefoot.fleet.aws_evidence import HAS_TRIED, Runs, Signal, find_row, version_text
from surefoot.fleet.aws_jobs import JobExecution, cancel, pending
from surefoot.fleet.aws_limits import EPOCH, job_document
from surefoot.fleet.aws_own_agent import own_word
from surefoot.fleet.aws_stream_access import is_taken_back
from surefoot.fleet.aws_words import JobStatus
from surefoot.fleet.exchange import exchange
from surefoot.fleet.model import HistoryEntry, Release, Robot
from surefoot.fleet.ports import Rows
from surefoot.fleet.settings import FleetSettings
from surefoot.wire import report as wire
from surefoot.wire.errors import Refused
from surefoot.wire.offer import Answer, Offer
from surefoot.wire.report import AssignmentReport, Report, SlotReport

SLOT = "aws"
# One assignment is tried this often at most, whatever its plan allows.
JOBS_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """What a device has to do, before and after something happened: notices go out where they differ."""

    before: tuple[JobExecution, ...]
    after: tuple[JobExecution, ...]

    @property
    def next_changed(self) -> bool:
        """Whether another job is next, or none is any more."""
        return _first_id(self.before) != _first_id(self.after)

    @property
    def list_changed(self) -> bool:
        """Whether a job came or went."""
        return {known.job_id for known in self.before} != {known.job_id for known in self.after}


def meet(
    rows: Rows,
    robot: Robot,
    now_s: float,
    settings: FleetSettings,
    new_id: Callable[[], str],
    said: tuple[JobExecution, Signal] | None = None,
    *,
    heard: bool = True,
) -> Jobs:
    """Take what a device has said, judge it, and bring its jobs in line with what it should run.

    Args:
        rows: The transaction's rows.
        robot: The device.
        now_s: Unix seconds.
        settings: The public address and the pace.
        new_id: Makes an id for a new assignment.
        said: The execution it updated and what that tells; None when it only asks.
        heard: Whether it is there, rather than only looked at because something was decided.
    """
    before = tuple(pending(rows, robot.robot_id))
    report = _report(rows, robot, said, heard=heard)
    answer = exchange(rows, robot, report, now_s, settings, new_id)
    _align(rows, robot, answer, settings, now_s)
    return Jobs(before=before, after=tuple(pending(rows, robot.robot_id)))


def _report(rows: Rows, robot: Robot, said: tuple[JobExecution, Signal] | None, *, heard: bool) -> Report:
    known = rows.facts(robot.robot_id)
    before = known if known is not None and known.report.epoch == EPOCH else None
    if before is None:
        first = SlotReport(slot=SLOT, version=None, digest=None, state=wire.CONFIRMED)
        report = _first_report(robot, first)
    else:
        # The same again is no news.
        report = before.report.replace(seq=before.report.seq + 1) if heard else before.report
    if said is None:
        return report
    execution, signal = said
    own = own_word(execution.details, SLOT)
    if own is not None:
        return report.replace(
            running=own.running, assignment=_assignment(rows, execution, own.state, own.code, own.attempts)
        )
    row = find_row(signal, ready=execution.ready_details is not None, active=execution.active)
    release = rows.get(Release, execution.release_id)
    running = _running(rows, robot, execution, row.runs, release, report.running, confirmed=row.confirmed)
    return report.replace(running=running, assignment=_assignment(rows, execution, row.state, row.code))


def _assignment(
    rows: Rows, execution: JobExecution, state: str | None, code: str | None, attempts: int | None = None
) -> AssignmentReport | None:
    if state is None:
        return None
    if attempts is None:
        attempts = len(_executions(rows, execution.robot_id, execution.assignment_id))
    return AssignmentReport(id=execution.assignment_id, state=state, attempts=attempts, received_bytes=0, code=code)


def _running(
    rows: Rows,
    robot: Robot,
    execution: JobExecution,
    runs: Runs,
    release: Release | None,
    known: SlotReport,
    *,
    confirmed: bool,
) -> SlotReport:
    state = wire.CONFIRMED if confirmed else wire.TRIAL
    match runs:
        case Runs.WANTED if release is not None:
            return SlotReport(slot=SLOT, version=str(release.version), digest=release.digest, state=state)
        case Runs.OTHER:
            version = version_text((execution.ready_details or {}).get("updatedBy")) or known.version
            if release is not None and known.digest == release.digest:
                # It ran the wanted image on trial and is back on the one from before, which only has a version.
                known = known.replace(digest=None)
            if version == known.version and known.digest is not None:
                return known.replace(state=wire.CONFIRMED)
            return SlotReport(
                slot=SLOT, version=version, digest=_digest_of(rows, robot, version, release), state=wire.CONFIRMED
            )
        case _:
            return SlotReport(slot=SLOT, version=None, digest=None, state=wire.CONFIRMED)


def _digest_of(rows: Rows, robot: Robot, version: str | None, wanted: Release | None) -> str | None:
    """Return the digest of the release of this version, where the fleet has one that is not the wanted one."""
    for release in rows.find(Release, sku=robot.sku):
        if str(release.version) == version and (wanted is None or release.digest != wanted.digest):
            return release.digest
    return None


def _first_report(robot: Robot, running: SlotReport) -> Report:
    return Report(
        robot_id=robot.robot_id,
        sku=robot.sku,
        epoch=EPOCH,
        boot=0,
        seq=1,
        running=running,
        spare=None,
        assignment=None,
        version_floor=None,
        protocol=None,
        companion_version=None,
        trusted_keys=(),
        accepts=(),
        code=None,
    )


def _executions(rows: Rows, robot_id: str, assignment_id: str) -> list[JobExecution]:
    return rows.find(JobExecution, robot_id=robot_id, assignment_id=assignment_id)


def _align(rows: Rows, robot: Robot, answer: Answer, settings: FleetSettings, now_s: float) -> None:
    """Take back what the device should not do any more, and queue the job of an offer that it has not got yet."""
    newest = rows.newest_assignment(robot.robot_id)
    is_closed = newest is not None and is_taken_back(rows, newest)
    for known in pending(rows, robot.robot_id):
        is_current = newest is not None and known.assignment_id == newest.assignment_id
        # What is offered no more is not begun any more. What has begun ends, unless it was stopped for cause.
        is_stopped = answer.offer is None and (known.status is JobStatus.QUEUED or is_closed)
        # On trial it would reset for want of a job, or keep the image and be told that this is no news.
        is_on_trial = is_current and known.active in HAS_TRIED
        if not is_on_trial and (not is_current or is_stopped or answer.cancelled == known.assignment_id):
            cancel(rows, known, now_s)
    if answer.offer is not None and not pending(rows, robot.robot_id):
        _queue(rows, robot, answer.offer, settings, now_s)


def _queue(rows: Rows, robot: Robot, offer: Offer, settings: FleetSettings, now_s: float) -> None:
    release = rows.get(Release, offer.release or "")
    earlier = _executions(rows, robot.robot_id, offer.id)
    # What never says what it runs would be sent the same image for ever.
    if release is None or sum(known.started_at_s is not None for known in earlier) >= JOBS_MAX:
        return
    job_id = job_id_of(offer.id, len(earlier) + 1)
    try:
        document = job_document(rows, release, job_id, settings)
    except Refused as error:
        _tell_once(rows, robot, f"No job for {release.version}: {error.message} [{error.code}]", now_s)
        return
    rows.put(
        JobExecution(
            job_id=job_id,
            robot_id=robot.robot_id,
            assignment_id=offer.id,
            release_id=release.release_id,
            document=document,
            queued_at_s=now_s,
            updated_at_s=now_s,
        )
    )


def _tell_once(rows: Rows, robot: Robot, text: str, now_s: float) -> None:
    newest = rows.history(robot.robot_id, 5)
    if all(entry.text != text for entry in newest):
        rows.add_history(HistoryEntry(robot_id=robot.robot_id, at_s=now_s, kind="job", text=text))


def _first_id(jobs: tuple[JobExecution, ...]) -> str | None:
    return jobs[0].job_id if jobs else None
