"""Devices made for AWS IoT that fetch their image over HTTPS: whole updates, and power cuts at every step."""

import base64
import http.client
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from fleet.aws_agent import AgentV3
from server.mqtt import jobs_field as field_case
from server.mqtt.aws_case import IMAGE, NEW, OLD, JobsCase, over_https
from server.mqtt.jobs_field import JobsField, jobs_field
from server_bench import NOW_S, Bench
from surefoot.fleet.model import Status
from surefoot.fleet.rollouts import halt_rollout
from surefoot.signing.signers import FileSigner

# Three requests for an image.
BLOCK_BYTES = 128 * 1024


@pytest.fixture
def jobs(bench: Bench) -> JobsCase:
    case = JobsCase(over_https(bench))
    case.roll_out()
    return case


def device(jobs: JobsCase, robot_id: str, **changes: object) -> AgentV3:
    return jobs.device(robot_id, fetch=jobs.fetch, block_bytes=BLOCK_BYTES, **changes)


def status_of(jobs: JobsCase, robot_id: str) -> Status:
    newest = jobs.run(lambda rows: rows.newest_assignment(robot_id))
    assert newest is not None
    return newest.status


@pytest.mark.parametrize("allows_downgrade", [False, True])
def test_the_record_equals_the_device_wherever_power_fails(jobs: JobsCase, allows_downgrade: bool) -> None:
    whole = device(jobs, "robot-1", allows_downgrade=allows_downgrade)
    whole.live()
    assert (whole.running, whole.spare, status_of(jobs, "robot-1")) == (NEW, IMAGE, Status.INSTALLED)
    for cut_at in range(1, whole.steps + 1):
        robot_id = f"robot-cut-{cut_at}"
        jobs.bench.enrol(robot_id)
        cut = device(jobs, robot_id, allows_downgrade=allows_downgrade, cut_at=cut_at)
        cut.live()
        status = status_of(jobs, robot_id)
        assert (status is Status.INSTALLED) == (cut.running == NEW), f"cut at step {cut_at}: {status}"
        assert cut.running == NEW, f"cut at step {cut_at}: the device was left behind"


def test_a_device_whose_rollout_is_halted_amid_the_download_asks_for_its_job_and_rests(jobs: JobsCase) -> None:
    fetched = 0

    def fetch(url: str, first: int, last: int) -> tuple[int, bytes]:
        nonlocal fetched
        fetched += 1
        if fetched == 2:
            jobs.run(lambda rows: halt_rollout(rows, "rollout-1", "smoke", NOW_S))
        return jobs.fetch(url, first, last)

    stopped = jobs.device(fetch=fetch, block_bytes=BLOCK_BYTES)
    stopped.live()
    assert (fetched, stopped.running) == (2, OLD)
    assert "execution" not in jobs.ask("$next/get", {})


class PlainClient:
    """A client that has nothing but the CA's certificate, and keeps its connection as coreHTTP does."""

    def __init__(self, field: JobsField) -> None:
        tls = ssl.create_default_context(cafile=str(field.server.ca_path))
        parts = urlsplit(field.server.url)
        self.connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, context=tls)

    def fetch(self, url: str, first: int, last: int) -> tuple[int, bytes]:
        self.connection.request("GET", urlsplit(url).path, headers={"Range": f"bytes={first}-{last}"})
        answer = self.connection.getresponse()
        return answer.status, answer.read()


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory, signer: FileSigner) -> Iterator[JobsField]:
    with jobs_field(tmp_path_factory.mktemp("https"), signer, aws_delivery="*=HTTP", access_log="true") as made:
        yield made


@pytest.mark.mosquitto
def test_a_device_that_has_nothing_but_the_ca_updates_over_real_tls(field: JobsField, signer: FileSigner) -> None:
    field.enrol("robot-1")
    field.roll_out()
    client = PlainClient(field)
    with field.device("robot-1") as peer:
        [file] = peer.ask("$next/get", {})["execution"]["jobDocument"]["afr_ota"]["files"]
        url = file["update_data_url"]
        assert url.startswith(field.server.url)
        made = AgentV3(ask=peer.ask, running=OLD, offered=NEW, fetch=client.fetch)
        made.live()
        assert (made.running, made.spare) == (NEW, field_case.IMAGE)
        public_key = load_der_public_key(signer.public_key.der)
        assert isinstance(public_key, ec.EllipticCurvePublicKey)
        signature = base64.b64decode(file["sig-sha256-ecdsa"])
        public_key.verify(signature, made.spare, ec.ECDSA(hashes.SHA256()))
        assert field.status("robot-1") == "installed"
        assert client.fetch(url, 0, 0)[0] == 404
    client.connection.close()
    word = url.rpartition("/")[2]
    log = field.server.log_path.read_text()
    assert "/v1/aws/files/…" in log and word not in log
    assert all(word.encode() not in path.read_bytes() for path in field.server.data_dir.glob("surefoot.db*"))
