"""Once robots were led back: nobody goes back and forth, nobody is forgotten, and what stands still says so."""

from dataclasses import replace
from functools import partial

import pytest

from fleet.fleet_case import HOUR_S, Voice
from fleet.health_case import WATCHED, HealthCase, in_memory
from surefoot.fleet.model import Rollout, RolloutState
from surefoot.fleet.recall import recall_release
from surefoot.fleet.rollouts import resume_rollout
from surefoot.rollout.plan import Phase

SOAKS = replace(
    WATCHED,
    phases=(Phase(name="half", percent=50, soak_s=HOUR_S), Phase(name="full", percent=100, soak_s=HOUR_S)),
)


@pytest.fixture
def case() -> HealthCase:
    return in_memory()


def led_back(case: HealthCase, robots: list[Voice]) -> tuple[Rollout, list[Voice]]:
    """Return a rollout that a safety stop halted, once all its robots are back, with these robots."""
    case.fleet.release("0.2.0", stable=True)
    rollout = case.fleet.start("0.2.1", SOAKS)
    updated = case.update(robots)
    assert 0 < len(updated) < len(robots)
    case.tell(updated[0], stops_other=1)
    case.fleet.tick()
    assert case.state(rollout) is RolloutState.HALTED
    assert case.update(robots) == updated
    assert {robot.version for robot in updated} == {"0.2.0"}
    case.fleet.tick()
    return rollout, updated


def resume(case: HealthCase, rollout: Rollout) -> None:
    case.fleet.run(lambda rows: resume_rollout(rows, rollout.rollout_id, "A door was open.", case.fleet.now_s))


def ways_back(case: HealthCase) -> list[Rollout]:
    return [found for found in case.fleet.run(lambda rows: rows.find(Rollout)) if found.rolls_back is not None]


def test_a_way_back_that_had_finished_takes_nobody_back_from_a_resumed_rollout(case: HealthCase) -> None:
    robots = [case.fleet.enrol(f"robot-{number}") for number in range(6)]
    rollout, _ = led_back(case, robots)
    assert [back.state for back in ways_back(case)] == [RolloutState.FINISHED]
    resume(case, rollout)
    late = next(robot for robot in (case.fleet.enrol(f"late-{n}") for n in range(20)) if case.update([robot]))
    assert late.version == "0.2.1"
    assert case.fleet.hear(late).offer is None
    assert [back.state for back in ways_back(case)] == [RolloutState.PAUSED]
    # It goes on when the rollout halts again.
    case.tell(late, stops_other=1)
    case.fleet.tick()
    assert case.fleet.offered(late).rollback


def test_a_resumed_rollout_whose_robots_are_all_back_stands_still_and_says_what_to_do(case: HealthCase) -> None:
    robots = [case.fleet.enrol(f"robot-{number}") for number in range(6)]
    rollout, updated = led_back(case, robots)
    resume(case, rollout)
    case.pass_time(5 * HOUR_S)
    stored = case.fleet.rollout(rollout.rollout_id)
    assert (stored.state, stored.phase) == (RolloutState.RUNNING, 0)
    assert stored.reason == (
        f"It stands still: all {len(updated)} robots that had installed the release went back after the halt, and "
        "this rollout offers it to none of them again. Start a new rollout, of this release or of its fix: that takes "
        "them too."
    )


def test_a_resumed_rollout_goes_on_by_the_robots_that_still_run_the_release(case: HealthCase) -> None:
    robots = [case.fleet.enrol(f"robot-{number}") for number in range(6)]
    case.fleet.release("0.2.0", stable=True)
    rollout = case.fleet.start("0.2.1", SOAKS)
    updated = case.update(robots)
    case.tell(updated[0], stops_other=1)
    case.fleet.tick()
    case.update(updated[:1])
    resume(case, rollout)
    for _ in range(12):
        case.quarter(updated[1:])
        case.pass_time()
    assert case.fleet.rollout(rollout.rollout_id).phase == 1


def test_a_robot_that_kept_the_release_as_the_way_back_paused_is_watched_on(case: HealthCase) -> None:
    robots = [case.fleet.enrol(f"robot-{number}") for number in range(6)]
    case.fleet.release("0.2.0", stable=True)
    rollout = case.fleet.start("0.2.1", SOAKS)
    first, second, *_ = case.update(robots)
    case.tell(first, stops_other=1)
    case.fleet.tick()
    # It has the order to go back, and did not follow it yet.
    assert case.fleet.offered(second).rollback
    resume(case, rollout)
    case.fleet.tick()
    assert case.state(rollout) is RolloutState.RUNNING
    case.tell(second, stops_other=1)
    case.fleet.tick()
    assert case.state(rollout) is RolloutState.HALTED
    assert second.robot.robot_id in case.reason(rollout)


@pytest.mark.parametrize("asks", [True, False])
def test_a_recall_lets_the_way_back_go_on_that_was_held_as_somebody_resumed(case: HealthCase, asks: bool) -> None:
    robots = [case.fleet.enrol(f"robot-{number}") for number in range(6)]
    case.fleet.release("0.2.0", stable=True)
    rollout = case.fleet.start("0.2.1", SOAKS)
    first, second, *_ = case.update(robots)
    case.tell(first, stops_other=1)
    case.fleet.tick()
    resume(case, rollout)
    recall = partial(recall_release, public_url="", new_salt=lambda: b"salt", roll_back=asks)
    case.fleet.run(lambda rows: recall(rows, rollout.release_id, "Smoke.", case.fleet.now_s))
    held = RolloutState.RUNNING if asks else RolloutState.PAUSED
    assert [back.state for back in ways_back(case)] == [held]
    assert (case.fleet.hear(second).offer is not None) is asks


def test_a_robot_that_is_back_fires_nothing_for_what_it_ran(case: HealthCase) -> None:
    robots = [case.fleet.enrol(f"robot-{number}") for number in range(6)]
    rollout, updated = led_back(case, robots)
    resume(case, rollout)
    case.tell(updated[1], stops_other=1)
    case.fleet.tick()
    assert case.state(rollout) is RolloutState.RUNNING and len(case.alarms()) == 1


def test_a_second_rollout_of_the_release_has_a_way_back_of_its_own(case: HealthCase) -> None:
    robots = [case.fleet.enrol(f"robot-{number}") for number in range(6)]
    _, updated = led_back(case, robots)
    second = case.fleet.start("0.2.1", WATCHED)
    assert case.update(robots) == robots
    case.tell(updated[0], stops_other=1)
    case.fleet.tick()
    assert case.state(second) is RolloutState.HALTED
    assert len(ways_back(case)) == 2
    assert all(case.fleet.offered(robot).rollback for robot in robots)
