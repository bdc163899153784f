from agent import agent_case as case
from agent.agent_case import HAS_SPARE, NEW_VERSION, OFFER, RUNS_OLD, SPARE, SPARE_VERSION, Robot, answer
from surefoot.agent import events as on
from surefoot.agent.offers import ended
from surefoot.agent.steps import CHECK_INTERVAL_S, CHECK_INTERVAL_S_MAX
from surefoot.wire.journal import IDLE
from surefoot.wire.offer import Answer
from surefoot.wire.report import CONFIRMED, DOWNLOADING, INSTALLED, REFUSED, ROLLED_BACK, TRIAL, VERIFYING
from surefoot.wire.version import Version

RUNNING = case.offer_of(case.OLD, case.OLD_VERSION)
ROLLBACK = case.offer_of(SPARE, SPARE_VERSION, rollback=True)
TAKEN = "SaveJournal StopFetch Preflight"
TOLD = "SaveJournal Exchange"


def rested(robot: Robot) -> Robot:
    """Acknowledge what ended."""
    assert robot.journal.offer is not None
    robot.on(answer(acknowledged=robot.journal.offer.id))
    assert robot.journal.acknowledged
    return robot


def test_a_robot_without_an_offer_rests() -> None:
    robot = Robot()
    assert robot.boots() == TOLD
    assert robot.on(answer()) == "ScheduleCheck"
    assert robot.delay_s == CHECK_INTERVAL_S and robot.journal.state == IDLE
    assert robot.report.assignment is None and robot.report.spare is not None


def test_the_server_says_when_to_ask_again() -> None:
    robot = Robot()
    robot.boots()
    said = Answer(acknowledged=None, offer=None, cancelled=None, stale=False, next_check_s=77)
    robot.on(on.Answered(answer=said, refusal=None, now_s=None))
    assert robot.delay_s == 77


def test_no_answer_silences_a_robot_or_makes_it_ask_without_a_pause() -> None:
    for next_check_s, delay_s in ((0, 1), (2**53 - 1, CHECK_INTERVAL_S_MAX)):
        robot = Robot()
        robot.boots()
        said = Answer(acknowledged=None, offer=None, cancelled=None, stale=False, next_check_s=next_check_s)
        robot.on(on.Answered(answer=said, refusal=None, now_s=None))
        assert robot.delay_s == delay_s


def test_a_new_offer_is_recorded_with_what_ran_when_it_came() -> None:
    robot = case.offered()
    journal = robot.journal
    assert (journal.state, journal.offer, journal.attempts) == (DOWNLOADING, OFFER, 0)
    assert (journal.source_slot, journal.source_digest) == ("ota_0", RUNS_OLD.running.digest)
    assert robot.saved == journal


def test_the_same_offer_twice_is_one_installation() -> None:
    robot = case.installed()
    assert robot.on(answer(OFFER)) == "ScheduleCheck"
    assert robot.journal.state == INSTALLED and robot.journal.attempts == 1
    rested(robot)
    assert robot.on(on.CheckDue()) == "Exchange"
    assert robot.on(answer(OFFER)) == "ScheduleCheck"


def test_the_same_offer_while_it_is_worked_on_changes_nothing() -> None:
    robot = case.offered()
    robot.on(on.PreflightHeld(code="held-motors"))
    assert robot.on(on.CheckDue()) == "StopFetch Exchange"
    before = robot.journal
    assert robot.on(answer(OFFER)) == "Preflight"
    assert robot.journal == before


def test_an_offer_of_what_runs_already_is_installed_at_once() -> None:
    robot = Robot()
    robot.boots()
    assert robot.on(answer(RUNNING)) == TOLD
    assert robot.journal.state == INSTALLED
    assert robot.report.assignment is not None
    assert (robot.report.assignment.state, robot.report.assignment.attempts) == (INSTALLED, 1)


def test_an_assignment_that_ended_without_a_trial_is_taken_again_with_a_higher_attempt() -> None:
    heavy = OFFER.replace(sku="heavy", manifest=None)
    minimal = RUNNING.replace(digest=None, manifest=None, size_bytes=None, version=NEW_VERSION)
    for offer in (heavy, RUNNING):
        robot = case.offered(offer.replace(attempt=3))
        assert robot.journal.attempts == 3
        rested(robot)
        for late in (1, 2, 3):
            robot.on(on.CheckDue())
            assert robot.on(answer(OFFER.replace(attempt=late))) == "ScheduleCheck"
        robot.on(on.CheckDue())
        assert robot.on(answer(OFFER.replace(attempt=4))) == TAKEN
        assert robot.journal.attempts == 3, "attempts spent on an assignment stay spent"
    found_late = case.offered(minimal)
    found_late.on(on.PreflightPassed())
    found_late.receive(case.file_of(case.OLD, case.OLD_VERSION))
    assert (found_late.journal.state, found_late.journal.attempts) == (INSTALLED, 1)
    gone = case.offered()
    gone.on(on.PreflightPassed())
    gone.on(on.DownloadRefused(code="refused-image-gone"))
    assert (gone.journal.state, gone.journal.attempts) == (REFUSED, 1)


