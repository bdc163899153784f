"""What the Jobs service makes of a device's words when the fleet has changed its mind meanwhile."""

from typing import Any

import pytest

from fleet.aws_agent import STATE_MISMATCH
from fleet.aws_service_case import NEW, OLD, Service, device_on
from fleet.fleet_case import FleetCase, digest_of
from surefoot.fleet.aws_own_agent import own_word
from surefoot.fleet.image_signatures import ImageSignature
from surefoot.fleet.model import Status
from surefoot.fleet.rollouts import halt_rollout, pause_rollout, resume_rollout
from surefoot.wire.report import CONFIRMED, TRIAL


def rollout_of(fleet: FleetCase) -> str:
    return fleet.assignment().rollout_id


def test_a_job_that_waits_is_withdrawn_by_a_pause_and_comes_again(fleet: FleetCase) -> None:
    service, _ = device_on(fleet)
    first = service.ask("$next/get", {})["execution"]["jobId"]
    rollout_id = rollout_of(fleet)
    fleet.run(lambda rows: pause_rollout(rows, rollout_id, "lunch", fleet.now_s))
    assert "execution" not in service.ask("$next/get", {})
    fleet.run(lambda rows: resume_rollout(rows, rollout_id, "back", fleet.now_s))
    second = service.ask("$next/get", {})["execution"]["jobId"]
    assert second != first and second[:-1] == first[:-1]


def test_a_job_that_has_begun_goes_on_through_a_pause_and_not_through_a_halt(fleet: FleetCase) -> None:
    service, _ = device_on(fleet)
    job_id = service.ask("start-next", {})["execution"]["jobId"]
    rollout_id = rollout_of(fleet)
    fleet.run(lambda rows: pause_rollout(rows, rollout_id, "lunch", fleet.now_s))
    assert service.ask("$next/get", {})["execution"]["jobId"] == job_id
    fleet.run(lambda rows: halt_rollout(rows, rollout_id, "smoke", fleet.now_s))
    assert "execution" not in service.ask("$next/get", {})
    assert service.ask(f"{job_id}/get", {})["execution"]["status"] == "CANCELED"


def test_a_device_in_its_self_test_keeps_its_job_through_a_halt(fleet: FleetCase) -> None:
    """Without it, it would reset, and one that has kept the image already would have nobody to tell."""
    service, device = device_on(fleet)
    assert device.run()
    device.boot()
    job_id = service.ask("$next/get", {})["execution"]["jobId"]
    service.ask(f"{job_id}/update", {"status": "IN_PROGRESS", "statusDetails": active(NEW)})
    rollout_id = rollout_of(fleet)
    fleet.run(lambda rows: halt_rollout(rows, rollout_id, "smoke", fleet.now_s))
    assert service.ask("$next/get", {})["execution"]["jobId"] == job_id
    assert not device.run()
    assert fleet.status().verdict.status is Status.INSTALLED


def test_success_after_the_job_was_taken_back_is_rejected_and_believed(fleet: FleetCase) -> None:
    service, device = device_on(fleet)
    assert device.run()
    job_id = service.ask("$next/get", {})["execution"]["jobId"]
    rollout_id = rollout_of(fleet)
    fleet.run(lambda rows: halt_rollout(rows, rollout_id, "smoke", fleet.now_s))
    assert "execution" not in service.ask("$next/get", {})
    assert fleet.status().verdict.status is not Status.INSTALLED
    answer = service.ask(f"{job_id}/update", {"status": "SUCCEEDED", "clientToken": "t"})
    assert (answer["code"], answer["executionState"]["status"]) == ("InvalidStateTransition", "CANCELED")
    assert fleet.status().verdict.status is Status.INSTALLED


