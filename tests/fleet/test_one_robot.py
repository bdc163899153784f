"""One robot that is updated alone, beside what the fleet gets."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fleet.fleet_case import EVERYONE, HOUR_S, FleetCase, Voice, digest_of
from fleet.health_case import in_memory
from support import code_of
from surefoot.fleet.doors import depends_on_time
from surefoot.fleet.emergency import Wish, halt_as_asked
from surefoot.fleet.fleet_metrics import fleet_metrics
from surefoot.fleet.incidents import Incident
from surefoot.fleet.look import look_at
from surefoot.fleet.model import Rollout, RolloutState, Status
from surefoot.fleet.pins import pin_robot
from surefoot.fleet.ports import Rows
from surefoot.fleet.recall import recall_release
from surefoot.fleet.robots import robot_status
from surefoot.fleet.rollout_detail import rollout_detail
from surefoot.fleet.rollouts import FORWARD, Purpose, halt_rollout, resume_rollout, start_rollout
from surefoot.fleet.waiting import waiting
from surefoot.rollout.plan import Phase, Plan, one_robot_plan
from surefoot.wire.errors import Refused
from surefoot.wire.report import SlotReport

FORCE = Purpose(force=True)
SLOW = Plan(phases=(Phase(name="first", robots=("robot-9",), soak_s=0), EVERYONE.phases[0]), ramp=None)


def install_on(
    fleet: FleetCase, version: str, robot_id: str = "robot-1", purpose: Purpose = FORWARD, release_id: str = ""
) -> Rollout:
    """Begin to bring a version to one robot alone."""
    rollout_id, release_id = f"alone-{next(fleet.ids)}", release_id or f"standard-{version}"
    return fleet.run(
        lambda rows: start_rollout(
            rows, release_id, one_robot_plan(robot_id), rollout_id, b"salt", fleet.now_s, purpose=purpose
        )
    )


def on_0_2_1(fleet: FleetCase, robot_id: str = "robot-1") -> Voice:
    return fleet.enrol(robot_id, version="0.2.1", digest=digest_of("0.2.1"))


def state_of(fleet: FleetCase, rollout: Rollout) -> RolloutState:
    return fleet.rollout(rollout.rollout_id).state


def test_one_robot_gets_the_release_and_no_other_does(fleet: FleetCase) -> None:
    robot, other = fleet.enrol(), fleet.enrol("robot-2")
    fleet.release("0.2.1")
    rollout = install_on(fleet, "0.2.1")
    assert fleet.hear(other).offer is None and fleet.poll(other, "0.2.0") is None
    fleet.install(robot)
    [told] = fleet.tick()
    assert told == f"Rollout {rollout.rollout_id}: Robot robot-1 has installed the release."
    assert state_of(fleet, rollout) is RolloutState.FINISHED
    assert fleet.status().verdict.status is Status.INSTALLED
    # Nor does who joins late, as behind the end of any other rollout.
    assert fleet.hear(fleet.enrol("late")).offer is None
    assert fleet.hear(other).offer is None


def test_it_ends_without_waiting_for_anything_but_its_robot(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.enrol("robot-2")
    fleet.release("0.2.1")
    rollout = install_on(fleet, "0.2.1")
    assert fleet.tick() == [] and state_of(fleet, rollout) is RolloutState.RUNNING
    fleet.offered(robot)
    fleet.tick()
    assert state_of(fleet, rollout) is RolloutState.RUNNING
    found = fleet.run(lambda rows: waiting(rows, rollout.rollout_id, fleet.now_s))
    assert (found.without_offer, found.groups) == (0, ())


def test_its_release_is_not_stable_and_its_time_is_not_the_fleets(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.release("0.2.1")
    install_on(fleet, "0.2.1")
    fleet.install(robot)
    fleet.tick(60)
    assert not fleet.stored_release("0.2.1").stable
    assert fleet.run(fleet_metrics).whole_fleet_s is None
    whole = fleet.start("0.2.1")
    fleet.hear(robot)
    fleet.tick(90)
    assert state_of(fleet, whole) is RolloutState.FINISHED
    assert fleet.stored_release("0.2.1").stable
    assert fleet.run(fleet_metrics).whole_fleet_s == 90


def test_who_joins_late_is_served_by_the_fleets_rollout_behind_many_for_one_robot(fleet: FleetCase) -> None:
    robots = [fleet.enrol(f"robot-{number}") for number in range(10)]
    whole = fleet.start("0.2.1")
    for robot in robots:
        fleet.install(robot)
    fleet.tick()
    assert state_of(fleet, whole) is RolloutState.FINISHED
    fleet.release("0.2.2")
    for robot in robots:
        install_on(fleet, "0.2.2", robot.robot.robot_id)
        fleet.install(robot)
        fleet.tick()
    late = fleet.enrol("late")
    assert str(fleet.install(late).version) == "0.2.1"
    assert fleet.assignment("late").rollout_id == whole.rollout_id
    assert all(fleet.hear(robot).offer is None for robot in robots)


def test_the_robot_goes_on_with_what_the_fleet_gets_next(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.release("0.2.1")
    install_on(fleet, "0.2.1")
    fleet.install(robot)
    fleet.tick()
    fleet.start("0.2.2")
    assert str(fleet.install(robot).version) == "0.2.2"


def test_a_running_rollout_brings_more_to_the_robot_once_it_was_updated_alone(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.enrol("robot-9")
    whole = fleet.start("0.3.0", SLOW)
    assert fleet.hear(robot).offer is None
    fleet.release("0.2.1")
    install_on(fleet, "0.2.1")
    assert str(fleet.install(robot).version) == "0.2.1"
    opened = replace(fleet.rollout(whole.rollout_id), phase=1)
    fleet.run(lambda rows: rows.put(opened))
    # While its own rollout goes on it stays; behind the end the fleet's has it.
    assert fleet.hear(robot).offer is None
    fleet.tick()
    assert str(fleet.offered(robot).version) == "0.3.0"


def test_a_running_rollout_of_the_same_or_an_older_release_leaves_it_alone(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.enrol("robot-9")
    whole = fleet.start("0.2.1", SLOW)
    fleet.release("0.3.0")
    install_on(fleet, "0.3.0")
    fleet.install(robot)
    fleet.tick()
    opened = replace(fleet.rollout(whole.rollout_id), phase=1)
    fleet.run(lambda rows: rows.put(opened))
    assert fleet.hear(robot).offer is None
    assert fleet.assignment().release_id == "standard-0.3.0"


def test_a_rollout_that_a_newer_one_overtakes_ends(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.release("0.2.1")
    alone = install_on(fleet, "0.2.1")
    fleet.start("0.2.2")
    assert str(fleet.offered(robot).version) == "0.2.2"
    fleet.tick()
    assert state_of(fleet, alone) is RolloutState.FINISHED
    assert fleet.rollout(alone.rollout_id).reason.startswith("A newer rollout took the robot")


def test_the_evidence_of_the_fleets_rollout_is_not_disturbed() -> None:
    case = in_memory()
    robot, rollout = case.updated()
    case.fleet.release("0.2.2")
    alone = install_on(case.fleet, "0.2.2", "robot-1")
    case.quarter([robot])
    case.pass_time()
    assert "counts for rollout" not in case.fleet.rollout(rollout.rollout_id).reason
    assert alone.only_robot_id == "robot-1"


@pytest.mark.parametrize("is_pinned", [True, False])
def test_a_pinned_robot_is_refused_with_the_pins_reason(fleet: FleetCase, *, is_pinned: bool) -> None:
    robot = fleet.enrol()
    fleet.release("0.2.1")
    if is_pinned:
        fleet.run(lambda rows: pin_robot(rows, "robot-1", None, "on loan to the lab", fleet.now_s, "ann"))
        with pytest.raises(Refused, match=r"ann pinned robot robot-1 \(on loan to the lab\)") as caught:
            install_on(fleet, "0.2.1")
        assert caught.value.code == "refused-pin-state"
        assert fleet.run(lambda rows: rows.find(Rollout)) == []
    else:
        install_on(fleet, "0.2.1")
    assert (fleet.hear(robot).offer is None) is is_pinned


def test_a_robot_pinned_to_the_release_gets_it(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    release = fleet.release("0.2.1")
    fleet.run(lambda rows: pin_robot(rows, "robot-1", release.release_id, "trial arm", fleet.now_s, "ann"))
    install_on(fleet, "0.2.1")
    assert str(fleet.install(robot).version) == "0.2.1"


def test_another_sku_a_newer_version_and_an_unknown_robot_are_refused(fleet: FleetCase) -> None:
    robot = fleet.enrol(version="0.2.2", digest=digest_of("0.2.2"))
    fleet.hear(robot)
    fleet.release("0.2.1")
    fleet.release("0.2.3", release_id="other", sku="heavy")
    assert code_of(lambda: install_on(fleet, "0.2.3", release_id="other")) == "refused-sku-mismatch"
    assert code_of(lambda: install_on(fleet, "0.2.1")) == "refused-robot-state"
    assert code_of(lambda: install_on(fleet, "0.2.1", purpose=FORCE)) == "refused-robot-state"
    assert code_of(lambda: install_on(fleet, "0.2.1", "robot-2")) == "not-found-robot"
    assert fleet.run(lambda rows: rows.find(Rollout)) == []


def test_what_runs_already_is_refused_unless_it_is_forced(fleet: FleetCase) -> None:
    robot = on_0_2_1(fleet)
    fleet.release("0.2.1")
    fleet.hear(robot)
    with pytest.raises(Refused, match="with --force") as caught:
        install_on(fleet, "0.2.1")
    assert caught.value.code == "refused-robot-state"
    install_on(fleet, "0.2.1", purpose=FORCE)
    assert fleet.offered(robot).force


def test_a_forced_release_is_installed_once_more_and_only_once(fleet: FleetCase) -> None:
    robot = on_0_2_1(fleet)
    fleet.release("0.2.1")
    fleet.hear(robot)
    rollout = install_on(fleet, "0.2.1", purpose=FORCE)
    fleet.tick()
    assert state_of(fleet, rollout) is RolloutState.RUNNING
    fleet.install(robot)
    fleet.tick()
    assert state_of(fleet, rollout) is RolloutState.FINISHED
    for forget in (False, True):
        if forget:
            robot.resets("second")
        assert fleet.hear(robot).offer is None
        assert fleet.status().verdict.status is Status.INSTALLED


def test_force_reaches_every_robot_of_a_rollout_that_has_it(fleet: FleetCase) -> None:
    robots = [on_0_2_1(fleet, f"robot-{number}") for number in range(3)]
    release = fleet.release("0.2.1")
    unforced = fleet.start("0.2.1")
    assert [fleet.hear(robot).offer for robot in robots] == [None] * 3
    fleet.tick()
    assert state_of(fleet, unforced) is RolloutState.FINISHED
    forced = fleet.run(
        lambda rows: start_rollout(rows, release.release_id, EVERYONE, "forced", b"salt", fleet.now_s, purpose=FORCE)
    )
    assert [fleet.install(robot).force for robot in robots] == [True] * 3
    fleet.tick()
    assert state_of(fleet, forced) is RolloutState.FINISHED
    assert [fleet.hear(robot).offer for robot in robots] == [None] * 3


def looping(force: bool) -> tuple[FleetCase, Voice, list[Voice], Rollout]:
    """Return a robot that was updated alone, to what the others run already, and now restarts again and again."""
    fleet = in_memory().fleet
    fleet.release("0.2.0", stable=True)
    fleet.release("0.2.1", stable=True)
    others = [on_0_2_1(fleet, name) for name in ("robot-2", "robot-3")]
    for other in others:
        fleet.hear(other)
    robot = on_0_2_1(fleet) if force else fleet.enrol()
    fleet.hear(robot)
    rollout = install_on(fleet, "0.2.1", purpose=Purpose(force=force))
    fleet.install(robot)
    fleet.tick()
    assert state_of(fleet, rollout) is RolloutState.FINISHED
    for _ in range(4):
        fleet.now_s += 20
        robot.boot, robot.seq = robot.boot + 1, 0
        fleet.hear(robot)
    fleet.tick()
    return fleet, robot, others, rollout


@pytest.mark.parametrize("force", [False, True])
def test_a_trigger_leads_that_robot_back_and_no_other(*, force: bool) -> None:
    fleet, robot, others, rollout = looping(force)
    assert state_of(fleet, rollout) is RolloutState.HALTED
    [incident] = fleet.run(lambda rows: rows.find(Incident))
    assert "nobody is led back" not in incident.reason
    spare = SlotReport(slot="ota_1", version="0.2.1", digest=digest_of("0.2.1"), state="confirmed") if force else None
    back = fleet.hear(robot, spare=spare).offer
    assert back is not None and back.rollback and str(back.version) == "0.2.0" and not back.force
    [way_back] = fleet.run(lambda rows: rows.find(Rollout, rolls_back="standard-0.2.1"))
    assert way_back.only_robot_id == "robot-1"
    # The others run the same release for reasons of their own, and it stays stable for them.
    assert [fleet.hear(other).offer for other in others] == [None, None]
    assert fleet.stored_release("0.2.1").stable


def test_who_went_back_by_itself_is_not_led_back(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.release("0.2.0", stable=True)
    fleet.release("0.2.1")
    rollout = install_on(fleet, "0.2.1")
    offer = fleet.offered(robot)
    robot.says(offer.id, "rolled_back", code="self-test-failed")
    fleet.hear(robot)
    fleet.tick()
    assert state_of(fleet, rollout) is RolloutState.HALTED
    assert fleet.run(lambda rows: rows.find(Rollout, rolls_back="standard-0.2.1")) == []
    assert len(fleet.run(lambda rows: rows.find(Incident))) == 1


def test_leading_the_fleet_back_takes_a_rollout_of_its_own(fleet: FleetCase) -> None:
    robots = [fleet.enrol(f"robot-{number}") for number in (1, 2)]
    fleet.release("0.2.0", stable=True)
    whole = fleet.start("0.2.1")
    fleet.install(robots[1])
    alone = install_on(fleet, "0.2.1")
    fleet.install(robots[0])
    fleet.tick()
    wish = Wish(roll_back=True, recall=False)
    fleet.run(lambda rows: halt_as_asked(rows, alone.rollout_id, "it limps", wish, fleet.now_s))
    [first] = fleet.run(lambda rows: rows.find(Rollout, rolls_back="standard-0.2.1"))
    assert first.only_robot_id == "robot-1"
    halted = fleet.rollout(alone.rollout_id)
    detail = fleet.run(lambda rows: rollout_detail(rows, halted))
    assert detail.way_back_id == first.rollout_id
    assert fleet.hear(robots[1]).offer is None
    fleet.run(lambda rows: halt_as_asked(rows, whole.rollout_id, "they all limp", wish, fleet.now_s))
    _, second = fleet.run(lambda rows: rows.find(Rollout, rolls_back="standard-0.2.1"))
    assert second.only_robot_id is None
    assert fleet.offered(robots[1]).rollback


def test_resuming_one_robots_rollout_leaves_the_fleets_way_back_alone(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.release("0.2.0", stable=True)
    whole = fleet.start("0.2.1")
    fleet.install(robot)
    alone = install_on(fleet, "0.2.1", purpose=FORCE)
    wish = Wish(roll_back=True, recall=False)
    fleet.run(lambda rows: halt_as_asked(rows, whole.rollout_id, "they limp", wish, fleet.now_s))
    fleet.run(lambda rows: halt_rollout(rows, alone.rollout_id, "wait", fleet.now_s))
    fleet.run(lambda rows: resume_rollout(rows, alone.rollout_id, "go on", fleet.now_s))
    [way_back] = fleet.run(lambda rows: rows.find(Rollout, rolls_back="standard-0.2.1"))
    assert way_back.state is RolloutState.RUNNING


def test_a_recall_opens_no_incident_for_each_robot_that_was_updated_alone(fleet: FleetCase) -> None:
    robots = [fleet.enrol(f"robot-{number}") for number in range(3)]
    fleet.release("0.2.0", stable=True)
    fleet.release("0.2.1")
    for robot in robots:
        install_on(fleet, "0.2.1", robot.robot.robot_id)
        fleet.install(robot)
    fleet.tick()
    recalled = fleet.run(
        lambda rows: recall_release(
            rows, "standard-0.2.1", "it limps", fleet.now_s, public_url="", new_salt=lambda: b"new", roll_back=True
        )
    )
    assert recalled.halted == () and fleet.run(lambda rows: rows.find(Incident)) == []
    assert all(fleet.offered(robot).rollback for robot in robots)


def test_a_silent_robot_keeps_it_waiting_no_longer_than_the_plan_says(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.release("0.2.1")
    rollout = install_on(fleet, "0.2.1")
    fleet.offered(robot)
    fleet.watch(25 * HOUR_S)
    assert state_of(fleet, rollout) is RolloutState.HALTED


class CountingRows:
    """Rows that count the rollouts they hand out; all else is passed through."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.read = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def find(self, kind: type[Any], **asked: Any) -> list[Any]:
        found = self._rows.find(kind, **asked)
        self.read += len(found) if kind is Rollout else 0
        return found


def rollouts_read(fleet: FleetCase, work: Callable[[Rows], object]) -> int:
    def counted(rows: Rows) -> int:
        counting: Any = CountingRows(rows)
        work(counting)
        return int(counting.read)

    return fleet.run(counted)


def test_what_one_robot_costs_does_not_grow_with_the_rollouts_for_others(fleet: FleetCase) -> None:
    robot = fleet.enrol().robot
    fleet.start("0.2.1")
    fleet.install(Voice(robot=robot))
    fleet.release("0.3.0")
    alone = install_on(fleet, "0.3.0")
    for number in range(2, 32):
        fleet.enrol(f"robot-{number}")
        install_on(fleet, "0.3.0", f"robot-{number}")
    few = 5
    assert rollouts_read(fleet, lambda rows: look_at(rows, alone.rollout_id, fleet.now_s)) <= few
    assert rollouts_read(fleet, lambda rows: depends_on_time(rows, robot)) <= few
    assert rollouts_read(fleet, lambda rows: robot_status(rows, "robot-1", fleet.now_s)) <= few
    assert rollouts_read(fleet, lambda rows: rollout_detail(rows, alone)) <= few
