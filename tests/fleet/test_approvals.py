from dataclasses import replace

from fleet.fleet_case import EVERYONE, HOUR_S, FleetCase
from support import code_of
from surefoot.fleet.approvals import Approval, approvals_of, approve_phase, is_approved
from surefoot.fleet.model import Rollout, RolloutState
from surefoot.fleet.rollout_history import RolloutAction, changes_of
from surefoot.rollout.plan import Phase

FIRST = Phase(name="first", robots=("robot-1",), soak_s=600)
PLAN = replace(
    EVERYONE,
    phases=(
        FIRST,
        Phase(name="wider", percent=50, soak_s=0, approval=True),
        Phase(name="full", percent=100, soak_s=0, approval=True),
    ),
)


def approve(fleet: FleetCase, rollout: Rollout, phase: str | None = None, reason: str = "looks well") -> Approval:
    return fleet.run(lambda rows: approve_phase(rows, rollout.rollout_id, phase, reason, fleet.now_s, "ana"))[1]


def started(fleet: FleetCase) -> Rollout:
    fleet.hear(robot := fleet.enrol())
    rollout = fleet.start("0.2.1", PLAN)
    fleet.install(robot)
    return rollout


def approved(fleet: FleetCase, rollout: Rollout) -> list[bool]:
    return fleet.run(lambda rows: [is_approved(rows, rollout, phase) for phase in range(3)])


def test_a_phase_waits_for_a_persons_word(fleet: FleetCase) -> None:
    rollout = started(fleet)
    fleet.watch(HOUR_S)
    assert fleet.rollout(rollout.rollout_id).phase == 0
    assert "phase wider opens once a person approves it" in fleet.rollout(rollout.rollout_id).reason
    approve(fleet, rollout)
    fleet.tick(60)
    assert fleet.rollout(rollout.rollout_id).phase == 1


def test_a_word_given_before_the_phase_is_due_counts(fleet: FleetCase) -> None:
    rollout = started(fleet)
    approve(fleet, rollout, "wider")
    assert fleet.rollout(rollout.rollout_id).phase == 0
    fleet.watch(HOUR_S)
    assert fleet.rollout(rollout.rollout_id).phase == 1


def test_without_a_name_the_next_phase_that_needs_it_is_approved(fleet: FleetCase) -> None:
    rollout = started(fleet)
    assert approved(fleet, rollout) == [True, False, False]
    approve(fleet, rollout)
    assert approved(fleet, rollout) == [True, True, False]
    approve(fleet, rollout, reason="agreed")
    assert approved(fleet, rollout) == [True, True, True]
    found = fleet.run(lambda rows: approvals_of(rows, rollout.rollout_id))
    assert [(one.phase, one.approved_by, one.reason) for one in found] == [
        (1, "ana", "looks well"),
        (2, "ana", "agreed"),
    ]


def test_an_approval_is_told_in_the_history_and_changes_nothing_else(fleet: FleetCase) -> None:
    rollout = started(fleet)
    before = fleet.rollout(rollout.rollout_id)
    approve(fleet, rollout)
    assert fleet.rollout(rollout.rollout_id) == before
    newest = fleet.run(lambda rows: changes_of(rows, rollout.rollout_id))[-1]
    assert (newest.action, newest.who, newest.reason) == (RolloutAction.APPROVED, "ana", "Phase wider: looks well")


def test_an_approval_that_nobody_waits_for_is_refused(fleet: FleetCase) -> None:
    rollout = started(fleet)
    assert code_of(approve, fleet, replace(rollout, rollout_id="none")) == "not-found-rollout"
    assert code_of(approve, fleet, rollout, reason=" ") == "refused-reason-missing"
    assert code_of(approve, fleet, rollout, "first") == "refused-approval"
    assert code_of(approve, fleet, rollout, "nosuch") == "refused-approval"
    approve(fleet, rollout, "wider")
    assert code_of(approve, fleet, rollout, "wider") == "refused-approval"
    fleet.run(lambda rows: rows.put(replace(rollout, state=RolloutState.FINISHED)))
    assert code_of(approve, fleet, rollout, "full") == "refused-rollout-state"
