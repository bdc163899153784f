"""A halt by a trigger or a gate does what the plan says: the image taken back, robots led back, and nothing twice."""

from dataclasses import replace
from typing import Any

import pytest

from fleet.fleet_case import Voice
from fleet.health_case import WATCHED, HealthCase, in_memory
from support import code_of
from surefoot.fleet.emergency import Wish, halt_as_asked
from surefoot.fleet.incidents import Incident, timeline
from surefoot.fleet.model import Rollout, RolloutState, Status
from surefoot.fleet.outbox import OutboxEntry, OutboxKind
from surefoot.fleet.rollouts import resume_rollout
from surefoot.rollout.plan import Phase, Plan
from surefoot.wire.report import SlotReport


@pytest.fixture
def case() -> HealthCase:
    return in_memory()


def fired(case: HealthCase, plan: Plan = WATCHED, *, has_way_back: bool = True) -> tuple[Rollout, Voice, Voice]:
    """Return a rollout just halted by a safety stop, with the robot that made it and one that was updated too."""
    if has_way_back:
        case.fleet.release("0.2.0", stable=True)
    second = case.fleet.enrol("robot-2")
    first, rollout = case.updated(plan)
    case.update([second])
    case.tell(first, stops_other=1)
    case.fleet.tick()
    return case.fleet.rollout(rollout.rollout_id), first, second


def ways_back(case: HealthCase) -> list[Rollout]:
    return [found for found in case.fleet.run(lambda rows: rows.find(Rollout)) if found.rolls_back is not None]


def lines(case: HealthCase) -> list[str]:
    def read(rows: Any) -> list[str]:
        [incident] = rows.find(Incident)
        return [line.text for line in timeline(rows, incident.incident_id)]

    return case.fleet.run(read)


def test_a_trigger_halts_opens_an_incident_with_the_evidence_and_leads_robots_back(case: HealthCase) -> None:
    rollout, first, second = fired(case)
    assert rollout.state is RolloutState.HALTED
    assert any("robot-1 made a safety stop without an operator" in text for text in lines(case))
    assert [found.state for found in ways_back(case)] == [RolloutState.RUNNING]
    for robot in (first, second):
        offer = case.fleet.offered(robot)
        assert (str(offer.version), offer.rollback) == ("0.2.0", True)
    assert case.fleet.stored_release("0.2.1").recalled_at_s is None


def test_the_incident_tells_what_else_spoke_against_the_release(case: HealthCase) -> None:
    robots = case.crowd(40)
    plan = replace(WATCHED, phases=(Phase(name="half", percent=50, soak_s=0), *WATCHED.phases))
    case.fleet.start("0.2.1", plan)
    case.quarter(robots)
    updated = case.update(robots)
    for _ in range(5):
        case.pass_time()
        case.quarter(robots)
    case.quarter(updated[:2], error_s=60.0, ok_s=0.0)
    case.pass_time()
    case.tell(updated[0], stops_other=1)
    case.fleet.tick()
    told = lines(case)
    assert any(text.startswith(f"2 of {len(updated)} updated robots reported an error") for text in told)
    assert any(text.startswith(updated[0].robot.robot_id) for text in told)


def test_the_image_is_recalled_too_where_the_plan_says_so(case: HealthCase) -> None:
    fired(case, replace(WATCHED, recall_on_halt=True))
    assert case.fleet.stored_release("0.2.1").recalled_at_s is not None
    kinds = [entry.kind for entry in case.fleet.run(lambda rows: rows.find(OutboxEntry))]
    assert OutboxKind.CDN_PURGE in kinds


def test_nobody_is_led_back_where_the_plan_does_not_say_so(case: HealthCase) -> None:
    fired(case, replace(WATCHED, rollback_on_halt=False))
    assert ways_back(case) == []


def test_a_halt_stands_where_there_is_nothing_to_go_back_to(case: HealthCase) -> None:
    rollout, _, _ = fired(case, has_way_back=False)
    assert rollout.state is RolloutState.HALTED and ways_back(case) == []
    assert any("has no release of standard below 0.2.1" in text for text in lines(case))


def halt(case: HealthCase, rollout: Rollout, *, roll_back: bool = False, recall: bool = False) -> None:
    wish, now_s = Wish(roll_back=roll_back, recall=recall), case.fleet.now_s
    case.fleet.run(lambda rows: halt_as_asked(rows, rollout.rollout_id, "Smoke.", wish, now_s, "ana"))