def test_attempts_never_become_fewer_by_an_ending() -> None:
    journal = case.offered(OFFER.replace(attempt=2)).journal
    assert [ended(journal.replace(attempts=spent), REFUSED, "refused-sku").attempts for spent in (0, 1, 2, 5)] == [
        2,
        2,
        2,
        5,
    ]


def put_back(robot: Robot) -> Robot:
    """Boot a robot whose flash was put back to an earlier state; the server has heard later facts."""
    robot.boots(fresh_epoch="epoch-2")
    assert robot.report.epoch == "epoch-1"
    return robot


def test_a_robot_that_was_put_back_starts_a_new_epoch_and_tells_everything_again() -> None:
    robot = put_back(case.offered(RUNNING))
    assert robot.on(answer(OFFER.replace(id="assignment-2"), cancelled=None, stale=True)) == TOLD
    assert robot.saved is not None and robot.saved.epoch == "epoch-2"
    assert (robot.report.epoch, robot.report.boot, robot.report.seq) == ("epoch-2", 2, 2)
    assert robot.report.assignment is not None
    assert (robot.report.assignment.id, robot.report.assignment.state) == (RUNNING.id, INSTALLED)
    assert robot.on(answer(acknowledged=RUNNING.id)) == "SaveJournal ScheduleCheck"
    robot.boots(fresh_epoch="epoch-3")
    assert (robot.report.epoch, robot.report.boot) == ("epoch-2", 3), "the epoch stays once the server listens"


def test_a_robot_starts_at_most_one_epoch_in_a_boot() -> None:
    robot = put_back(case.offered(RUNNING))
    robot.on(answer(stale=True))
    assert robot.on(answer(stale=True)) == "ScheduleCheck"
    assert robot.on(on.CheckDue()) == "Exchange"
    assert robot.on(answer(acknowledged=RUNNING.id, stale=True)) == "SaveJournal ScheduleCheck"
    robot.boots(fresh_epoch="epoch-3")
    assert robot.on(answer(stale=True)) == TOLD
    assert robot.report.epoch == "epoch-3"
    first = Robot()
    first.boots()
    assert first.on(answer(stale=True)) == "ScheduleCheck", "its epoch is fresh already"


def test_a_robot_that_was_put_back_while_busy_goes_on_in_its_new_epoch() -> None:
    robot = case.offered()
    robot.on(on.PreflightPassed())
    robot.receive(case.NEW_FILE, stop_at=9000)
    put_back(robot)
    assert robot.on(answer(OFFER.replace(id="assignment-2"), cancelled=None, stale=True)) == TOLD
    assert (robot.report.epoch, robot.journal.state, robot.journal.received_bytes) == ("epoch-2", DOWNLOADING, 8192)
    assert robot.on(answer(stale=True)) == "Preflight"
    assert robot.on(on.PreflightPassed()) == "Fetch"


def test_a_new_epoch_does_not_shake_the_belief_in_an_image() -> None:
    robot = put_back(case.verifying())
    robot.on(answer())
    robot.on(on.PreflightPassed())
    robot.on(case.digested(case.NEW_FILE))
    robot.on(on.PreflightHeld(code="held-motors"))
    robot.on(on.CheckDue())
    assert robot.on(answer(stale=True)) == TOLD
    assert robot.on(answer()) == "Preflight"
    assert robot.on(on.PreflightPassed()) == TOLD
    assert robot.journal.state == "staged"


def test_a_new_epoch_waits_until_an_image_has_been_tried() -> None:
    robot = put_back(case.verifying())
    robot.on(on.Unreachable(code="server-unreachable"))
    robot.on(on.PreflightPassed())
    robot.on(case.digested(case.NEW_FILE))
    robot.on(on.PreflightPassed())
    assert robot.on(answer(stale=True)) == "SetBootSlot Reboot"
    robot.boots(case.runs_new(), fresh_epoch="epoch-3")
    assert robot.on(answer(stale=True)) == "RunSelfTest"
    robot.on(on.SelfTestPassed())
    robot.boots(fresh_epoch="epoch-4")
    assert robot.on(answer(stale=True)) == "Confirm"
    robot.on(on.Confirmed(slots=case.runs_new(CONFIRMED)))
    assert robot.report.epoch == "epoch-1"
    assert robot.on(answer(stale=True)) == TOLD
    assert (robot.report.epoch, robot.journal.state) == ("epoch-4", INSTALLED)


