from fleet.fleet_case import HOUR_S, FleetCase
from support import code_of
from surefoot.fleet.model import Status
from surefoot.fleet.pins import Pin, is_kept_from, kept_from, pin_robot, unpin_robot
from surefoot.fleet.recall import recall_release


def pin(fleet: FleetCase, robot_id: str = "robot-1", release_id: str | None = None, reason: str = "on loan") -> Pin:
    return fleet.run(lambda rows: pin_robot(rows, robot_id, release_id, reason, fleet.now_s, "ana"))


def unpin(fleet: FleetCase, robot_id: str = "robot-1") -> Pin:
    return fleet.run(lambda rows: unpin_robot(rows, robot_id, fleet.now_s))


def test_a_pinned_robot_gets_no_offer_until_it_is_unpinned(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    pinned = pin(fleet)
    fleet.start("0.2.1")
    assert fleet.hear(robot).offer is None
    assert (fleet.status().verdict.code, fleet.status().assignment) == ("pinned", None)
    assert unpin(fleet) == pinned
    assert str(fleet.offered(robot).version) == "0.2.1"
    assert [entry.text for entry in fleet.history() if entry.kind == "pinned"] == [
        "Pinned where it is: on loan",
        "Not pinned any more.",
    ]


def test_a_robot_pinned_to_a_release_gets_that_one_and_no_other(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    wanted = fleet.start("0.2.1").release_id
    fleet.start("0.2.2")
    pin(fleet, release_id=wanted)
    assert str(fleet.install(robot).version) == "0.2.1"
    assert fleet.hear(robot).offer is None


def test_a_pin_takes_back_an_offer_that_the_robot_has_not_taken(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    fleet.offered(robot)
    pin(fleet)
    assert fleet.hear(robot).offer is None
    assert (fleet.assignment().status, fleet.assignment().code) == (Status.WAITING, "pinned")
    assert not fleet.assignment().is_open


def test_a_recall_leads_a_pinned_robot_back_all_the_same(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.release("0.2.0")
    release_id = fleet.start("0.2.1").release_id
    fleet.install(robot)
    pin(fleet, release_id=release_id)
    fleet.run(
        lambda rows: recall_release(
            rows, release_id, "bad", fleet.now_s, public_url="", new_salt=lambda: b"salt", roll_back=True
        )
    )
    assert str(fleet.offered(robot).version) == "0.2.0"


def test_a_pinned_robot_holds_no_phase_up(fleet: FleetCase) -> None:
    first, second = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    rollout_id = fleet.start("0.2.1").rollout_id
    pin(fleet, "robot-2")
    fleet.install(first)
    fleet.hear(second)
    fleet.watch(HOUR_S)
    assert fleet.rollout(rollout_id).state == "finished"


def test_who_is_kept_from_a_release_is_known(fleet: FleetCase) -> None:
    release_id = fleet.release("0.2.1").release_id
    for robot_id in ("robot-1", "robot-2", "robot-3"):
        fleet.enrol(robot_id)
    pin(fleet, "robot-1")
    pin(fleet, "robot-2", release_id)
    assert fleet.run(lambda rows: kept_from(rows, release_id)) == {"robot-1"}
    assert fleet.run(lambda rows: kept_from(rows, "other")) == {"robot-1", "robot-2"}
    assert [fleet.run(lambda rows, it=one: is_kept_from(rows, it, release_id)) for one in ("robot-1", "robot-2")] == [  # type: ignore[misc]
        True,
        False,
    ]


def test_a_pin_that_makes_no_sense_is_refused(fleet: FleetCase) -> None:
    fleet.enrol()
    fleet.release("0.2.1", sku="other", release_id="other-0.2.1")
    assert code_of(pin, fleet, "nobody") == "not-found-robot"
    assert code_of(pin, fleet, release_id="nothing") == "not-found-release"
    assert code_of(pin, fleet, release_id="other-0.2.1") == "refused-sku-mismatch"
    assert code_of(pin, fleet, reason=" ") == "refused-reason-missing"
    assert code_of(unpin, fleet) == "not-found-pin"
