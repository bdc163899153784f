"""Bootloaders that take nothing back: the journal says what is on trial, and three boots are enough."""

from agent import agent_case as case
from agent.agent_case import Robot, answer
from surefoot.agent import events as on
from surefoot.agent.resume import TRIAL_BOOTS_MAX
from surefoot.agent.values import Slots
from surefoot.wire.report import CONFIRMED, INSTALLED, ROLLED_BACK, TRIAL, UNKNOWN


def trusting(slots: Slots) -> Slots:
    """The same slots under a bootloader without rollback, which calls every running image confirmed."""
    return slots.replace(running=slots.running.replace(state=CONFIRMED), enforces_trial=False)


def booted_untested() -> Robot:
    robot = case.staged(slots=trusting(case.RUNS_OLD))
    robot.on(answer())
    robot.boots(trusting(case.runs_new()))
    return robot


def test_an_image_nobody_tested_is_on_trial_whatever_the_bootloader_says() -> None:
    robot = booted_untested()
    assert robot.journal.state == TRIAL
    assert robot.report.running.state == TRIAL
    assert robot.on(answer()) == "RunSelfTest"


def test_it_is_installed_once_its_self_test_passed() -> None:
    robot = booted_untested()
    robot.on(answer())
    robot.on(on.SelfTestPassed())
    robot.on(on.Confirmed(slots=trusting(case.runs_new())))
    assert (robot.journal.state, robot.report.running.state) == (INSTALLED, CONFIRMED)


def test_a_power_cut_after_the_self_test_passed_leaves_it_installed() -> None:
    robot = booted_untested()
    robot.on(answer())
    robot.on(on.SelfTestPassed())
    robot.boots(trusting(case.runs_new()))
    assert robot.journal.state == INSTALLED


def test_an_image_that_never_confirms_is_left_after_three_boots() -> None:
    robot = booted_untested()
    for _ in range(TRIAL_BOOTS_MAX - 1):
        assert robot.boots(trusting(case.runs_new())) == "SaveJournal Exchange"
    assert robot.boots(trusting(case.runs_new())) == "SaveJournal GoBack Reboot"
    robot.boots(trusting(case.runs_old(UNKNOWN)))
    assert (robot.journal.state, robot.journal.code) == (ROLLED_BACK, "trial-interrupted")


def test_a_new_attempt_has_its_three_boots_again() -> None:
    robot = booted_untested()
    robot.boots(trusting(case.runs_new()))
    robot.boots(trusting(case.runs_old(UNKNOWN)))
    assert robot.journal.state == ROLLED_BACK
    robot.on(answer(case.OFFER.replace(attempt=2)))
    assert robot.journal.trial_boots == 0


def test_where_the_bootloader_enforces_trials_its_word_counts() -> None:
    robot = case.staged()
    robot.on(answer())
    robot.boots(case.runs_new(CONFIRMED))
    assert robot.journal.state == INSTALLED
