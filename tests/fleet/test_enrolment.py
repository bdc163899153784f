from dataclasses import replace

import pytest

from fleet.fleet_case import EVERYONE, HOUR_S, SKU, FleetCase
from support import code_of
from surefoot.fleet.enrolment import (
    EnrolmentCode,
    RobotCertificate,
    enrol_by_code,
    enrol_by_factory,
    make_code,
    renew,
    revoke,
    robot_by_certificate,
)
from surefoot.fleet.model import Robot, RolloutState, Status

LIFE_S = 1000.0


def invite(fleet: FleetCase, code: str = "code-1", robot_id: str = "robot-1", sku: str = SKU) -> EnrolmentCode:
    return fleet.run(lambda rows: make_code(rows, code, robot_id, sku, fleet.now_s + LIFE_S, fleet.now_s))


def certificate(fleet: FleetCase, name: str, robot_id: str = "robot-1") -> RobotCertificate:
    return RobotCertificate(
        certificate_sha256=name, robot_id=robot_id, issued_at_s=fleet.now_s, expires_at_s=fleet.now_s + LIFE_S
    )


def enrol(fleet: FleetCase, name: str = "first", code: str = "code-1", robot_id: str = "robot-1") -> Robot:
    issued = certificate(fleet, name, robot_id)
    return fleet.run(lambda rows: enrol_by_code(rows, code, issued, f"nobody's token of {name}", fleet.now_s))


def holder(fleet: FleetCase, name: str) -> str | None:
    robot = fleet.run(lambda rows: robot_by_certificate(rows, name, fleet.now_s))
    return None if robot is None else robot.robot_id


def test_a_code_makes_a_robot_with_a_certificate(fleet: FleetCase) -> None:
    invite(fleet)
    assert enrol(fleet).sku == SKU
    assert holder(fleet, "first") == "robot-1"


def test_a_code_works_once(fleet: FleetCase) -> None:
    invite(fleet)
    enrol(fleet)
    assert code_of(enrol, fleet, "second") == "refused-enrolment-code"
    assert (holder(fleet, "first"), holder(fleet, "second")) == ("robot-1", None)


def test_a_code_ends_with_its_time_and_with_the_next_one(fleet: FleetCase) -> None:
    invite(fleet)
    fleet.now_s += LIFE_S
    assert code_of(enrol, fleet) == "refused-enrolment-code"
    invite(fleet, "code-2")
    invite(fleet, "code-3")
    assert code_of(enrol, fleet, "first", "code-2") == "refused-enrolment-code"
    enrol(fleet, "first", "code-3")


def test_a_code_is_for_its_robot_only(fleet: FleetCase) -> None:
    invite(fleet)
    assert code_of(enrol, fleet, "first", "code-1", "robot-2") == "refused-enrolment-code"
    assert fleet.run(lambda rows: rows.robot("robot-2")) is None
    enrol(fleet)


def test_a_robot_keeps_its_sku(fleet: FleetCase) -> None:
    fleet.enrol("robot-1")
    assert code_of(invite, fleet, "code-1", "robot-1", "another") == "refused-sku-mismatch"


def test_a_robot_id_must_be_one(fleet: FleetCase) -> None:
    assert code_of(invite, fleet, "code-1", "../robot") == "refused-robot-id"


def test_enrolling_again_ends_every_earlier_credential(fleet: FleetCase) -> None:
    old = fleet.enrol("robot-1").robot
    invite(fleet)
    enrol(fleet)
    invite(fleet, "code-2")
    enrol(fleet, "second", "code-2")
    assert (holder(fleet, "first"), holder(fleet, "second")) == (None, "robot-1")
    assert fleet.run(lambda rows: rows.robot_by_token(old.token_sha256)) is None


def test_revoking_ends_token_certificate_and_code(fleet: FleetCase) -> None:
    invite(fleet)
    enrol(fleet)
    invite(fleet, "code-2")
    fleet.run(lambda rows: revoke(rows, "robot-1", "nobody's", fleet.now_s))
    assert holder(fleet, "first") is None
    assert code_of(enrol, fleet, "second", "code-2") == "refused-enrolment-code"
    assert fleet.run(lambda rows: rows.robot_by_token("nobody's token of first")) is None