def test_an_offer_of_what_runs_already_is_installed_again_by_force() -> None:
    robot = Robot()
    robot.boots()
    assert robot.on(answer(RUNNING.replace(force=True))) == TAKEN
    assert robot.journal.state == DOWNLOADING


def test_an_offer_is_refused_with_its_code_before_anything_is_downloaded() -> None:
    for wrong, code in (
        (OFFER.replace(manifest=None), "refused-manifest-missing"),
        (OFFER.replace(digest="0" * 64), "refused-manifest-mismatch"),
        (case.offer_of(case.NEW, SPARE_VERSION), "refused-version-order"),
        (case.offer_of(case.NEW, Version(major=0, minor=0, patch=9), rollback=True), "refused-version-floor"),
    ):
        robot = Robot()
        robot.boots()
        assert robot.on(answer(wrong)) == TOLD
        assert (robot.journal.state, robot.journal.code) == (REFUSED, code)
        assert robot.report.assignment is not None and robot.report.assignment.code == code
        assert robot.on(answer(wrong)) == "ScheduleCheck", "the same refused offer again is not news"


def test_an_ending_is_acknowledged_once_and_only_by_its_own_id() -> None:
    robot = case.installed()
    assert robot.on(answer(acknowledged="another")) == "ScheduleCheck"
    assert not robot.journal.acknowledged
    robot.on(on.CheckDue())
    assert robot.on(answer(acknowledged=OFFER.id)) == "SaveJournal ScheduleCheck"
    robot.on(on.CheckDue())
    assert robot.on(answer(acknowledged=OFFER.id)) == "ScheduleCheck"


def test_what_is_in_progress_cannot_be_acknowledged() -> None:
    robot = case.offered()
    robot.on(on.PreflightHeld(code="held-motors"))
    robot.on(on.CheckDue())
    robot.on(answer(acknowledged=OFFER.id))
    assert robot.journal.state == DOWNLOADING and not robot.journal.acknowledged


def test_an_ending_nobody_heard_is_told_again_soon_and_then_less_often() -> None:
    robot = case.installed()
    delays = []
    for _ in range(4):
        assert robot.on(on.Unreachable(code="server-unreachable")) == "ScheduleCheck"
        delays.append(robot.delay_s)
        assert robot.on(on.CheckDue()) == "Exchange"
    assert delays == [30, 60, 120, 240]
    rested(robot)
    robot.on(on.CheckDue())
    robot.on(on.Unreachable(code="server-unreachable"))
    assert robot.delay_s == CHECK_INTERVAL_S


def test_a_pause_is_never_longer_than_the_ordinary_one() -> None:
    robot = case.installed()
    for _ in range(40):
        robot.on(on.Unreachable(code="server-unreachable"))
        robot.on(on.CheckDue())
    assert robot.delay_s <= CHECK_INTERVAL_S


def test_a_rolled_back_assignment_is_taken_again_only_with_a_higher_attempt() -> None:
    robot = case.on_trial()
    robot.boots(case.runs_old(ROLLED_BACK))
    assert robot.journal.state == ROLLED_BACK
    assert robot.on(answer(OFFER)) == "ScheduleCheck", "a late copy"
    robot.on(on.CheckDue())
    assert robot.on(answer(OFFER.replace(attempt=2))) == TAKEN
    assert robot.journal.attempts == 1, "attempts spent on an assignment stay spent"


def test_an_assignment_in_progress_is_not_begun_anew_by_a_higher_attempt() -> None:
    robot = case.offered()
    robot.on(on.PreflightHeld(code="held-motors"))
    robot.on(on.CheckDue())
    assert robot.on(answer(OFFER.replace(attempt=9))) == "Preflight"
    assert robot.journal.offer == OFFER


def test_an_offer_that_comes_while_on_trial_is_ignored() -> None:
    other = OFFER.replace(id="assignment-2")
    robot = case.on_trial()
    assert robot.on(answer(other)) == "RunSelfTest"
    assert robot.journal.offer == OFFER and robot.journal.state == TRIAL


def test_a_rollback_is_satisfied_from_the_spare_slot_without_a_download() -> None:
    robot = case.offered(ROLLBACK, HAS_SPARE)
    assert robot.journal.state == VERIFYING
    assert robot.on(on.PreflightPassed()) == TOLD
    assert robot.on(answer()) == "SetBootSlot Reboot"
    assert robot.journal.attempts == 1


def test_a_rollback_from_the_spare_slot_goes_on_after_a_power_cut() -> None:
    robot = case.offered(ROLLBACK, HAS_SPARE)
    assert robot.boots() == TOLD
    assert robot.on(answer()) == "Preflight"
    assert robot.on(on.PreflightPassed()) == TOLD
    assert robot.journal.state == "staged"