def test_a_device_taken_for_updated_is_corrected_by_the_next_version_that_it_names(fleet: FleetCase) -> None:
    """A platform that may undo a valid image cannot be told from one that keeps it until the device speaks again."""
    service, device = device_on(fleet)
    assert device.run()
    device.boot()
    job_id = service.ask("$next/get", {})["execution"]["jobId"]
    device.update(job_id, "IN_PROGRESS", active(NEW))
    device.fail(job_id, STATE_MISMATCH)
    assert (fleet.status().verdict.status, runs(fleet)) == (Status.INSTALLED, ("0.2.1", digest_of("0.2.1")))
    release = fleet.release("0.2.2")
    fleet.run(lambda rows: rows.put(ImageSignature(release_id=release.release_id, key_id="aa" * 32, der=b"der")))
    fleet.start("0.2.2")
    job_id = service.ask("$next/get", {})["execution"]["jobId"]
    ready = {"self_test": "ready", "updatedBy": f"0x{OLD:08x}"}
    device.update(job_id, "IN_PROGRESS", ready)
    assert runs(fleet) == ("0.2.0", None)


def runs(fleet: FleetCase) -> tuple[str | None, str | None]:
    facts = fleet.facts()
    assert facts is not None
    return facts.report.running.version, facts.report.running.digest


@pytest.mark.parametrize(("is_heard", "status"), [(True, Status.INSTALLED), (False, Status.UNKNOWN)])
def test_a_device_that_started_anew_is_not_taken_for_updated_by_what_it_said_before(
    fleet: FleetCase, is_heard: bool, status: Status
) -> None:
    """It went back, or it committed: what it calls itself after that start tells, and it may get lost."""
    service, device = device_on(fleet, allows_downgrade=True)
    device.run()
    device.boot()
    job = service.ask("$next/get", {})["execution"]
    active = {"status": "IN_PROGRESS", "statusDetails": {"self_test": "active", "updatedBy": f"0x{NEW:08x}"}}
    service.ask(f"{job['jobId']}/update", active)
    service.ask("$next/get", {})
    if is_heard:
        service.ask(f"{job['jobId']}/update", active)
    device.fail(job["jobId"], STATE_MISMATCH)
    assert fleet.status().verdict.status is status


def test_another_devices_job_is_not_there(fleet: FleetCase) -> None:
    service, _ = device_on(fleet)
    job_id = service.ask("start-next", {})["execution"]["jobId"]
    other = Service(fleet, fleet.enrol("robot-2").robot)
    for suffix in (f"{job_id}/get", f"{job_id}/update"):
        assert other.ask(suffix, {"status": "SUCCEEDED"})["code"] == "ResourceNotFound"
    assert service.ask(f"{job_id}/get", {})["execution"]["status"] == "IN_PROGRESS"


def active(version: int) -> dict[str, str]:
    return {"self_test": "active", "updatedBy": f"0x{version:08x}"}


def test_our_own_agent_is_taken_by_its_word() -> None:
    details = {"state": "trial", "digest": "ab" * 32, "version": "0.2.1", "attempts": "2", "code": "trial-failed"}
    word = own_word(details, "aws")
    assert word is not None
    assert (word.running.digest, word.running.version, word.running.state) == ("ab" * 32, "0.2.1", TRIAL)
    assert (word.state, word.code, word.attempts) == ("trial", "trial-failed", 2)
    begins = own_word(details | {"state": "offered"}, "aws")
    assert begins is not None and (begins.state, begins.running.state) == (None, CONFIRMED)


@pytest.mark.parametrize(
    "change",
    [{"state": "active"}, {"state": ""}, {"digest": "AB" * 32}, {"digest": "ab"}, {"digest": ""}],
)
def test_what_our_agent_would_not_say_is_read_as_any_devices_word(change: dict[str, Any]) -> None:
    assert own_word({"state": "trial", "digest": "ab" * 32, **change}, "aws") is None


def test_of_what_stands_beside_it_nothing_strange_is_kept() -> None:
    strange = {"version": "\u2028" * 9, "attempts": "9999", "code": "no code!"}
    word = own_word({"state": "refused", "digest": "ab" * 32, **strange}, "aws")
    assert word is not None
    assert (word.running.version, word.attempts, word.code) == (None, 0, None)
