"""The agent against AWS IoT Jobs: whole updates and power cuts, with a Jobs service whose record is compared."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from shell.aws_bridge import AwsFleet
from surefoot.fleet.aws_jobs import JobExecution
from surefoot.fleet.aws_words import JobStatus
from surefoot.fleet.model import Status
from surefoot.shell.aws_documents import Source, offer_of, source_of
from surefoot.shell.aws_transport import AwsTransport, JobsLink, StreamDownload
from surefoot.shell.ports import Download
from surefoot.signing.signers import new_key, open_signer
from surefoot.sim.cuts import OLD_VERSION, Bench, settle, sweep
from surefoot.sim.flash import Cut
from surefoot.sim.images import app_image
from surefoot.sim.partitions import SMALL
from surefoot.sim.robot import Behaviour
from surefoot.wire.errors import Refused
from surefoot.wire.offer import Answer
from surefoot.wire.report import Report


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[AwsFleet]:
    new_key(tmp_path / "key.pem")
    fleet = AwsFleet(tmp_path, open_signer(f"file:{tmp_path / 'key.pem'}"))
    yield fleet
    fleet.close()


def a_bench(fleet: AwsFleet) -> Bench:
    release = fleet.publish(app_image("0.2.1", seed=2), "0.2.1")
    fleet.start_rollout(release)
    old = app_image(OLD_VERSION, seed=1)
    return Bench(fleet=fleet, geometry=SMALL, old_image=old, release=release)


def jobs_of(fleet: AwsFleet, robot_id: str) -> list[JobExecution]:
    return fleet.store.read(lambda rows: rows.find(JobExecution, robot_id=robot_id))


def test_an_update_by_job_and_stream_ends_in_the_record_and_with_aws_alike(fleet: AwsFleet) -> None:
    bench = a_bench(fleet)
    transport, link = fleet.enrol_by_jobs("r")
    robot = bench.robot_on("r", transport, Behaviour.HEALTHY)
    settle(robot, bench)
    assert robot.running_digest == bench.release.digest
    assert fleet.status("r").verdict.status is Status.INSTALLED
    assert [job.status for job in jobs_of(fleet, "r")] == [JobStatus.SUCCEEDED]
    last: dict[str, Any] = link.updates[-1]
    assert last["statusDetails"]["digest"] == bench.release.digest
    assert last["statusDetails"]["version"] == "0.2.1"
    assert link.in_hand is None


def test_success_is_said_again_until_it_is_on_record(fleet: AwsFleet) -> None:
    bench = a_bench(fleet)
    transport, link = fleet.enrol_by_jobs("r")
    robot = bench.robot_on("r", transport, Behaviour.HEALTHY)
    said: list[str] = []
    ask = link.ask

    def lossy(suffix: str, body: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
        if body.get("status") == "SUCCEEDED":
            said.append(suffix)
            # It gets there, and the word of that does not come back.
            link.loses = 1 if len(said) <= 3 else 0
        return ask(suffix, body)

    link.ask = lossy  # type: ignore[method-assign]
    settle(robot, bench)
    for _ in range(4):
        robot.check()
    assert len(said) >= 4, "a rejection that says SUCCEEDED ends it"
    assert fleet.status("r").verdict.status is Status.INSTALLED


def test_a_trial_that_fails_is_a_job_that_failed(fleet: AwsFleet) -> None:
    bench = a_bench(fleet)
    transport, link = fleet.enrol_by_jobs("r")
    robot = bench.robot_on("r", transport, Behaviour.FAILS_SELF_TEST)
    settle(robot, bench)
    assert robot.running_digest != bench.release.digest
    assert fleet.status("r").verdict.status is Status.ROLLED_BACK
    assert jobs_of(fleet, "r")[0].status is JobStatus.FAILED
    assert link.updates[-1]["statusDetails"]["state"] == "rolled_back"


@pytest.mark.parametrize("behaviour", [Behaviour.HEALTHY, Behaviour.FAILS_SELF_TEST])
def test_wherever_power_fails_aws_has_on_record_what_the_robot_runs(fleet: AwsFleet, behaviour: Behaviour) -> None:
    bench = a_bench(fleet)
    endings = list(sweep(bench, behaviour, (Cut.NOTHING,), step=11))
    assert len(endings) > 30
    assert [(ending.world.name, ending.faults) for ending in endings if ending.faults] == []


class Presigned:
    """Serves one presigned address, and remembers what was asked. Fills `shell.ports.Transport`."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, int]] = []

    def exchange(self, report: Report) -> Answer:
        raise AssertionError("it is no server")

    def open(self, url: str, sha256: str, first_byte: int) -> Download:
        self.opened.append((url, first_byte))
        return StreamDownload(cast(JobsLink, None), Source(url=None, stream="s", file_id=0, size_bytes=0), 0)