def test_a_rollback_is_downloaded_when_the_spare_slot_does_not_hold_it_confirmed() -> None:
    for state in (ROLLED_BACK, "unknown"):
        slots = HAS_SPARE.replace(spare=HAS_SPARE.spare.replace(state=state))
        assert case.offered(ROLLBACK, slots).journal.state == DOWNLOADING
    assert case.offered(ROLLBACK, RUNS_OLD).journal.state == DOWNLOADING
    other = HAS_SPARE.replace(spare=case.image_in("ota_1", b"another", "0.2.0"))
    assert case.offered(ROLLBACK, other).journal.state == DOWNLOADING


def test_an_order_that_is_no_rollback_is_not_satisfied_from_the_spare_slot() -> None:
    newer = HAS_SPARE.replace(spare=case.image_in("ota_1", case.NEW, "0.3.0"))
    assert case.offered(OFFER, newer).journal.state == DOWNLOADING


def test_a_rollback_with_an_unsigned_version_is_judged_by_the_version_in_the_spare_slot() -> None:
    # Whoever sends the offer can write any version into it: without a manifest it must be the one in the image.
    bare = ROLLBACK.replace(manifest=None)
    assert case.offered(bare, HAS_SPARE).journal.state == VERIFYING
    assert case.offered(bare.replace(version=NEW_VERSION), HAS_SPARE).journal.state == DOWNLOADING
    unnamed = HAS_SPARE.replace(spare=HAS_SPARE.spare.replace(version=""))
    assert case.offered(bare, unnamed).journal.state == DOWNLOADING
    absurd = HAS_SPARE.replace(spare=HAS_SPARE.spare.replace(version="9.999.9"))
    assert case.offered(bare, absurd).journal.state == DOWNLOADING


def test_what_is_being_overwritten_is_no_target_for_a_rollback_any_more() -> None:
    robot = case.offered(OFFER, HAS_SPARE)
    robot.on(on.PreflightPassed())
    robot.receive(case.NEW_FILE, stop_at=9000)
    robot.on(on.DownloadRefused(code="refused-image-gone"))
    assert robot.report.spare is not None
    assert (robot.report.spare.digest, robot.report.spare.state) == (None, "unknown")
    robot.on(answer(ROLLBACK.replace(id="assignment-2")))
    assert robot.journal.state == DOWNLOADING


def test_an_offer_that_is_held_leaves_the_spare_slot_to_a_rollback() -> None:
    robot = case.offered(OFFER, HAS_SPARE)
    robot.on(on.PreflightHeld(code="held-motors"))
    robot.on(on.CheckDue())
    robot.on(answer(ROLLBACK.replace(id="assignment-2")))
    assert robot.journal.state == VERIFYING


def test_a_newer_assignment_replaces_the_one_in_progress() -> None:
    newer = OFFER.replace(id="assignment-2")
    robot = case.offered()
    robot.on(on.PreflightPassed())
    robot.receive(case.NEW_FILE, stop_at=9000)
    for _ in range(6):
        robot.on(on.DownloadFailed(code="download-interrupted"))
        if robot.delay_s <= 480:
            robot.on(on.RetryDue())
    assert robot.on(on.CheckDue()) == "StopFetch Exchange"
    assert robot.on(answer(newer)) == TAKEN
    assert robot.journal.offer == newer
    assert (robot.journal.received_bytes, robot.journal.header) == (0, b"")
    assert robot.on(on.PreflightPassed()) == "PrepareSpare Fetch"


def test_a_newer_assignment_for_the_running_image_ends_the_one_in_progress() -> None:
    robot = case.offered()
    robot.on(on.PreflightHeld(code="held-motors"))
    robot.on(on.CheckDue())
    assert robot.on(answer(RUNNING.replace(id="assignment-2"))) == TOLD
    assert robot.journal.state == INSTALLED
    assert robot.report.assignment is not None and robot.report.assignment.code is None


def test_a_minimal_offer_is_taken_on_what_little_it_says() -> None:
    minimal = OFFER.replace(size_bytes=None, digest=None, sku=None, release=None, manifest=None)
    robot = case.staged_minimal(minimal)
    assert robot.journal.state == "staged"
    robot.on(answer())
    assert robot.boots(case.runs_new()) == TOLD
    assert robot.journal.state == TRIAL, "the wanted digest is known from the header"


def test_the_running_version_is_what_something_signed_says() -> None:
    robot = Robot(case.slots_of(case.image_in("ota_0", case.OLD, "", CONFIRMED), case.EMPTY_SPARE))
    robot.boots()
    assert robot.report.running.version is None
    installed = case.installed()
    assert installed.state.slots.running.version == "" and installed.report.running.version == "0.3.0"
