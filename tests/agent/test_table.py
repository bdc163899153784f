"""The state machine as data, and whole updates walked through it with the exact trace of effects."""

import sys

from agent import agent_case as case
from agent.agent_case import OFFER, Robot, answer
from support import code_of
from surefoot.agent import effects as do
from surefoot.agent import events as on
from surefoot.agent.resume import RESUME
from surefoot.agent.table import REST, TABLE, advance
from surefoot.wire.journal import STATES
from surefoot.wire.report import CONFIRMED, IN_PROGRESS_STATES, INSTALLED, TRIAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def subclasses(module: "Any", base: "Any") -> "set[Any]":
    found = [getattr(module, name) for name in dir(module)]
    return {item for item in found if isinstance(item, type) and issubclass(item, base) and item is not base}


def test_no_state_has_two_rows_for_one_event() -> None:
    pairs = [(state, row.event) for row in TABLE for state in row.states]
    assert len(pairs) == len(set(pairs))


def test_every_event_has_a_row_but_the_boot_which_has_a_table_of_its_own() -> None:
    assert {row.event for row in TABLE} == subclasses(on, on.Event) - {on.Booted}


def test_rows_name_only_states_that_a_journal_can_hold() -> None:
    for row in TABLE:
        assert row.states and row.leads_to
        assert set(row.states) <= set(STATES) and set(row.leads_to) <= set(STATES)


def test_every_state_is_left_and_reached() -> None:
    # The bootloader's part of the way is the resume table's: from staged to trial, and from a trial back.
    moves = {(state, target) for row in TABLE for state in row.states for target in row.leads_to}
    for row in RESUME:
        if row.resume_as in STATES:
            moves |= {(state, row.resume_as) for state in row.journal or STATES}
    reached = set(REST)
    while True:
        further = {target for state, target in moves if state in reached} - reached
        if not further:
            break
        reached |= further
    assert reached == set(STATES)
    for state in STATES:
        assert [target for start, target in moves if start == state and target != state], state


def test_every_state_knows_what_to_do_when_the_report_after_a_boot_was_answered_or_not() -> None:
    for event in (on.Answered, on.Unreachable):
        assert {state for row in TABLE if row.event is event for state in row.states} == set(STATES)


def test_every_handler_says_what_it_does() -> None:
    if sys.implementation.name == "micropython":  # which keeps no docstrings
        return
    for row in TABLE:
        assert row.handler.__doc__, row.handler


def test_an_event_without_a_row_is_a_programmers_mistake() -> None:
    robot = Robot()
    robot.boots()
    assert code_of(advance, robot.state, on.SelfTestPassed()) == "misuse-transition"


INSTALL = (
    ("it boots", "SaveJournal Exchange"),
    ("it is offered the new image", "SaveJournal StopFetch Preflight"),
    ("it may be updated", "PrepareSpare Fetch"),
    ("the header", ""),
    ("chunk 1", "EraseBlock WriteChunk"),
    ("chunk 2 ends a block", "WriteChunk SaveJournal"),
    ("chunk 3", "EraseBlock WriteChunk"),
    ("chunk 4 ends a block", "WriteChunk SaveJournal"),
    ("chunk 5 ends the image", "EraseBlock WriteChunk SaveJournal StopFetch Preflight"),
    ("it may still be updated", "DigestSpare"),
    ("the image is good", "Preflight"),
    ("it may restart", "SaveJournal Exchange"),
    ("the server knows", "SetBootSlot Reboot"),
    ("it boots the new image", "SaveJournal Exchange"),
    ("the server knows", "RunSelfTest"),
    ("the self-test passes", "SaveJournal Confirm"),
    ("it reads back as confirmed", "SaveJournal Exchange"),
    ("the server acknowledges", "SaveJournal ScheduleCheck"),
    ("the next check", "Exchange"),
    ("the server acknowledges again", "ScheduleCheck"),
)


def walk_an_install(robot: Robot) -> "list[str]":
    trace = [robot.boots(), robot.on(answer(OFFER)), robot.on(on.PreflightPassed())]
    trace.extend(robot.receive(case.NEW_FILE))
    trace.append(robot.on(on.PreflightPassed()))
    trace.append(robot.on(case.digested(case.NEW_FILE)))
    trace.append(robot.on(on.PreflightPassed()))
    trace.append(robot.on(answer()))
    trace.append(robot.boots(case.runs_new()))
    trace.append(robot.on(answer()))
    trace.append(robot.on(on.SelfTestPassed()))
    trace.append(robot.on(on.Confirmed(slots=case.runs_new(CONFIRMED))))
    trace.append(robot.on(answer(acknowledged=OFFER.id)))
    trace.append(robot.on(on.CheckDue()))
    trace.append(robot.on(answer(acknowledged=OFFER.id)))
    return trace


def test_an_update_from_offer_to_acknowledgement() -> None:
    robot = Robot()
    assert walk_an_install(robot) == [effects for _, effects in INSTALL]
    assert bytes(robot.spare[: len(case.NEW)]) == case.NEW
    assert robot.journal.state == INSTALLED and robot.journal.acknowledged


def test_reports_say_on_the_way_what_is_so_and_can_be_put_in_order() -> None:
    robot = Robot()
    walk_an_install(robot)
    told = [(r.boot, r.seq, r.running.state, r.assignment and r.assignment.state) for r in robot.reports]
    assert told == [
        (1, 1, CONFIRMED, None),
        (1, 2, CONFIRMED, "staged"),
        (2, 1, TRIAL, TRIAL),
        (2, 2, CONFIRMED, INSTALLED),
        (2, 3, CONFIRMED, INSTALLED),
    ]
    last = robot.report
    assert last.epoch == "epoch-1" and last.robot_id == "robot-001" and last.trusted_keys == (case.KEY.key_id,)
    assert (last.running.slot, last.running.version, last.running.digest) == ("ota_1", "0.3.0", OFFER.digest)
    assert last.spare is not None and last.spare.version == "0.2.1"
    assert last.version_floor == "0.1.0" and last.protocol == 1 and last.companion_version == "0.1.4"


def test_every_effect_is_used_somewhere() -> None:
    used = set(" ".join(effects for _, effects in INSTALL).split())
    failing = case.on_trial()
    failing.on(answer())
    used |= set(failing.on(on.SelfTestFailed(code="trial-failed")).split())
    broken = case.offered()
    broken.on(on.PreflightPassed())
    used |= set(broken.on(on.DownloadFailed(code="download-interrupted")).split())
    assert used == {effect.__name__ for effect in subclasses(do, do.Effect)}


def test_no_state_in_progress_rests_without_a_check_to_wake_it() -> None:
    woken = {state for row in TABLE if row.event is on.CheckDue for state in row.states}
    # From staged on the robot never rests: it reboots, tests or confirms, and tells the server between.
    assert set(STATES) - woken == {"staged", TRIAL, "confirming"}
    assert set(IN_PROGRESS_STATES) & woken == {"downloading", "verifying"}
