"""A trigger that fires while nobody judges a rollout any more: it was paused, or its release is stable already."""

import pytest

from fleet.fleet_case import Voice
from fleet.health_case import DAY_S, HealthCase, in_memory
from surefoot.fleet.alarms import AFTERCARE_S
from surefoot.fleet.incidents import Incident, timeline
from surefoot.fleet.model import Rollout, RolloutState
from surefoot.fleet.rollout_history import changes_of, is_behind_aftercare
from surefoot.fleet.rollouts import pause_rollout, resume_rollout
from surefoot.rollout.triggers import Trigger


@pytest.fixture
def case() -> HealthCase:
    return in_memory()


def finished(case: HealthCase) -> tuple[Rollout, Voice]:
    """Return a rollout that made its release stable, and its robot."""
    case.fleet.release("0.2.0", stable=True)
    robot, rollout = case.updated()
    while case.state(rollout) is not RolloutState.FINISHED:
        case.quarter([robot])
        case.pass_time()
    assert case.fleet.stored_release("0.2.1").stable
    return rollout, robot


def restarts(case: HealthCase, robot: Voice, count: int) -> None:
    for _ in range(count):
        case.fleet.now_s += 20
        robot.boot, robot.seq = robot.boot + 1, 0
        case.fleet.hear(robot)


def incidents(case: HealthCase) -> list[Incident]:
    return case.fleet.run(lambda rows: rows.find(Incident))


def ways_back(case: HealthCase) -> list[Rollout]:
    return [found for found in case.fleet.run(lambda rows: rows.find(Rollout)) if found.rolls_back is not None]


def test_a_boot_loop_behind_the_end_opens_an_incident_and_closes_the_doors(case: HealthCase) -> None:
    rollout, robot = finished(case)
    restarts(case, robot, 4)
    [told] = case.fleet.tick()
    assert case.state(rollout) is RolloutState.HALTED
    assert not case.fleet.stored_release("0.2.1").stable
    [incident] = incidents(case)
    assert incident.reason.startswith("robot-1 restarted 4 times within 5 minutes; 3 are allowed. The rollout had")
    assert incident.reason.endswith("nobody is led back.") and incident.reason in told
    lines = case.fleet.run(lambda rows: timeline(rows, incident.incident_id))
    assert any("robot-1" in line.text for line in lines)
    # A robot that joins late is not brought what is in doubt; who runs it keeps it until a person decides.
    assert case.fleet.hear(case.fleet.enrol("late")).offer is None
    assert ways_back(case) == [] and case.fleet.hear(robot).offer is None


def test_three_restarts_behind_the_end_are_no_boot_loop(case: HealthCase) -> None:
    rollout, robot = finished(case)
    restarts(case, robot, 3)
    assert case.fleet.tick() == [] and incidents(case) == []
    assert case.state(rollout) is RolloutState.FINISHED
    assert case.fleet.hear(case.fleet.enrol("late")).offer is not None


def test_long_after_the_end_an_alarm_is_kept_and_halts_nothing(case: HealthCase) -> None:
    rollout, robot = finished(case)
    case.fleet.now_s += AFTERCARE_S + DAY_S
    case.tell(robot, stops_other=1)
    case.fleet.tick()
    assert case.alarms() == [Trigger.SAFETY_STOP]
    assert case.state(rollout) is RolloutState.FINISHED and case.fleet.stored_release("0.2.1").stable
    changes = case.fleet.run(lambda rows: changes_of(rows, rollout.rollout_id))
    assert is_behind_aftercare(changes, case.fleet.now_s)


def test_an_alarm_that_a_person_accepted_is_none_that_came_too_late(case: HealthCase) -> None:
    rollout, robot = finished(case)
    ended_s = case.fleet.now_s
    case.fleet.now_s += AFTERCARE_S - DAY_S
    restarts(case, robot, 4)
    fired_s = case.fleet.now_s
    case.fleet.tick()
    case.fleet.run(lambda rows: resume_rollout(rows, rollout.rollout_id, "Bad plug.", case.fleet.now_s))
    changes = case.fleet.run(lambda rows: changes_of(rows, rollout.rollout_id))
    assert not is_behind_aftercare(changes, fired_s)
    # Amid a rollout, however long it stood, nothing is behind its end.
    assert not is_behind_aftercare(changes, case.fleet.now_s + 100 * DAY_S)
    assert not is_behind_aftercare(changes[:1], ended_s + 100 * DAY_S)


def test_a_person_who_resumes_accepts_the_alarm_and_the_release_becomes_stable_again(case: HealthCase) -> None:
    rollout, robot = finished(case)
    restarts(case, robot, 4)
    case.fleet.tick()
    case.fleet.run(lambda rows: resume_rollout(rows, rollout.rollout_id, "Bad plug.", case.fleet.now_s))
    for _ in range(10):
        case.quarter([robot])
        case.pass_time()
    assert case.state(rollout) is RolloutState.FINISHED
    assert case.fleet.stored_release("0.2.1").stable


def test_a_trigger_halts_a_paused_rollout_and_leads_its_robots_back(case: HealthCase) -> None:
    case.fleet.release("0.2.0", stable=True)
    robot, rollout = case.updated()
    case.fleet.run(lambda rows: pause_rollout(rows, rollout.rollout_id, "weekend", case.fleet.now_s))
    case.tell(robot, stops_other=1)
    case.fleet.tick()
    assert case.state(rollout) is RolloutState.HALTED
    assert case.reason(rollout).endswith("after its update. Halted.")
    assert len(incidents(case)) == 1 and case.fleet.offered(robot).rollback


def test_an_incident_says_once_that_a_trigger_halted(case: HealthCase) -> None:
    case.fleet.release("0.2.0", stable=True)
    robot, rollout = case.updated()
    case.tell(robot, stops_other=1)
    case.fleet.tick()
    assert case.reason(rollout).count("Halted") == 1
    [incident] = incidents(case)
    lines = [line.text for line in case.fleet.run(lambda rows: timeline(rows, incident.incident_id))]
    assert "Halted" not in incident.reason and f"Halted: {incident.reason}" in lines
    assert sum(text.count("Halted") for text in lines) == 1


def test_a_paused_rollout_stays_paused_while_no_trigger_fires(case: HealthCase) -> None:
    robot, rollout = case.updated()
    case.fleet.run(lambda rows: pause_rollout(rows, rollout.rollout_id, "weekend", case.fleet.now_s))
    case.tell(robot, stops_operator=1)
    case.fleet.tick()
    assert case.state(rollout) is RolloutState.PAUSED and incidents(case) == []
