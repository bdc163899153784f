from agent import agent_case as case
from agent.agent_case import OFFER, Robot, answer
from surefoot.agent import effects as do
from surefoot.agent import events as on
from surefoot.agent.download import HOLD_S
from surefoot.agent.trial import CHECKS, installed
from surefoot.agent.trial import test as start_test
from surefoot.wire.report import CONFIRMED, CONFIRMING, INSTALLED, REFUSED, ROLLED_BACK, STAGED, TRIAL, VERIFYING
from surefoot.wire.version import Version

TOLD = "SaveJournal Exchange"
UNREACHABLE = on.Unreachable(code="server-unreachable")
FLOOR = Version(major=0, minor=2, patch=1)
HANDS_OVER = OFFER.replace(manifest=case.manifest_of(case.NEW, case.NEW_VERSION, trusted_keys=(case.OTHER_KEY.xy,)))
RAISES_FLOOR = OFFER.replace(manifest=case.manifest_of(case.NEW, case.NEW_VERSION, version_floor=FLOOR))


def assignment_of(robot: Robot) -> "tuple[str, str | None]":
    assert robot.report.assignment is not None
    return robot.report.assignment.state, robot.report.assignment.code


def test_the_robot_switches_whether_the_server_answers_or_not() -> None:
    assert case.staged().on(answer()) == "SetBootSlot Reboot"
    assert case.staged().on(UNREACHABLE) == "SetBootSlot Reboot"


def test_a_boot_slot_that_cannot_be_set_ends_the_assignment() -> None:
    robot = case.staged()
    robot.on(answer())
    assert robot.on(on.BootSlotRefused(code="damaged-flash")) == TOLD
    assert assignment_of(robot) == (ROLLED_BACK, "stage-failed")
    assert robot.on(answer(acknowledged=OFFER.id)) == "SaveJournal ScheduleCheck"


def test_a_robot_that_began_to_work_while_it_told_the_server_stages_again_when_it_may() -> None:
    robot = case.staged()
    robot.on(answer())
    assert robot.on(on.PreflightHeld(code="held-motors")) == "SaveJournal ScheduleCheck"
    assert (robot.journal.state, robot.journal.attempts, robot.delay_s) == (VERIFYING, 0, HOLD_S)
    assert robot.on(on.CheckDue()) == "StopFetch Exchange"
    assert assignment_of(robot) == (VERIFYING, "held-motors")
    assert robot.on(answer()) == "Preflight"
    assert robot.on(on.PreflightPassed()) == TOLD
    assert (assignment_of(robot), robot.journal.attempts) == ((STAGED, None), 1)


def test_a_rollback_from_the_spare_slot_waits_for_a_robot_that_began_to_work_too() -> None:
    back = case.offer_of(case.SPARE, case.SPARE_VERSION, rollback=True)
    robot = case.offered(back, case.HAS_SPARE)
    for _ in range(2):
        assert robot.on(on.PreflightPassed()) == TOLD
        robot.on(answer())
        robot.on(on.PreflightHeld(code="held-battery"))
        robot.on(on.CheckDue())
        robot.on(answer())
    assert (robot.journal.state, robot.journal.attempts) == (VERIFYING, 0)


def test_the_self_test_does_not_depend_on_the_server() -> None:
    for event in (answer(), UNREACHABLE):
        assert case.on_trial().on(event) == "RunSelfTest"
    step = start_test(case.on_trial().state, UNREACHABLE)
    assert step.effects == (do.RunSelfTest(checks=CHECKS),)


def test_a_failed_self_test_is_recorded_before_the_robot_goes_back() -> None:
    robot = case.on_trial()
    robot.on(answer())
    assert robot.on(on.SelfTestFailed(code="relay-check-failed")) == "SaveJournal GoBack Reboot"
    assert robot.saved is not None
    assert (robot.saved.state, robot.saved.code) == (TRIAL, "relay-check-failed")
    assert robot.boots(case.runs_old(ROLLED_BACK)) == TOLD
    assert assignment_of(robot) == (ROLLED_BACK, "relay-check-failed")


def test_a_trial_that_was_lost_is_not_tested_again_when_the_agent_ends_before_it_goes_back() -> None:
    robot = case.on_trial()
    robot.on(answer())
    robot.on(on.SelfTestFailed(code="relay-check-failed"))
    assert robot.boots(case.runs_new(TRIAL)) == "SaveJournal GoBack Reboot"
    robot.boots(case.runs_old(ROLLED_BACK))
    assert assignment_of(robot) == (ROLLED_BACK, "relay-check-failed")


def test_only_what_reads_back_as_confirmed_is_installed() -> None:
    robot = case.confirming()
    assert robot.on(on.Confirmed(slots=case.runs_new(TRIAL))) == "SaveJournal GoBack Reboot"
    assert robot.saved is not None
    assert (robot.saved.state, robot.saved.code) == (TRIAL, "confirm-failed")
    robot.boots(case.runs_old(ROLLED_BACK))
    assert assignment_of(robot) == (ROLLED_BACK, "confirm-failed")