def test_a_person_who_halts_leads_nobody_back_unless_they_ask(case: HealthCase) -> None:
    case.fleet.release("0.2.0", stable=True)
    robot, rollout = case.updated(replace(WATCHED, recall_on_halt=True))
    halt(case, rollout)
    case.fleet.tick()
    assert ways_back(case) == [] and case.fleet.hear(robot).offer is None
    assert case.fleet.stored_release("0.2.1").recalled_at_s is None


def test_a_person_who_halts_may_have_robots_led_back(case: HealthCase) -> None:
    case.fleet.release("0.2.0", stable=True)
    robot, rollout = case.updated(replace(WATCHED, rollback_on_halt=False))
    halt(case, rollout, roll_back=True)
    assert case.state(rollout) is RolloutState.HALTED and case.reason(rollout) == "Smoke."
    assert case.fleet.offered(robot).rollback
    assert case.fleet.stored_release("0.2.1").recalled_at_s is None
    assert any("are led back by rollout" in text for text in lines(case))


def test_a_person_who_halts_may_have_the_release_recalled(case: HealthCase) -> None:
    case.fleet.release("0.2.0", stable=True)
    _, rollout = case.updated()
    halt(case, rollout, recall=True)
    assert case.fleet.stored_release("0.2.1").recalled_at_s is not None and ways_back(case) == []
    kinds = [entry.kind for entry in case.fleet.run(lambda rows: rows.find(OutboxEntry))]
    assert OutboxKind.CDN_PURGE in kinds


def test_robots_of_a_halted_rollout_are_led_back_once_a_person_asks_and_a_halt_alone_is_refused(
    case: HealthCase,
) -> None:
    case.fleet.release("0.2.0", stable=True)
    robot, rollout = case.updated()
    halt(case, rollout)
    halt(case, rollout, roll_back=True)
    assert case.fleet.offered(robot).rollback and len(ways_back(case)) == 1
    halt(case, rollout, roll_back=True)
    assert len(ways_back(case)) == 1
    assert code_of(halt, case, rollout) == "refused-rollout-state"


def test_a_persons_halt_stands_where_there_is_nothing_to_go_back_to(case: HealthCase) -> None:
    _, rollout = case.updated()
    halt(case, rollout, roll_back=True)
    assert case.state(rollout) is RolloutState.HALTED and ways_back(case) == []
    assert any("has no release of standard below 0.2.1" in text for text in lines(case))


def test_what_leads_robots_back_is_halted_alone(case: HealthCase) -> None:
    fired(case)
    [way_back] = ways_back(case)

    def refused() -> None:
        halt(case, way_back, roll_back=True)

    assert code_of(refused) == "refused-rollout-state"
    halt(case, way_back)
    assert case.state(way_back) is RolloutState.HALTED


def test_a_robot_that_went_back_by_itself_is_recognised_and_not_led_back_again(case: HealthCase) -> None:
    _, first, second = fired(case)
    second.runs("0.2.0")
    assert case.fleet.hear(second).offer is None
    assert case.fleet.offered(first).rollback


def test_a_robot_goes_back_to_what_stands_in_its_spare_slot(case: HealthCase) -> None:
    case.fleet.release("0.1.9")
    _, first, _ = fired(case)
    digest = case.fleet.stored_release("0.1.9").digest
    spare = SlotReport(slot="ota_1", version="0.1.9", digest=digest, state="confirmed")
    offer = case.fleet.hear(first, spare=spare).offer
    assert offer is not None and str(offer.version) == "0.1.9"


def test_resuming_leads_no_more_robots_back_and_halting_again_goes_on_with_it(case: HealthCase) -> None:
    rollout, first, second = fired(case)
    case.fleet.install(first)
    case.fleet.run(lambda rows: resume_rollout(rows, rollout.rollout_id, "A door was open.", case.fleet.now_s))
    assert [found.state for found in ways_back(case)] == [RolloutState.PAUSED]
    assert case.fleet.hear(second).offer is None
    case.tell(second, stops_other=1)
    case.fleet.tick()
    assert case.state(rollout) is RolloutState.HALTED
    assert [found.state for found in ways_back(case)] == [RolloutState.RUNNING]
    assert case.fleet.offered(second).rollback


def test_a_robot_in_the_middle_of_its_update_is_told_to_stop(case: HealthCase) -> None:
    case.fleet.release("0.2.0", stable=True)
    third = case.fleet.enrol("robot-3")
    first, _ = case.updated()
    third.says(case.fleet.offered(third).id, "downloading")
    case.fleet.hear(third)
    case.tell(first, stops_other=1)
    # Before the engine has looked even once.
    assert case.fleet.hear(third).cancelled == case.fleet.assignment("robot-3").assignment_id
    assert case.fleet.assignment("robot-3").status is Status.DOWNLOADING
