"""A robot's contact with the fleet: what is stored, what is answered, and what is offered to whom."""

from dataclasses import replace

import pytest

from fleet.fleet_case import EVERYONE, HOUR_S, SETTINGS, FleetCase, Voice, digest_of
from support import code_of
from surefoot.fleet.exchange import exchange
from surefoot.fleet.facts import PAST_EPOCHS_MAX, POLL_EPOCH
from surefoot.fleet.model import Status
from surefoot.fleet.rollouts import halt_rollout, pause_rollout, resume_rollout
from surefoot.rollout.membership import position
from surefoot.rollout.plan import Phase, Plan

pytestmark = pytest.mark.every_database

ONE_AT_A_TIME = replace(EVERYONE, capacity=1)


def told(fleet: FleetCase) -> tuple[object, ...]:
    """Return everything that is stored of the robot."""
    return fleet.facts(), fleet.assignment(), fleet.history()


def test_an_offer_says_all_that_the_robot_needs(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    offer = fleet.offered(robot)
    release = fleet.stored_release("0.2.1")
    assert offer.id == fleet.assignment().assignment_id
    assert offer.url == f"https://fleet.test/v1/images/{release.sha256}"
    assert (offer.sha256, offer.size_bytes) == (release.sha256, release.size_bytes)
    assert offer.digest == release.digest != offer.sha256
    assert (offer.version, offer.sku, offer.release) == (release.version, release.sku, release.release_id)
    assert offer.manifest == release.manifest
    assert (offer.force, offer.rollback, offer.attempt) == (False, False, 1)


def test_asking_again_repeats_the_same_offer(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    assert fleet.offered(robot) == fleet.offered(robot)
    assert [entry.kind for entry in fleet.history()] == ["assigned"]


def test_a_force_and_a_rollback_order_travel_with_the_offer(fleet: FleetCase) -> None:
    robot = fleet.enrol(version="0.2.1", digest=digest_of("0.2.1"))
    fleet.start("0.2.1")
    fleet.hear(robot)
    forced = replace(fleet.assignment(), force=True, rollback=True, installed_at_s=None)
    fleet.run(lambda rows: rows.put_assignment(forced))
    offer = fleet.offered(robot)
    assert (offer.force, offer.rollback) == (True, True)


def test_a_repeated_report_changes_nothing_and_is_answered(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    report = robot.report()
    first = fleet.deliver(robot, report)
    before = told(fleet)
    fleet.now_s += 60
    assert fleet.deliver(robot, report) == first
    assert told(fleet) == before


def test_a_late_report_changes_nothing_and_is_answered_by_what_is_true_now(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    late = robot.report()
    offer = fleet.install(robot)
    before = told(fleet)
    answer = fleet.deliver(robot, late)
    assert (answer.offer, answer.acknowledged) == (None, offer.id)
    assert told(fleet) == before


def test_only_a_report_from_behind_what_is_known_is_told_that_it_is_out_of_date(fleet: FleetCase) -> None:
    robot = fleet.enrol(boot=5)
    late, first = robot.report(), robot.report()
    assert fleet.deliver(robot, first).stale is False
    assert fleet.deliver(robot, first).stale is False, "a copy, or the robot itself that did not get its answer"
    assert fleet.deliver(robot, late).stale is True
    assert fleet.hear(robot, boot=4, seq=99).stale is True
    assert fleet.hear(robot).stale is False
    robot.resets("second")
    assert fleet.hear(robot).stale is False
    assert fleet.deliver(robot, first).stale is True


def test_another_thing_under_one_number_is_out_of_date_and_a_copy_is_not(fleet: FleetCase) -> None:
    robot = fleet.enrol(boot=5)
    fleet.start("0.2.1")
    robot.says(fleet.offered(robot).id, "rolled_back", code="trial-failed")
    fleet.hear(robot)
    robot.said = None
    forgetful = robot.report()
    assert [fleet.deliver(robot, forgetful).stale for _ in range(2)] == [False, False]
    before = told(fleet)
    assert fleet.deliver(robot, forgetful.replace(version_floor="0.2.0")).stale is True
    assert told(fleet) == before


def test_a_robot_whose_epoch_a_late_report_ended_hears_so_and_counts_again_in_a_new_one(fleet: FleetCase) -> None:
    robot = fleet.enrol(epoch="first")
    fleet.start("0.2.1")
    fleet.hear(robot)
    robot.resets("middle")
    late = robot.report()
    robot.resets("last")
    offer = fleet.install(robot)
    fleet.deliver(robot, late)
    known = fleet.facts()
    assert known is not None and known.report.epoch == "middle"
    assert fleet.hear(robot).stale is True, "what lives now is taken for the past"
    robot.epoch = "afresh"
    assert fleet.hear(robot).stale is False
    assert fleet.assignment().status is Status.INSTALLED
    known = fleet.facts()
    assert known is not None
    assert (known.report.epoch, known.past_epochs) == ("afresh", ("middle", "last", "first"))
    assert known.report.assignment is not None and known.report.assignment.id == offer.id
    assert fleet.deliver(robot, late).stale is True
    assert fleet.facts() == known


def test_a_boot_counts_more_than_a_sequence_number(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.hear(robot, boot=2, seq=1)
    fleet.hear(robot, boot=1, seq=99)
    known = fleet.facts()
    assert known is not None
    assert (known.report.boot, known.report.seq) == (2, 1)


def test_a_factory_reset_starts_the_counters_over_and_is_recorded(fleet: FleetCase) -> None:
    robot = fleet.enrol(boot=40)
    fleet.hear(robot)
    robot.resets("second")
    fleet.hear(robot)
    known = fleet.facts()
    assert known is not None
    assert (known.report.epoch, known.report.boot, known.past_epochs) == ("second", 1, ("first",))
    assert [entry.kind for entry in fleet.history()] == ["reset"]


def test_a_late_report_from_before_a_reset_is_ignored(fleet: FleetCase) -> None:
    robot = fleet.enrol(boot=40)
    fleet.hear(robot)
    late = robot.report()
    robot.resets("second")
    fleet.hear(robot)
    before = fleet.facts(), fleet.history()
    fleet.deliver(robot, late)
    assert (fleet.facts(), fleet.history()) == before


def test_only_so_many_past_epochs_are_kept(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    for number in range(PAST_EPOCHS_MAX + 3):
        robot.resets(f"epoch-{number}")
        fleet.hear(robot)
    known = fleet.facts()
    assert known is not None
    assert len(known.past_epochs) == PAST_EPOCHS_MAX
    assert known.past_epochs[0] == f"epoch-{PAST_EPOCHS_MAX + 1}"


def test_a_report_of_another_robot_is_refused_and_nothing_written(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.enrol("robot-2")
    fleet.start("0.2.1")
    assert code_of(fleet.hear, robot, robot_id="robot-2") == "refused-robot-mismatch"
    assert fleet.facts("robot-1") is None
    assert fleet.facts("robot-2") is None
    assert fleet.status("robot-2").assignment is None


def test_a_report_of_another_sku_is_refused_and_nothing_written(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    assert code_of(fleet.hear, robot, sku="heavy") == "refused-sku-mismatch"
    assert fleet.facts() is None
    assert fleet.history() == []


def test_an_ending_is_acknowledged_again_and_again_and_progress_never(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    offer = fleet.offered(robot)
    robot.says(offer.id, "downloading")
    assert fleet.hear(robot).acknowledged is None
    robot.says(offer.id, "refused", code="refused-sku")
    assert [fleet.hear(robot).acknowledged for _ in range(2)] == [offer.id, offer.id]


def test_the_end_of_an_assignment_that_is_not_known_is_acknowledged_too(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    robot.says("sha256-0123", "installed")
    assert fleet.hear(robot).acknowledged == "sha256-0123"


def test_an_ending_that_the_robot_forgot_is_kept(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    robot.says(fleet.offered(robot).id, "rolled_back", code="trial-failed")
    fleet.hear(robot)
    robot.said = None
    answer = fleet.hear(robot)
    assert answer.offer is None
    assert (fleet.assignment().status, fleet.assignment().code) == (Status.ROLLED_BACK, "trial-failed")


def test_progress_that_the_robot_forgot_is_not_kept(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    offer = fleet.offered(robot)
    robot.says(offer.id, "downloading", attempts=0)
    fleet.hear(robot)
    robot.said = None
    assert fleet.offered(robot).id == offer.id
    assert fleet.assignment().status is Status.WAITING


def test_an_ending_from_before_a_factory_reset_is_dropped(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    robot.says(fleet.offered(robot).id, "rolled_back", code="trial-failed")
    fleet.hear(robot)
    robot.resets("second")
    assert fleet.hear(robot).offer is not None
    assert fleet.assignment().status is Status.WAITING


def test_a_rollback_by_chance_is_offered_again_with_the_next_attempt_until_they_are_used_up(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1", replace(EVERYONE, attempts_max=3))
    offer = fleet.offered(robot)
    for attempts in (1, 2):
        robot.says(offer.id, "rolled_back", attempts, "trial-interrupted")
        again = fleet.offered(robot)
        assert (again.id, again.attempt) == (offer.id, attempts + 1)
        assert fleet.assignment().attempt == attempts + 1
        assert fleet.status().verdict.failed is False
    robot.says(offer.id, "rolled_back", 3, "trial-interrupted")
    assert fleet.hear(robot).offer is None
    assert fleet.status().verdict.failed is True
    assert fleet.assignment().attempt == 3


def test_a_robot_that_is_cut_off_is_told_again_where_the_image_lies_and_spends_no_attempt(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    offer = fleet.offered(robot)
    robot.says(offer.id, "downloading", attempts=0)
    assert fleet.hear(robot).offer is None
    robot.says(offer.id, "downloading", attempts=0, code="download-interrupted")
    assert fleet.hear(robot).offer == offer
    moved = replace(SETTINGS, public_url="https://moved.test")
    report = robot.report()
    answer = fleet.run(lambda rows: exchange(rows, robot.robot, report, fleet.now_s, moved, lambda: "none"))
    assert answer.offer == offer.replace(url=offer.url.replace("fleet.test", "moved.test"))
    assert (fleet.assignment().status, fleet.assignment().code) == (Status.DOWNLOADING, "download-interrupted")


def test_a_rollback_that_judged_the_image_is_not_offered_again(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    robot.says(fleet.offered(robot).id, "rolled_back", 1, "trial-failed")
    assert fleet.hear(robot).offer is None


def test_paused_and_halted_hold_the_offer_by_name(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    rollout_id = fleet.start("0.2.1").rollout_id
    fleet.offered(robot)
    fleet.run(lambda rows: pause_rollout(rows, rollout_id, "lunch", fleet.now_s))
    assert fleet.hear(robot).offer is None
    assert (fleet.assignment().status, fleet.assignment().code) == (Status.WAITING, "paused")
    fleet.run(lambda rows: halt_rollout(rows, rollout_id, "smoke", fleet.now_s))
    assert fleet.hear(robot).offer is None
    assert fleet.assignment().code == "halted"
    fleet.run(lambda rows: resume_rollout(rows, rollout_id, "no fire", fleet.now_s))
    assert fleet.hear(robot).offer is not None
    assert fleet.assignment().code is None


def test_a_halt_does_not_take_an_image_from_a_robot_on_trial(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    rollout_id = fleet.start("0.2.1").rollout_id
    offer = fleet.offered(robot)
    fleet.run(lambda rows: halt_rollout(rows, rollout_id, "smoke", fleet.now_s))
    robot.runs("0.2.1", "trial")
    robot.says(offer.id, "trial")
    fleet.hear(robot)
    assert (fleet.assignment().status, fleet.assignment().code) == (Status.ON_TRIAL, None)


def test_an_offer_takes_a_place_before_the_robot_says_that_it_took_it(fleet: FleetCase) -> None:
    first, second = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    fleet.start("0.2.1", ONE_AT_A_TIME)
    assert fleet.hear(first).offer is not None
    assert fleet.hear(second).offer is None
    assert fleet.status("robot-2").assignment is None
    first.runs("0.2.1")
    fleet.hear(first)
    assert fleet.hear(second).offer is not None


def test_a_robot_whose_phase_is_closed_gets_nothing(fleet: FleetCase) -> None:
    inside, outside = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    named = Phase(name="internal", robots=("robot-1",), soak_s=0)
    fleet.start("0.2.1", Plan(phases=(named, *EVERYONE.phases)))
    assert fleet.hear(inside).offer is not None
    assert fleet.hear(outside).offer is None
    assert fleet.status("robot-2").verdict.status is Status.UNASSIGNED


def test_a_robot_that_runs_a_newer_version_gets_nothing(fleet: FleetCase) -> None:
    robot = fleet.enrol(version="0.3.0", digest=digest_of("0.3.0"))
    fleet.start("0.2.1")
    assert fleet.hear(robot).offer is None
    assert fleet.status().assignment is None


def test_a_newer_rollout_takes_the_place_of_one_that_has_not_ended(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    old = fleet.start("0.2.1")
    first = fleet.offered(robot)
    fleet.start("0.2.2")
    second = fleet.offered(robot)
    assert (second.id != first.id, str(second.version)) == (True, "0.2.2")
    replaced = fleet.assignment_of(old)
    assert replaced.status is Status.SUPERSEDED


@pytest.mark.parametrize(
    ("version", "said", "status"),
    [("0.2.1", "installed", Status.INSTALLED), ("0.2.0", "rolled_back", Status.ROLLED_BACK)],
)
def test_an_ending_that_comes_after_a_newer_rollout_began_is_recorded_before_that_takes_over(
    fleet: FleetCase, version: str, said: str, status: Status
) -> None:
    robot = fleet.enrol()
    old = fleet.start("0.2.1")
    offer = fleet.offered(robot)
    fleet.start("0.2.2")
    robot.runs(version)
    robot.says(offer.id, said, code="trial-failed" if said == "rolled_back" else None)
    answer = fleet.hear(robot)
    assert fleet.assignment_of(old).status is status
    assert answer.acknowledged == offer.id
    assert answer.offer is not None and str(answer.offer.version) == "0.2.2"


@pytest.mark.parametrize("state", ["staged", "trial", "confirming"])
def test_a_robot_on_trial_ends_that_before_a_newer_rollout_takes_it(fleet: FleetCase, state: str) -> None:
    robot = fleet.enrol()
    old = fleet.start("0.2.1")
    offer = fleet.offered(robot)
    robot.says(offer.id, state)
    fleet.start("0.2.2")
    assert fleet.hear(robot).offer is None
    robot.says(offer.id, "rolled_back", code="trial-failed")
    answer = fleet.hear(robot)
    assert answer.offer is not None and str(answer.offer.version) == "0.2.2"
    assert (fleet.assignment_of(old).status, fleet.assignment_of(old).code) == (Status.ROLLED_BACK, "trial-failed")


def test_a_newer_rollout_leaves_an_ending_as_it_was(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    old = fleet.start("0.2.1")
    fleet.install(robot)
    fleet.start("0.2.2")
    fleet.install(robot)
    ended = fleet.assignment_of(old)
    assert ended.status is Status.INSTALLED
    assert fleet.assignment().release_id == "standard-0.2.2"


def test_a_newer_rollout_that_is_closed_leaves_the_robot_with_the_older_one(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    newer = fleet.start("0.2.2")
    fleet.run(lambda rows: pause_rollout(rows, newer.rollout_id, "", fleet.now_s))
    assert str(fleet.offered(robot).version) == "0.2.1"


def test_a_robot_that_joins_a_finished_rollout_is_brought_up_to_date_within_its_capacity(fleet: FleetCase) -> None:
    rollout = fleet.start("0.2.1", ONE_AT_A_TIME)
    fleet.install(fleet.enrol("robot-1"))
    fleet.tick(after_s=1)
    assert fleet.rollout(rollout.rollout_id).state == "finished"
    second, third = fleet.enrol("robot-2"), fleet.enrol("robot-3")
    fleet.offered(second)
    assert fleet.hear(third).offer is None
    second.runs("0.2.1")
    fleet.hear(second)
    assert fleet.hear(third).offer is not None


def test_a_robot_at_rest_asks_seldom_and_at_its_own_time_and_a_busy_one_often(fleet: FleetCase) -> None:
    robots = [fleet.enrol(f"robot-{number}") for number in range(4)]
    paces = {fleet.hear(voice).next_check_s for voice in robots}
    assert len(paces) == 4
    spread_s = SETTINGS.next_check_jitter_s
    assert all(pace is not None and abs(pace - SETTINGS.next_check_s) <= spread_s for pace in paces)
    expected = SETTINGS.next_check_s + (position(b"pace", "robot-0") * 2 - 1) * spread_s
    assert fleet.hear(robots[0]).next_check_s == round(expected)
    fleet.start("0.2.1")
    assert fleet.hear(robots[0]).next_check_s == SETTINGS.busy_check_s


# Robots that only say a version.


def test_a_poll_with_an_older_version_is_offered_the_release(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    offer, again = fleet.poll(robot, "0.2.0"), fleet.poll(robot, "0.2.0")
    assert offer is not None
    assert str(offer.version) == "0.2.1"
    assert offer == again


def test_a_poll_with_the_wanted_version_gets_nothing_and_is_not_taken_for_proof(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    fleet.poll(robot, "0.2.0")
    assert fleet.poll(robot, "0.2.1") is None
    assert fleet.status().verdict.status is Status.UNKNOWN
    assert fleet.assignment().is_open is False


def test_a_poll_with_a_newer_version_gets_nothing(fleet: FleetCase) -> None:
    fleet.start("0.2.1")
    assert fleet.poll(fleet.enrol(), "0.3.0") is None


def test_a_poll_without_a_rollout_gets_nothing(fleet: FleetCase) -> None:
    assert fleet.poll(fleet.enrol(), "0.2.0") is None


def test_a_poll_of_a_held_rollout_gets_nothing(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    rollout = fleet.start("0.2.1")
    assert fleet.poll(robot, "0.2.0") is not None
    fleet.run(lambda rows: pause_rollout(rows, rollout.rollout_id, "", fleet.now_s))
    assert fleet.poll(robot, "0.2.0") is None


def test_a_poll_with_another_sku_or_a_word_for_a_version_is_refused(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    assert code_of(fleet.poll, robot, "0.2.0", "heavy") == "refused-sku-mismatch"
    assert code_of(fleet.poll, robot, "latest") == "refused-version-format"


def test_a_poll_of_a_robot_that_reported_keeps_it_from_being_silent(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1", replace(EVERYONE, silence_deadline_s=HOUR_S))
    fleet.hear(robot)
    fleet.watch(23 * HOUR_S / 24)
    fleet.poll(robot, "0.2.0")
    fleet.watch(23 * HOUR_S / 24)
    assert fleet.assignment().status is Status.WAITING


def test_a_robot_that_only_polls_is_heard_and_does_not_fall_silent(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    rollout = fleet.start("0.2.1", replace(EVERYONE, silence_deadline_s=HOUR_S))
    for _ in range(3):
        assert fleet.poll(robot, "0.2.0") is not None
        fleet.watch(HOUR_S)
        known = fleet.facts()
        assert known is not None and known.report.epoch == POLL_EPOCH
        assert (str(known.running_version), known.report.running.digest) == ("0.2.0", None)
        assert fleet.assignment().status is Status.UNKNOWN
    fleet.tick(after_s=1)
    assert fleet.assignment().status is Status.SILENT
    assert fleet.rollout(rollout.rollout_id).state == "halted"


def test_the_first_report_of_a_robot_that_polled_is_no_reset(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.poll(robot, "0.2.0")
    answer = fleet.hear(robot)
    known = fleet.facts()
    assert known is not None
    assert (answer.stale, known.report.epoch, known.past_epochs) == (False, "first", ())
    assert fleet.history() == []
    fleet.poll(robot, "0.9.0")
    known = fleet.facts()
    assert known is not None and known.report.running.version == "0.2.0", "a report says more than a poll"


@pytest.mark.parametrize("digest", [None, digest_of("0.2.1")])
def test_a_digest_that_is_not_told_is_not_guessed_from_the_version(fleet: FleetCase, digest: str | None) -> None:
    robot: Voice = fleet.enrol(version="0.2.1", digest=digest)
    fleet.start("0.2.1")
    fleet.hear(robot)
    assert fleet.assignment().status is (Status.INSTALLED if digest else Status.UNKNOWN)
