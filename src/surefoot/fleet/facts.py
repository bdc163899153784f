"""Keeping what a robot says: of its reports the greatest, and of a mere question what little it tells."""

from dataclasses import replace

from surefoot.fleet.health import note_report
from surefoot.fleet.model import Facts, HistoryEntry, Robot
from surefoot.fleet.ports import Rows
from surefoot.wire.report import CONFIRMED, TERMINAL_STATES, Report, SlotReport
from surefoot.wire.version import Version

# More resets than this and the oldest epoch is forgotten; a report from it would have to be years late.
PAST_EPOCHS_MAX = 16
# Where a robot that only asks for its version's successor stands until it reports.
POLL_EPOCH = "poll"


def take_report(rows: Rows, report: Report, now_s: float) -> tuple[Facts, bool]:
    """Store the report if it is the greatest seen; return the facts that hold now, and whether it is out of date.

    A robot that hears its own report is out of date, though it has just sent it, was set back behind what the fleet
    knows of it: it goes on in a new epoch, or nothing it says would ever count again.
    """
    known = rows.facts(report.robot_id)
    if known is None or known.report.epoch == POLL_EPOCH:
        facts = Facts(report=report, received_at_s=now_s, heard_at_s=now_s)
    elif report.epoch == known.report.epoch:
        said, greatest = (report.boot, report.seq), (known.report.boot, known.report.seq)
        if said <= greatest:
            # The same again is a copy, or an answer that got lost. No robot says two things under one number, unless
            # its storage was put back or it is two: it is out of date as well, or would be believed to be heard.
            return known, said < greatest or not _is_copy(report, known.report)
        facts = replace(known, report=report, received_at_s=now_s, heard_at_s=now_s)
    elif report.epoch in known.past_epochs:
        return known, True
    else:
        past_epochs = (known.report.epoch, *known.past_epochs)[:PAST_EPOCHS_MAX]
        facts = Facts(report=report, received_at_s=now_s, heard_at_s=now_s, past_epochs=past_epochs)
        why = "a factory reset, storage that was put back, or a second robot with its identity"
        text = f"Its counters started over (epoch {report.epoch} after {known.report.epoch}): {why}."
        rows.add_history(HistoryEntry(robot_id=report.robot_id, at_s=now_s, kind="reset", text=text))
    facts = _keep_ending(known, facts)
    note_report(rows, report, known, now_s)
    rows.put_facts(facts)
    return facts, False


def _is_copy(report: Report, known: Report) -> bool:
    """Whether this is what is known, where an ending may have been kept that the robot had forgotten."""
    said = report if report.assignment is not None else report.replace(assignment=known.assignment)
    return said == known


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


def take_poll(rows: Rows, robot: Robot, running: Version, now_s: float) -> Facts:
    """Record that a robot asked, and what little it said when it never said more; return the facts that hold now."""
    known = rows.facts(robot.robot_id)
    says_nothing_new = known is not None and known.report.running.version == str(running)
    if known is not None and (known.report.epoch != POLL_EPOCH or says_nothing_new):
        rows.set_heard(robot.robot_id, now_s)
        return replace(known, heard_at_s=now_s)
    slot = SlotReport(slot=POLL_EPOCH, version=str(running), digest=None, state=CONFIRMED)
    report = Report(
        robot_id=robot.robot_id,
        sku=robot.sku,
        epoch=POLL_EPOCH,
        boot=0,
        seq=0,
        running=slot,
        spare=None,
        assignment=None,
        version_floor=None,
        protocol=None,
        companion_version=None,
        trusted_keys=(),
        accepts=(),
        code=None,
    )
    facts = Facts(report=report, received_at_s=now_s, heard_at_s=now_s)
    rows.put_facts(facts)
    return facts
