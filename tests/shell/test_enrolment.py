"""A companion enrols at a real server, and then runs on its certificate alone."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from live_server import LiveServer
from support import code_of
from surefoot.shell.enrolment import enrol
from surefoot.shell.https import HttpsTransport
from surefoot.wire.report import Report, SlotReport


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("enrolment") / "data").start() as started:
        yield started


def invite(server: LiveServer, robot_id: str) -> str:
    with server.operator() as operator:
        answer = operator.post("/api/v1/enrolment-codes", json={"robot_id": robot_id, "sku": "standard"})
    return str(answer.json()["code"])


def report_of(robot_id: str) -> Report:
    return Report(
        robot_id=robot_id,
        sku="standard",
        epoch="first",
        boot=1,
        seq=1,
        running=SlotReport(slot="ota_0", version="0.2.0", digest="aa" * 32, state="confirmed"),
        spare=None,
        assignment=None,
        version_floor=None,
        protocol=1,
        companion_version=None,
        trusted_keys=(),
        accepts=(),
        code=None,
    )


def test_a_robot_enrols_keeps_its_key_to_itself_and_reports_by_its_certificate(
    server: LiveServer, tmp_path: Path
) -> None:
    file = tmp_path / "robot.pem"
    expires_at_s = enrol(server.url, server.ca_path, "enrol-1", invite(server, "enrol-1"), file)
    assert expires_at_s > 0 and stat.S_IMODE(file.stat().st_mode) == 0o600
    transport = HttpsTransport(server.url, None, server.ca_path, file)
    assert transport.exchange(report_of("enrol-1")).next_check_s is not None
    assert code_of(transport.exchange, report_of("enrol-2")) == "refused-robot-mismatch"


def test_a_certificate_is_renewed_with_the_one_there_is(server: LiveServer, tmp_path: Path) -> None:
    file = tmp_path / "robot.pem"
    enrol(server.url, server.ca_path, "enrol-3", invite(server, "enrol-3"), file)
    first = file.read_bytes()
    enrol(server.url, server.ca_path, "enrol-3", None, file)
    assert file.read_bytes() != first
    assert HttpsTransport(server.url, None, server.ca_path, file).exchange(report_of("enrol-3")) is not None


def test_a_refused_enrolment_leaves_what_was_there(server: LiveServer, tmp_path: Path) -> None:
    file = tmp_path / "robot.pem"
    enrol(server.url, server.ca_path, "enrol-4", invite(server, "enrol-4"), file)
    first = file.read_bytes()
    assert code_of(enrol, server.url, server.ca_path, "enrol-4", "wrong", file) == "refused-enrolment-code"
    assert code_of(enrol, server.url, server.ca_path, "enrol-5", None, file) == "refused-robot-mismatch"
    assert file.read_bytes() == first and list(tmp_path.iterdir()) == [file]


def test_without_code_and_certificate_there_is_nothing_to_renew(server: LiveServer, tmp_path: Path) -> None:
    missing = tmp_path / "none.pem"
    assert code_of(enrol, server.url, server.ca_path, "enrol-6", None, missing) == "refused-certificate-file"
    assert code_of(enrol, "http://fleet.test", None, "enrol-6", "code", missing) == "refused-url"


def test_an_agent_that_runs_on_goes_by_the_certificate_that_was_renewed_meanwhile(
    server: LiveServer, tmp_path: Path
) -> None:
    file = tmp_path / "robot.pem"
    enrol(server.url, server.ca_path, "enrol-9", invite(server, "enrol-9"), file)
    transport = HttpsTransport(server.url, None, server.ca_path, file)
    # After the second renewal the server has forgotten the certificate that the agent began with.
    enrol(server.url, server.ca_path, "enrol-9", None, file)
    enrol(server.url, server.ca_path, "enrol-9", None, file)
    assert transport.exchange(report_of("enrol-9")).next_check_s is not None
    file.unlink()
    assert transport.exchange(report_of("enrol-9").replace(seq=2)).next_check_s is not None
