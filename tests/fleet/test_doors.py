"""Which rollout takes a robot: the newest whose door is open, and never one older than what the robot has."""

from dataclasses import replace
from typing import Any, cast

from fleet.fleet_case import EVERYONE, HOUR_S, FleetCase, Voice
from surefoot.fleet.doors import FEW, Doors, Found, depends_on_time
from surefoot.fleet.model import Assignment, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollouts import pause_rollout
from surefoot.rollout.maintenance import Window
from surefoot.rollout.plan import one_robot_plan
from surefoot.rollout.ramp import Ramp
from surefoot.wire.version import Version


def find(fleet: FleetCase, voice: Voice, current: Assignment | None = None, running: str = "0.2.0") -> Found:
    return fleet.run(lambda rows: Doors(rows, fleet.now_s).find(voice.robot, current, Version.parse(running)))


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


def test_a_finished_rollout_goes_on_taking_no_more_than_its_places(fleet: FleetCase) -> None:
    rollout = fleet.start("0.2.1", replace(EVERYONE, capacity=1))
    fleet.offered(fleet.enrol())
    fleet.run(lambda rows: rows.put(replace(rollout, state=RolloutState.FINISHED)))
    assert find(fleet, fleet.enrol("late")).refusal == "at-capacity"


def test_old_finished_rollouts_are_not_read_at_each_check(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    for number in range(2 * FEW):
        finished = fleet.start(f"0.1.{number}")
        fleet.run(lambda rows, it=finished: rows.put(replace(it, state=RolloutState.FINISHED)))  # type: ignore[misc]
    asked: list[str] = []

    class Counting:
        def __init__(self, rows: Rows) -> None:
            self._rows = rows

        def __getattr__(self, name: str) -> Any:
            return getattr(self._rows, name)

        def get(self, kind: type[Any], key: str) -> Any:
            asked.append(key)
            return self._rows.get(kind, key)

    fleet.run(
        lambda rows: Doors(cast(Rows, Counting(rows)), fleet.now_s).find(robot.robot, None, Version.parse("0.9.0"))
    )
    assert [key for key in asked if key.startswith("standard-")] == [f"standard-0.1.{2 * FEW - 1}"]


def test_a_running_rollout_older_than_a_finished_one_still_takes_whom_that_one_does_not(fleet: FleetCase) -> None:
    robot = fleet.enrol(version="0.2.5")
    fleet.start("0.3.0")
    finished = fleet.start("0.2.1")
    fleet.run(lambda rows: rows.put(replace(finished, state=RolloutState.FINISHED)))
    assert taken_by(find(fleet, robot, running="0.2.5")) == "0.3.0"


def test_an_excluded_robot_is_offered_nothing_and_holds_no_phase_up(fleet: FleetCase) -> None:
    first, excluded = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    rollout_id = fleet.start("0.2.1", replace(EVERYONE, exclude=("robot-2",))).rollout_id
    assert fleet.hear(excluded).offer is None
    assert find(fleet, excluded).refusal == "excluded"
    fleet.install(first)
    fleet.watch(HOUR_S)
    assert fleet.rollout(rollout_id).state is RolloutState.FINISHED


def test_a_wave_is_full_until_the_engine_looks_again(fleet: FleetCase) -> None:
    robots = [fleet.enrol(f"robot-{number}") for number in range(3)]
    rollout = fleet.start("0.2.1", replace(EVERYONE, ramp=Ramp(first_wave=2)))
    for robot in robots[:2]:
        fleet.install(robot)
    # Both have ended, so it is not the capacity that keeps the third away.
    assert fleet.hear(robots[2]).offer is None
    assert find(fleet, robots[2]).refusal == "wave-full"
    fleet.run(lambda rows: rows.put(replace(rollout, offers_max=3)))
    assert fleet.hear(robots[2]).offer is not None


def test_a_plan_without_a_ramp_has_no_waves(fleet: FleetCase) -> None:
    assert fleet.start("0.2.1", replace(EVERYONE, ramp=None)).offers_max is None
    assert fleet.start("0.2.2", replace(EVERYONE, ramp=Ramp(first_wave=5))).offers_max == 5


def test_what_a_robot_is_kept_from_lets_an_older_rollout_have_its_turn(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    fleet.start("0.2.2", replace(EVERYONE, exclude=("robot-1",)))
    assert taken_by(find(fleet, robot)) == "0.2.1"


def test_only_a_rollout_with_windows_depends_on_the_time(fleet: FleetCase) -> None:
    robot = fleet.enrol().robot
    other = replace(robot, sku="other")
    fleet.start("0.2.1")
    assert not fleet.run(lambda rows: depends_on_time(rows, robot))
    night = fleet.start("0.2.2", replace(EVERYONE, maintenance_windows=(Window(from_min=0, to_min=60),)))
    assert fleet.run(lambda rows: depends_on_time(rows, robot))
    assert not fleet.run(lambda rows: depends_on_time(rows, other))
    # Robots that join late are brought up to date in windows, too.
    fleet.run(lambda rows: rows.put(replace(night, state=RolloutState.FINISHED)))
    assert fleet.run(lambda rows: depends_on_time(rows, robot))
    fleet.run(lambda rows: rows.put(replace(night, state=RolloutState.HALTED)))
    assert not fleet.run(lambda rows: depends_on_time(rows, robot))


def test_the_windows_of_a_rollout_for_one_robot_are_that_robots_matter(fleet: FleetCase) -> None:
    own, other = fleet.enrol().robot, fleet.enrol("robot-2").robot
    alone = one_robot_plan("robot-1")
    fleet.start("0.2.1", replace(alone, maintenance_windows=(Window(from_min=0, to_min=60),)))
    assert fleet.run(lambda rows: depends_on_time(rows, own))
    assert not fleet.run(lambda rows: depends_on_time(rows, other))
