"""How a robot goes on after a boot: each story by name, and every combination there is."""

from agent import agent_case as case
from agent.agent_case import OFFER, RUNS_OLD, Robot, answer
from surefoot.agent import events as on
from surefoot.agent.resume import OTHER, RESUME, SOURCE, WANTED, find_row, relation
from surefoot.agent.values import SlotImage
from surefoot.wire.journal import IDLE, STATES, Journal, blank_journal
from surefoot.wire.report import (
    CONFIRMED,
    CONFIRMING,
    DOWNLOADING,
    EMPTY,
    IN_PROGRESS_STATES,
    INSTALLED,
    REFUSED,
    ROLLED_BACK,
    SPARE_STATES,
    STAGED,
    TERMINAL_STATES,
    TRIAL,
    UNKNOWN,
    VERIFYING,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.agent.values import Slots

TOLD = "SaveJournal Exchange"
WENT_BACK = "SaveJournal GoBack Reboot"
OTHER_IMAGE = SlotImage(slot="ota_0", digest=case.digest_of(b"cable"), version="9.9.9", state=CONFIRMED)


def journal_in(state: str, attempts: int = 1, code: "str | None" = None) -> Journal:
    if state == IDLE:
        return blank_journal("epoch-0").replace(boot=7)
    return case.staged().journal.replace(state=state, attempts=attempts, code=code, boot=7)


def slots_in(running: str, running_state: str, spare_state: str = CONFIRMED) -> "Slots":
    if running == WANTED:
        slots = case.runs_new(running_state)
    else:
        slots = case.runs_old(spare_state)
        slots = slots.replace(running=(OTHER_IMAGE if running == OTHER else slots.running).replace(state=running_state))
    return slots.replace(spare=slots.spare.replace(state=spare_state))


# journal state, running image, its state, spare's state: the row, the state resumed in, its code, the report's code
# fmt: off
STORIES = (
    ("nothing was in hand", IDLE, OTHER, CONFIRMED, EMPTY, IDLE, None, None),
    ("nothing was in hand", INSTALLED, WANTED, CONFIRMED, CONFIRMED, INSTALLED, None, None),
    ("nothing was in hand", INSTALLED, OTHER, CONFIRMED, CONFIRMED, INSTALLED, None, None),
    ("nothing was in hand", ROLLED_BACK, SOURCE, CONFIRMED, ROLLED_BACK, ROLLED_BACK, None, None),
    ("nothing was in hand", REFUSED, SOURCE, CONFIRMED, UNKNOWN, REFUSED, None, None),
    ("cut while downloading or verifying", DOWNLOADING, SOURCE, CONFIRMED, UNKNOWN, DOWNLOADING, None, None),
    ("cut while downloading or verifying", VERIFYING, SOURCE, CONFIRMED, UNKNOWN, VERIFYING, None, None),
    ("confirmed, only the word was lost", STAGED, WANTED, CONFIRMED, CONFIRMED, INSTALLED, None, None),
    ("confirmed, only the word was lost", TRIAL, WANTED, CONFIRMED, CONFIRMED, INSTALLED, None, None),
    ("confirmed, only the word was lost", CONFIRMING, WANTED, CONFIRMED, CONFIRMED, INSTALLED, None, None),
    ("first boot of the trial", STAGED, WANTED, TRIAL, CONFIRMED, TRIAL, None, None),
    ("the agent restarted during the trial", TRIAL, WANTED, TRIAL, CONFIRMED, TRIAL, None, None),
    ("self-test passed, not confirmed yet", CONFIRMING, WANTED, TRIAL, CONFIRMED, CONFIRMING, None, None),
    ("cut while confirming, record lost", CONFIRMING, SOURCE, CONFIRMED, UNKNOWN,
     ROLLED_BACK, "confirm-interrupted", None),
    ("the trial ended", TRIAL, SOURCE, CONFIRMED, ROLLED_BACK, ROLLED_BACK, "trial-interrupted", None),
    ("the trial ended", TRIAL, SOURCE, CONFIRMED, UNKNOWN, ROLLED_BACK, "trial-interrupted", None),
    ("the trial ended before it could say so", STAGED, SOURCE, CONFIRMED, ROLLED_BACK,
     ROLLED_BACK, "trial-interrupted", None),
    ("the boot record never reached flash", STAGED, SOURCE, CONFIRMED, UNKNOWN, VERIFYING, None, None),
    ("the boot record never reached flash", STAGED, SOURCE, CONFIRMED, CONFIRMED, VERIFYING, None, None),
    ("no known story, on trial", IDLE, OTHER, TRIAL, CONFIRMED, IDLE, "unknown-journal", "unknown-journal"),
    ("no known story, on trial", INSTALLED, WANTED, TRIAL, CONFIRMED, IDLE, "unknown-journal", "unknown-journal"),
    ("no known story, on trial", DOWNLOADING, SOURCE, TRIAL, UNKNOWN, IDLE, "unknown-journal", "unknown-journal"),
    ("no known story, on trial", STAGED, OTHER, TRIAL, CONFIRMED, IDLE, "unknown-journal", "unknown-journal"),
    ("no known story", DOWNLOADING, OTHER, CONFIRMED, UNKNOWN, IDLE, None, "unknown-journal"),
    ("no known story", DOWNLOADING, WANTED, CONFIRMED, CONFIRMED, IDLE, None, "unknown-journal"),
    ("no known story", TRIAL, OTHER, CONFIRMED, CONFIRMED, IDLE, None, "unknown-journal"),
)
# fmt: on


def test_each_story_ends_as_it_should() -> None:
    for name, journal, running, state, spare, resumed, code, boot_code in STORIES:
        robot = Robot(slots_in(running, state, spare))
        robot.saved = journal_in(journal)
        story = (name, journal, running, state, spare)
        assert find_row(robot.saved, robot.slots).name == name, story
        trace = robot.boots()
        assert trace == (WENT_BACK if name == "no known story, on trial" else TOLD), story
        assert (robot.journal.state, robot.journal.code) == (resumed, code), story
        assert robot.state.boot_code == boot_code, story
        assert robot.saved == robot.journal and robot.journal.boot == 8, story
        assert not robot.journal.acknowledged


def test_every_row_is_the_first_match_of_some_story() -> None:
    names = [row.name for row in RESUME]
    assert len(names) == len(set(names))
    assert set(names) == {story[0] for story in STORIES}


def test_every_combination_has_a_way_on_and_none_goes_on_from_an_unknown_one() -> None:
    matched = set()
    for state in STATES:
        for running in (SOURCE, WANTED, OTHER):
            for running_state in (CONFIRMED, TRIAL):
                for spare_state in SPARE_STATES:
                    robot = Robot(slots_in(running, running_state, spare_state))
                    robot.saved = journal_in(state)
                    if state != IDLE:
                        assert relation(robot.saved, robot.slots) == running
                    trace = robot.boots()
                    matched.add(find_row(journal_in(state), robot.slots).name)
                    if running_state == TRIAL and robot.journal.state not in (TRIAL, CONFIRMING):
                        assert trace == WENT_BACK, "no trial is left to itself"
                    if robot.journal.state in (TRIAL, CONFIRMING):
                        assert (running, running_state) == (WANTED, TRIAL)
                    if robot.journal.state == INSTALLED and state != INSTALLED:
                        assert (running, running_state) == (WANTED, CONFIRMED)
                    if trace == TOLD:
                        robot.on(answer())
    assert matched == {row.name for row in RESUME}


def test_a_recorded_failure_says_more_than_that_the_trial_ended() -> None:
    robot = Robot(case.runs_old(ROLLED_BACK))
    robot.saved = journal_in(TRIAL, code="relay-check-failed")
    robot.boots()
    assert (robot.journal.state, robot.journal.code) == (ROLLED_BACK, "relay-check-failed")


def boot_record_lost(attempts: int = 1) -> Robot:
    """Return a robot that finds after a boot that its boot record never reached flash."""
    robot = Robot(case.runs_old(UNKNOWN))
    robot.saved = journal_in(STAGED, attempts=attempts)
    robot.boots()
    return robot


def test_an_image_whose_boot_record_was_lost_is_judged_again_and_costs_an_attempt_each_time_until_none_is_left() -> (
    None
):
    robot = boot_record_lost()
    for attempts in (2, 3):
        assert (robot.journal.state, robot.journal.attempts) == (VERIFYING, attempts - 1)
        assert robot.on(answer()) == "Preflight"
        assert robot.on(on.PreflightPassed()) == "DigestSpare"
        assert robot.on(case.digested(case.NEW_FILE)) == "Preflight"
        assert robot.on(on.PreflightPassed()) == TOLD
        assert (robot.journal.state, robot.journal.attempts) == (STAGED, attempts)
        assert robot.on(answer()) == "SetBootSlot Reboot"
        robot.boots()
    assert (robot.journal.state, robot.journal.code, robot.journal.attempts) == (ROLLED_BACK, "stage-failed", 3)


def test_a_robot_whose_boot_record_was_lost_spends_no_attempt_while_it_is_held() -> None:
    robot = boot_record_lost(attempts=2)
    for _ in range(4):
        robot.on(answer())
        assert robot.on(on.PreflightHeld(code="held-motors")) == "ScheduleCheck"
        robot.boots()
        assert (robot.journal.state, robot.journal.attempts) == (VERIFYING, 2)


def test_a_spare_slot_that_was_damaged_along_with_its_boot_record_is_filled_again() -> None:
    robot = boot_record_lost()
    robot.on(answer())
    robot.on(on.PreflightPassed())
    assert robot.on(case.digested(case.NEW_FILE).replace(sha256="0" * 64)) == "SaveJournal StopFetch Preflight"
    assert (robot.journal.state, robot.journal.attempts) == (DOWNLOADING, 1)


def test_a_rollback_whose_boot_record_was_lost_trusts_the_spare_slot_only_as_long_as_it_reads_confirmed() -> None:
    order = case.offer_of(case.SPARE, case.SPARE_VERSION, rollback=True)
    for spare_state, trace, state, attempts in (
        (CONFIRMED, TOLD, STAGED, 2),
        (UNKNOWN, "SaveJournal Preflight", DOWNLOADING, 1),
        (EMPTY, "SaveJournal Preflight", DOWNLOADING, 1),
    ):
        robot = case.offered(order, case.HAS_SPARE)
        robot.on(on.PreflightPassed())
        robot.on(answer())
        robot.boots(case.HAS_SPARE.replace(spare=case.HAS_SPARE.spare.replace(state=spare_state)))
        assert (robot.journal.state, robot.journal.attempts) == (VERIFYING, 1)
        robot.on(answer())
        assert robot.on(on.PreflightPassed()) == trace, spare_state
        assert (robot.journal.state, robot.journal.attempts) == (state, attempts)


def test_an_image_installed_again_over_itself_is_told_apart_by_its_slot() -> None:
    offer = case.offer_of(case.OLD, case.OLD_VERSION, force=True)
    file = case.file_of(case.OLD, case.OLD_VERSION)
    both_old = RUNS_OLD.replace(spare=case.image_in("ota_1", case.OLD, "0.2.1", UNKNOWN))
    staged = case.staged(offer, file)
    assert relation(staged.journal, both_old) == SOURCE
    assert relation(staged.journal, case.runs_new(TRIAL, case.OLD)) == WANTED
    saved = staged.saved
    staged.boots(both_old)
    assert staged.journal.state == VERIFYING
    staged.saved = saved
    staged.boots(case.runs_new(CONFIRMED, case.OLD))
    assert staged.journal.state == INSTALLED


def test_a_robot_that_cannot_tell_its_running_digest_is_still_where_it_began() -> None:
    untold = RUNS_OLD.replace(running=RUNS_OLD.running.replace(digest=None))
    robot = case.offered(OFFER, untold)
    assert relation(robot.journal, untold) == SOURCE
    robot.boots()
    assert robot.journal.state == DOWNLOADING


def test_the_wanted_digest_of_a_minimal_offer_is_the_one_in_the_header() -> None:
    minimal = OFFER.replace(digest=None, manifest=None)
    assert relation(case.staged_minimal(minimal).journal, case.runs_new()) == WANTED
    assert relation(case.offered(minimal).journal, case.runs_new()) == OTHER


def test_a_robot_that_remembers_nothing_starts_a_new_epoch() -> None:
    robot = Robot()
    assert robot.boots() == TOLD
    assert (robot.report.epoch, robot.report.boot, robot.report.code) == ("epoch-1", 1, None)


def test_a_damaged_journal_is_reported_in_a_new_epoch() -> None:
    robot = Robot()
    robot.boots(damaged=True)
    assert (robot.report.epoch, robot.report.boot, robot.report.code) == ("epoch-1", 1, "damaged-journal")
    assert robot.report.assignment is None
    robot.boots()
    assert (robot.report.boot, robot.report.code) == (2, None)


def test_a_robot_that_went_back_from_an_unknown_story_says_so_at_the_next_boot() -> None:
    for damaged, code in ((False, "unknown-journal"), (True, "damaged-journal")):
        robot = Robot()
        assert robot.boots(case.runs_new(TRIAL), damaged=damaged) == WENT_BACK
        assert robot.boots(case.runs_old(ROLLED_BACK)) == TOLD
        assert robot.report.code == code
        robot.boots()
        assert robot.report.code is None, "once, like every other boot's finding"


def test_the_boot_counter_rises_at_every_boot_and_reports_count_anew() -> None:
    robot = Robot()
    for boot in (1, 2, 3):
        robot.boots()
        assert (robot.report.boot, robot.report.seq) == (boot, 1)
        robot.on(answer())
        robot.on(on.CheckDue())
        assert (robot.report.boot, robot.report.seq) == (boot, 2)


def test_forgetting_a_story_keeps_the_floor_and_the_versions_something_signed() -> None:
    robot = Robot(slots_in(OTHER, CONFIRMED))
    robot.saved = journal_in(DOWNLOADING)
    robot.boots()
    assert robot.journal.labels == journal_in(DOWNLOADING).labels != ()
    assert robot.journal.offer is None and robot.journal.received_bytes == 0


def test_states_are_either_at_rest_or_in_progress() -> None:
    assert set(STATES) == {IDLE} | set(IN_PROGRESS_STATES) | set(TERMINAL_STATES)