def test_a_robot_that_passed_its_self_test_is_not_tested_again_after_a_power_cut() -> None:
    for event in (answer(), UNREACHABLE):
        robot = case.confirming()
        assert robot.boots(case.runs_new(TRIAL)) == TOLD
        assert assignment_of(robot) == (CONFIRMING, None)
        assert robot.on(event) == "Confirm"
        robot.on(on.Confirmed(slots=case.runs_new(CONFIRMED)))
        assert assignment_of(robot) == (INSTALLED, None)


def test_the_version_floor_rises_only_when_the_image_is_confirmed() -> None:
    robot = case.confirming(RAISES_FLOOR)
    assert robot.report.version_floor == "0.1.0"
    robot.on(on.Confirmed(slots=case.runs_new(CONFIRMED)))
    assert robot.report.version_floor == "0.2.1"
    robot.on(answer(case.offer_of(case.SPARE, case.SPARE_VERSION, id="back", rollback=True)))
    assert assignment_of(robot) == (REFUSED, "refused-version-floor")


def test_the_version_floor_does_not_rise_with_an_image_that_went_back() -> None:
    robot = case.on_trial(RAISES_FLOOR)
    robot.boots(case.runs_old(ROLLED_BACK))
    assert robot.report.version_floor == "0.1.0"


def test_the_version_floor_never_falls() -> None:
    robot = case.confirming(RAISES_FLOOR)
    journal = robot.journal.replace(version_floor=Version(major=0, minor=2, patch=9))
    assert installed(journal).version_floor == journal.version_floor


def test_the_version_floor_rises_as_well_when_only_the_word_of_the_confirmation_was_lost() -> None:
    robot = case.confirming(RAISES_FLOOR)
    robot.boots(case.runs_new(CONFIRMED))
    assert assignment_of(robot) == (INSTALLED, None)
    assert robot.report.version_floor == "0.2.1"


def test_keys_take_the_place_of_others_only_when_the_image_is_confirmed() -> None:
    robot = case.confirming(HANDS_OVER)
    assert robot.report.trusted_keys == (case.KEY.key_id,)
    robot.on(on.Confirmed(slots=case.runs_new(CONFIRMED)))
    assert robot.report.trusted_keys == (case.OTHER_KEY.key_id,)
    robot.boots(case.runs_new(CONFIRMED))
    assert robot.report.trusted_keys == (case.OTHER_KEY.key_id,)


def test_a_robot_that_took_new_keys_refuses_what_the_old_one_signed() -> None:
    robot = case.confirming(HANDS_OVER)
    robot.on(on.Confirmed(slots=case.runs_new(CONFIRMED)))
    later = Version(major=9, minor=0, patch=0)
    robot.on(answer(case.offer_of(b"by the old key", later, id="late")))
    assert assignment_of(robot) == (REFUSED, "refused-manifest-signature")


def test_keys_stay_when_the_image_went_back_and_when_the_manifest_names_none() -> None:
    robot = case.on_trial(HANDS_OVER)
    robot.boots(case.runs_old(ROLLED_BACK))
    assert robot.report.trusted_keys == (case.KEY.key_id,)
    handed_over = case.confirming().journal.replace(trusted_keys=(case.OTHER_KEY.xy,))
    assert installed(handed_over).trusted_keys == (case.OTHER_KEY.xy,)


def test_keys_are_taken_as_well_when_only_the_word_of_the_confirmation_was_lost() -> None:
    robot = case.confirming(HANDS_OVER)
    robot.boots(case.runs_new(CONFIRMED))
    assert robot.report.trusted_keys == (case.OTHER_KEY.key_id,)


def test_a_key_that_is_no_point_of_the_curve_is_refused_before_anything_is_loaded() -> None:
    manifest = case.manifest_of(case.NEW, case.NEW_VERSION, trusted_keys=(b"\x07" * 64,))
    robot = case.offered(OFFER.replace(manifest=manifest))
    assert assignment_of(robot) == (REFUSED, "refused-key-format")


def test_a_manifest_that_new_firmware_cannot_read_does_not_stop_its_agent() -> None:
    robot = case.confirming(RAISES_FLOOR)
    assert RAISES_FLOOR.manifest is not None
    odd = RAISES_FLOOR.replace(manifest=RAISES_FLOOR.manifest.replace(payload=b'{"format": 2}'))
    journal = installed(robot.journal.replace(offer=odd))
    assert (journal.state, journal.version_floor) == (INSTALLED, robot.journal.version_floor)


def test_a_forced_installation_of_the_same_image_goes_the_whole_way() -> None:
    offer = case.offer_of(case.OLD, case.OLD_VERSION, force=True)
    file = case.file_of(case.OLD, case.OLD_VERSION)
    robot = case.staged(offer, file)
    assert robot.journal.state == STAGED
    robot.on(answer())
    robot.boots(case.runs_new(TRIAL, case.OLD))
    assert assignment_of(robot) == (TRIAL, None)
