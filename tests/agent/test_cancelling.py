"""The server may take an offer back until the restart, and no later."""

from agent import agent_case as case
from agent.agent_case import OFFER, answer
from surefoot.agent import events as on
from surefoot.wire.report import REFUSED, STAGED, TRIAL

CANCEL = answer(cancelled=OFFER.id)


def test_an_offer_is_dropped_while_it_is_worked_on_and_the_robot_says_so() -> None:
    for robot in (case.offered(), case.verifying(), case.staged()):
        assert robot.on(CANCEL) == "StopFetch SaveJournal Exchange"
        assert robot.report.assignment is not None
        assert (robot.report.assignment.state, robot.report.assignment.code) == (REFUSED, "cancelled")


def test_a_cancelled_offer_is_taken_again_with_a_higher_attempt_only() -> None:
    robot = case.staged()
    robot.on(CANCEL)
    assert robot.on(answer(OFFER)) == "ScheduleCheck"
    assert robot.on(answer(OFFER.replace(attempt=2))) == "SaveJournal StopFetch Preflight"


def test_the_word_that_cancels_another_assignment_stops_nothing() -> None:
    other = answer(cancelled="assignment-9")
    assert case.staged().on(other) == "SetBootSlot Reboot"
    assert case.offered().on(other) == "Preflight"


def test_a_robot_that_cannot_be_told_restarts() -> None:
    assert case.staged().on(on.Unreachable(code="server-unreachable")) == "SetBootSlot Reboot"


def test_what_is_on_trial_is_judged_by_its_self_test_not_by_the_server() -> None:
    robot = case.on_trial()
    assert robot.on(CANCEL) == "RunSelfTest"
    assert robot.journal.state == TRIAL


def test_at_rest_there_is_nothing_to_cancel() -> None:
    robot = case.installed()
    assert robot.on(answer(acknowledged=OFFER.id, cancelled=OFFER.id)) == "SaveJournal ScheduleCheck"


def test_a_companion_that_does_not_understand_the_firmware_holds_it_until_it_does() -> None:
    robot = case.Robot(identity=case.IDENTITY.replace(companion_version="1.2.0"))
    robot.boots()
    robot.on(answer(OFFER))
    assert robot.on(on.PreflightPassed()) == "ScheduleCheck"
    robot.on(on.CheckDue())
    assert robot.report.assignment is not None and robot.report.assignment.code == "held-companion"
    assert robot.journal.state != STAGED
