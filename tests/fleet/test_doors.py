"""Which rollout takes a robot: the newest whose door is open, and never one older than what the robot has."""

from dataclasses import replace

from fleet.fleet_case import EVERYONE, FleetCase, Voice
from surefoot.fleet.doors import Doors, Found, count_places_taken
from surefoot.fleet.model import Assignment, RolloutState
from surefoot.fleet.rollouts import pause_rollout
from surefoot.wire.version import Version


def find(fleet: FleetCase, voice: Voice, current: Assignment | None = None, running: str = "0.2.0") -> Found:
    return fleet.run(lambda rows: Doors(rows).find(voice.robot, current, Version.parse(running)))


def taken_by(found: Found) -> str | None:
    return None if found.entrance is None else str(found.entrance.release.version)


def test_the_newest_open_door_takes_the_robot(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    newer = fleet.start("0.2.2")
    assert (taken_by(find(fleet, robot)), find(fleet, robot).refusal) == ("0.2.2", None)
    fleet.run(lambda rows: pause_rollout(rows, newer.rollout_id, "", fleet.now_s))
    assert (taken_by(find(fleet, robot)), find(fleet, robot).refusal) == ("0.2.1", None)


def test_a_robot_is_never_taken_back_to_what_is_older_than_its_assignment(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    fleet.start("0.2.2")
    fleet.offered(robot)
    assert find(fleet, robot, fleet.assignment()) == Found(entrance=None, refusal=None)
    newest = fleet.start("0.2.3")
    assert taken_by(find(fleet, robot, fleet.assignment())) == "0.2.3"
    fleet.run(lambda rows: pause_rollout(rows, newest.rollout_id, "", fleet.now_s))
    assert find(fleet, robot, fleet.assignment()) == Found(entrance=None, refusal="paused")


def test_a_finished_rollout_counts_no_places_as_taken(fleet: FleetCase) -> None:
    rollout = fleet.start("0.2.1", replace(EVERYONE, capacity=1))
    fleet.offered(fleet.enrol())
    assert fleet.run(lambda rows: count_places_taken(rows, rollout)) == 1
    finished = replace(rollout, state=RolloutState.FINISHED)
    assert fleet.run(lambda rows: count_places_taken(rows, finished)) == 0
