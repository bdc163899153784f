from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fleet.fleet_case import EVERYONE, HOUR_S, FleetCase
from support import code_of
from surefoot.fleet.zones import RobotZone, set_zone, week_min, zone_of
from surefoot.rollout.maintenance import Window

NIGHT = replace(EVERYONE, maintenance_windows=(Window(from_min=60, to_min=4 * 60),))


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def place(fleet: FleetCase, zone: str, robot_id: str = "robot-1") -> RobotZone:
    return fleet.run(lambda rows: set_zone(rows, robot_id, zone, fleet.now_s))


def test_a_robot_goes_by_utc_until_somebody_says_where_it_stands(fleet: FleetCase) -> None:
    fleet.enrol()
    monday = at("2026-11-23T00:30")
    assert fleet.run(lambda rows: (zone_of(rows, "robot-1"), week_min(rows, "robot-1", monday))) == ("UTC", 30)
    place(fleet, "America/New_York")
    sunday_evening = 6 * 1440 + 19 * 60 + 30
    assert fleet.run(lambda rows: week_min(rows, "robot-1", monday)) == sunday_evening
    assert fleet.history()[-1].text == "Its time zone is America/New_York."


def test_summer_time_is_kept(fleet: FleetCase) -> None:
    fleet.enrol()
    place(fleet, "Europe/Berlin")
    assert fleet.run(lambda rows: week_min(rows, "robot-1", at("2026-07-06T00:00"))) == 120
    assert fleet.run(lambda rows: week_min(rows, "robot-1", at("2026-12-07T00:00"))) == 60


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe", "x" * 65, "a\0b"])
def test_what_is_no_time_zone_is_refused(fleet: FleetCase, zone: str) -> None:
    fleet.enrol()
    assert code_of(place, fleet, zone) == "refused-time-zone"
    assert fleet.run(lambda rows: rows.get(RobotZone, "robot-1")) is None


def test_only_robots_of_the_fleet_have_a_time_zone(fleet: FleetCase) -> None:
    assert code_of(place, fleet, "UTC", "nobody") == "not-found-robot"


def test_a_robot_is_offered_an_update_only_inside_a_window_of_its_own_time(fleet: FleetCase) -> None:
    fleet.now_s = at("2026-11-23T00:30")
    here, there = fleet.enrol("here"), fleet.enrol("there")
    place(fleet, "Europe/Berlin", "there")
    fleet.start("0.2.1", NIGHT)
    assert fleet.hear(here).offer is None
    assert fleet.status("here").verdict.code == "outside-window"
    assert fleet.hear(there).offer is not None
    fleet.now_s += HOUR_S / 2
    assert fleet.hear(here).offer is not None


def test_an_offer_that_was_not_taken_waits_for_the_next_window(fleet: FleetCase) -> None:
    fleet.now_s = at("2026-11-23T03:59")
    robot = fleet.enrol()
    fleet.start("0.2.1", NIGHT)
    offer = fleet.offered(robot)
    fleet.now_s += 60
    assert fleet.hear(robot).offer is None
    assert fleet.assignment().code == "outside-window"
    robot.says(offer.id, "downloading")
    assert fleet.hear(robot).cancelled is None
    fleet.now_s = at("2026-11-24T01:00")
    robot.said = None
    assert fleet.offered(robot).id == offer.id


def test_in_a_zone_that_this_machine_does_not_know_it_is_never_time(fleet: FleetCase) -> None:
    fleet.now_s = at("2026-11-23T02:00")
    robot = fleet.enrol()
    fleet.run(lambda rows: rows.put(RobotZone(robot_id="robot-1", zone="Lost/Atlantis")))
    fleet.start("0.2.1", NIGHT)
    assert fleet.hear(robot).offer is None
