"""How long a download took, by what the fleet hears of it, and what is not counted."""

from dataclasses import replace
from typing import Any

from fleet.aws_service_case import device_on
from fleet.fleet_case import EVERYONE, HOUR_S, FleetCase, Voice
from surefoot.wire.offer import Offer
from surefoot.wire.report import AssignmentReport

OFTEN = replace(EVERYONE, failures_max=9, attempts_max=5, silence_deadline_s=24 * HOUR_S)


def offered(fleet: FleetCase) -> tuple[Voice, Offer]:
    """Return a robot and the offer it got."""
    fleet.start("0.2.1", OFTEN)
    robot = fleet.enrol()
    return robot, fleet.offered(robot)


def hear(fleet: FleetCase, robot: Voice, after_s: float, state: str, received_bytes: int = 0, **said: Any) -> None:
    """Let time pass, then let the robot say where it is with its newest assignment."""
    fleet.now_s += after_s
    assignment_id = fleet.assignment().assignment_id
    word = AssignmentReport(id=assignment_id, state=state, attempts=1, received_bytes=received_bytes, code=None)
    robot.said = word.replace(**said)
    fleet.hear(robot)


def test_a_download_counts_from_the_offer_to_the_word_that_the_image_is_whole(fleet: FleetCase) -> None:
    robot, _ = offered(fleet)
    assert fleet.assignment().downloading_since_s == fleet.now_s
    hear(fleet, robot, 40, "staged", 4096)
    assert fleet.assignment().download_s == 40


def test_an_image_that_is_whole_and_waits_to_be_let_in_is_downloaded(fleet: FleetCase) -> None:
    robot, _ = offered(fleet)
    hear(fleet, robot, 40, "verifying", 4096, code="held-battery")
    hear(fleet, robot, 600, "staged", 4096)
    assert fleet.assignment().download_s == 40


def test_pauses_amid_a_download_count(fleet: FleetCase) -> None:
    robot, _ = offered(fleet)
    hear(fleet, robot, 100, "downloading", 1024, code="download-interrupted")
    hear(fleet, robot, 20, "staged", 4096)
    assert fleet.assignment().download_s == 120


def test_the_wait_before_the_first_byte_does_not_count(fleet: FleetCase) -> None:
    robot, _ = offered(fleet)
    for _ in range(3):
        hear(fleet, robot, 60, "downloading", code="held-battery")
    hear(fleet, robot, 15, "staged", 4096)
    assert fleet.assignment().download_s == 15


def test_a_robot_that_is_offered_the_image_again_for_the_answer_was_lost_begins_then(fleet: FleetCase) -> None:
    robot, first = offered(fleet)
    fleet.now_s += 6 * HOUR_S
    assert fleet.offered(robot).id == first.id
    hear(fleet, robot, 30, "staged", 4096)
    assert fleet.assignment().download_s == 30


def test_a_robot_that_first_speaks_after_its_restart_is_not_counted(fleet: FleetCase) -> None:
    robot, offer = offered(fleet)
    robot.runs("0.2.1", "trial")
    hear(fleet, robot, 40, "trial", 4096)
    robot.runs("0.2.1")
    hear(fleet, robot, 40, "installed", 4096)
    found = fleet.assignment()
    assert found.assignment_id == offer.id and found.installed_at_s is not None
    assert found.download_s is None


def test_a_robot_that_downloads_yet_is_not_counted(fleet: FleetCase) -> None:
    robot, _ = offered(fleet)
    hear(fleet, robot, 40, "downloading", 1024)
    assert fleet.assignment().download_s is None


def test_repeated_and_reordered_reports_change_nothing(fleet: FleetCase) -> None:
    robot, offer = offered(fleet)
    robot.said = AssignmentReport(id=offer.id, state="downloading", attempts=1, received_bytes=0, code="held-battery")
    old = robot.report()
    hear(fleet, robot, 40, "staged", 4096)
    before = fleet.assignment()
    assert before.download_s == 40
    fleet.now_s += 100
    for report in (old, robot.report(seq=robot.seq), old):
        fleet.deliver(robot, report)
    hear(fleet, robot, 100, "staged", 4096)
    assert fleet.assignment() == before


def test_an_old_report_does_not_move_the_beginning(fleet: FleetCase) -> None:
    robot, offer = offered(fleet)
    robot.said = AssignmentReport(id=offer.id, state="downloading", attempts=1, received_bytes=0, code="held-battery")
    old = robot.report()
    hear(fleet, robot, 40, "downloading", 1024)
    fleet.now_s += 100
    fleet.deliver(robot, old)
    hear(fleet, robot, 10, "staged", 4096)
    assert fleet.assignment().download_s == 150


def test_a_second_attempt_does_not_count_twice(fleet: FleetCase) -> None:
    robot, _ = offered(fleet)
    hear(fleet, robot, 40, "staged", 4096)
    hear(fleet, robot, 100, "rolled_back", 4096, code="trial-interrupted")
    hear(fleet, robot, 7, "staged", 4096, attempts=2)
    assert fleet.assignment().download_s == 40


def test_a_second_attempt_counts_from_its_own_offer_where_the_first_never_had_the_image(fleet: FleetCase) -> None:
    robot, _ = offered(fleet)
    hear(fleet, robot, 40, "refused", 1024, code="cancelled")
    hear(fleet, robot, 7, "staged", 4096, attempts=2)
    assert fleet.assignment().download_s == 7


def test_what_a_robot_says_of_another_assignment_is_not_taken_for_this_one(fleet: FleetCase) -> None:
    robot, _ = offered(fleet)
    hear(fleet, robot, 40, "staged", 4096, id="another")
    assert fleet.assignment().download_s is None


def test_a_way_back_to_what_was_still_there_is_no_download(fleet: FleetCase) -> None:
    robot, _ = offered(fleet)
    way_back = replace(fleet.assignment(), rollback=True)
    fleet.run(lambda rows: rows.put_assignment(way_back))
    hear(fleet, robot, 1, "staged", 0)
    assert fleet.assignment().download_s is None
    hear(fleet, robot, 40, "staged", 4096)
    assert fleet.assignment().download_s == 41


def test_a_clock_that_was_set_back_measures_nothing(fleet: FleetCase) -> None:
    robot, _ = offered(fleet)
    hear(fleet, robot, -3600, "staged", 4096)
    assert fleet.assignment().download_s is None


def test_who_only_asks_with_a_version_has_no_download_time(fleet: FleetCase) -> None:
    fleet.start("0.2.1", OFTEN)
    robot = fleet.enrol()
    assert fleet.poll(robot, "0.2.0") is not None
    assert fleet.assignment().downloading_since_s is None


def test_a_device_made_for_aws_jobs_counts_from_its_word_that_it_receives(fleet: FleetCase) -> None:
    service, _ = device_on(fleet)
    job_id = service.ask("$next/get", {})["execution"]["jobId"]
    fleet.now_s += HOUR_S
    for blocks in (1, 64):
        service.ask(f"{job_id}/update", {"status": "IN_PROGRESS", "statusDetails": {"receive": f"{blocks}/74"}})
        fleet.now_s += 30
    details = {"self_test": "ready", "updatedBy": "0x00020000"}
    service.ask(f"{job_id}/update", {"status": "IN_PROGRESS", "statusDetails": details})
    # Each question takes it a second.
    assert fleet.assignment().download_s == 62