class OneJob:
    """An AWS with one job whose address is another one each time it is described."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.described = 0

    def ask(self, suffix: str, body: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
        self.described += 1
        document = json.loads(json.dumps(self.document).replace("PRESIGNED", f"https://s3.test/?n={self.described}"))
        return True, {"execution": {"jobId": "job-1", "status": "IN_PROGRESS", "jobDocument": document}}


def test_a_presigned_address_is_asked_for_anew_at_each_opening() -> None:
    """It runs out sooner than a slow robot has the file."""
    https = Presigned()
    document = {"surefoot": {"url": "PRESIGNED", "size_bytes": 5}}
    transport = AwsTransport(cast(JobsLink, OneJob(document)), https, lambda _: None)
    for first_byte in (0, 3):
        transport.open("aws-job:job-1", "aa" * 32, first_byte)
    assert https.opened == [("https://s3.test/?n=1", 0), ("https://s3.test/?n=2", 3)]


STREAM = {"protocols": ["MQTT"], "streamname": "s-1", "files": [{"fileid": 2, "filesize": 7}]}
OWN = {"version": "0.3.0", "digest": "aa" * 32}


def test_a_document_of_aws_own_making_needs_two_words_of_ours() -> None:
    execution = {"jobId": "AFR_OTA-1", "jobDocument": {"afr_ota": STREAM, "surefoot": OWN}}
    offer = offer_of(execution, "standard", 2)
    assert (offer.id, offer.url, offer.attempt) == ("AFR_OTA-1", "aws-job:AFR_OTA-1", 2)
    assert (offer.sha256, offer.size_bytes, offer.sku) == ("aa" * 32, 7, "standard")
    assert source_of(execution["jobDocument"]) == Source(url=None, stream="s-1", file_id=2, size_bytes=7)
    both = STREAM | {"protocols": ["HTTP"], "files": [{"filesize": 7, "update_data_url": "https://s3.test/"}]}
    assert source_of({"afr_ota": both}).url == "https://s3.test/"
    other_file = {"afr_ota": both, "surefoot": {"fileid": 1, "size_bytes": 143}}
    assert source_of(other_file) == Source(url=None, stream="s-1", file_id=1, size_bytes=143)


@pytest.mark.parametrize(
    ("job_id", "document"),
    [
        ("a" * 64, {"afr_ota": STREAM, "surefoot": OWN}),
        ("job 1", {"afr_ota": STREAM, "surefoot": OWN}),
        ("job-1", {"afr_ota": STREAM}),
        ("job-1", {"surefoot": OWN}),
        ("job-1", {"afr_ota": STREAM | {"files": []}, "surefoot": OWN}),
        ("job-1", {"afr_ota": STREAM | {"streamname": "a/b"}, "surefoot": OWN}),
        ("job-1", ["afr_ota"]),
        ("job-1", None),
    ],
)
def test_a_document_that_says_too_little_is_rejected_by_name(job_id: str, document: object) -> None:
    with pytest.raises(Refused) as caught:
        offer_of({"jobId": job_id, "jobDocument": document}, "standard", 1)
    assert caught.value.code == "refused-offer-format"