def test_a_robot_revoked_amid_a_rollout_holds_no_place_and_does_not_count_against_the_release(fleet: FleetCase) -> None:
    stolen, other = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    rollout = fleet.start("0.2.1", replace(EVERYONE, capacity=1))
    offer = fleet.offered(stolen)
    stolen.says(offer.id, "downloading")
    fleet.hear(stolen)
    fleet.run(lambda rows: revoke(rows, "robot-1", "nobody's", fleet.now_s))
    assert fleet.run(lambda rows: rows.count_open(rollout.rollout_id)) == 0
    fleet.install(other)
    fleet.watch(2 * EVERYONE.silence_deadline_s)
    assert fleet.rollout(rollout.rollout_id).state is RolloutState.FINISHED
    assert fleet.run(lambda rows: rows.count_by_status(rollout.rollout_id)) == {
        Status.SUPERSEDED: 1,
        Status.INSTALLED: 1,
    }


def test_how_an_update_ended_is_not_rewritten_when_its_robot_is_revoked(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    rollout = fleet.start("0.2.1")
    fleet.install(robot)
    before = fleet.assignment_of(rollout)
    fleet.run(lambda rows: revoke(rows, "robot-1", "nobody's", fleet.now_s))
    assert fleet.assignment_of(rollout) == before


def test_a_robot_revoked_before_its_turn_is_not_waited_for_longer_than_the_silence_deadline(fleet: FleetCase) -> None:
    first, gone = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    fleet.hear(gone)
    rollout = fleet.start("0.2.1")
    fleet.run(lambda rows: revoke(rows, "robot-2", "nobody's", fleet.now_s))
    fleet.install(first)
    fleet.watch(EVERYONE.silence_deadline_s)
    assert fleet.rollout(rollout.rollout_id).state is RolloutState.RUNNING
    fleet.watch(HOUR_S)
    assert fleet.rollout(rollout.rollout_id).state is RolloutState.FINISHED


def test_a_revoked_robot_that_enrols_again_goes_on_where_it_was(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    offer = fleet.offered(robot)
    fleet.run(lambda rows: revoke(rows, "robot-1", "nobody's", fleet.now_s))
    invite(fleet)
    enrol(fleet)
    assert fleet.offered(robot).id == offer.id


def test_nobody_unknown_is_revoked(fleet: FleetCase) -> None:
    assert code_of(lambda: fleet.run(lambda rows: revoke(rows, "robot-9", "x", 0.0))) == "not-found-robot"


def test_a_certificate_ends_with_its_time(fleet: FleetCase) -> None:
    invite(fleet)
    enrol(fleet)
    fleet.now_s += LIFE_S
    assert holder(fleet, "first") is None
    assert code_of(renewed, fleet, "first", "second") == "refused-certificate"


def renewed(fleet: FleetCase, shown: str, name: str, robot_id: str = "robot-1") -> Robot:
    fresh = certificate(fleet, name, robot_id)
    return fleet.run(lambda rows: renew(rows, shown, fresh, fleet.now_s))


def test_renewing_leaves_the_certificate_that_asked_and_the_new_one(fleet: FleetCase) -> None:
    invite(fleet)
    enrol(fleet)
    for shown, name in (("first", "second"), ("second", "third")):
        renewed(fleet, shown, name)
    assert [holder(fleet, name) for name in ("first", "second", "third")] == [None, "robot-1", "robot-1"]


def test_nobody_renews_for_another_robot(fleet: FleetCase) -> None:
    invite(fleet)
    enrol(fleet)
    fleet.enrol("robot-2")
    assert code_of(renewed, fleet, "first", "second", "robot-2") == "refused-robot-mismatch"
    assert holder(fleet, "second") is None


def test_a_factory_s_robot_must_be_known(fleet: FleetCase) -> None:
    issued = certificate(fleet, "first")

    def admit() -> Robot:
        return fleet.run(lambda rows: enrol_by_factory(rows, issued, "nobody's", fleet.now_s))

    assert code_of(admit) == "not-found-robot"
    fleet.enrol("robot-1")
    assert admit().robot_id == "robot-1"


@pytest.mark.parametrize("name", ["", "nobody"])
def test_no_certificate_is_nobody_s(fleet: FleetCase, name: str) -> None:
    assert holder(fleet, name) is None
