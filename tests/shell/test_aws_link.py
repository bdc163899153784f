"""A companion against AWS IoT Jobs over a real Mosquitto, with our own service in the place of AWS."""

import hashlib
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from server.mqtt.jobs_field import IMAGE, SKU, VERSION, JobsField, jobs_field
from surefoot.shell.agent_config import AgentConfig, endpoint_of, read_config
from surefoot.shell.aws_link import ALPN, AwsLink
from surefoot.shell.posix import Companion, make_companion
from surefoot.signing.signers import FileSigner
from surefoot.wire.command import parse_command
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.version import Version
from waiting import wait_until

pytestmark = pytest.mark.mosquitto


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobsField]:
    signer = FileSigner(ec.generate_private_key(ec.SECP256R1()))
    with jobs_field(tmp_path_factory.mktemp("aws"), signer) as made:
        yield made


def companion(field: JobsField, folder: Path, robot_id: str) -> Companion:
    key_file = folder / "release.der"
    key_file.write_bytes(field.signer.public_key.der)
    config = AgentConfig(
        robot_id=field.enrol(robot_id),
        sku=SKU,
        server=f"aws-iot://127.0.0.1:{field.broker.port}",
        certificate_file=field.broker.robot_certificate_path(robot_id),
        trusted_keys=(key_file,),
        ca_file=field.broker.ca_path,
    )
    make_companion(folder / robot_id, config, b"old firmware " * 5000, Version.parse("0.2.0"))
    return Companion(folder / robot_id, lines.append)


lines: list[str] = []


def test_a_companion_updates_by_jobs_and_streams_and_hears_of_a_new_one(field: JobsField, tmp_path: Path) -> None:
    robot = companion(field, tmp_path, "robot-1")
    runs = threading.Thread(target=robot.run_forever, daemon=True)
    runs.start()
    wait_until(lambda: "running_version" in field.ask("GET", "/robots/robot-1"))
    field.roll_out()
    wait_until(lambda: field.status("robot-1") == "installed")
    directory = tmp_path / "robot-1"
    running = json.loads((directory / "boot.json").read_text())["running"]
    assert (directory / f"slot.{running}").read_bytes() == IMAGE
    one = field.ask("GET", "/robots/robot-1")
    assert (one["running_version"], one["running_digest"]) == (VERSION, hashlib.sha256(IMAGE).hexdigest())
    robot.close()


@pytest.mark.parametrize(("port", "names"), [(8883, []), (443, [[ALPN]])])
def test_the_port_says_whether_alpn_is_needed(
    field: JobsField, monkeypatch: pytest.MonkeyPatch, port: int, names: list[list[str]]
) -> None:
    offered: list[list[str]] = []
    monkeypatch.setattr(ssl.SSLContext, "set_alpn_protocols", lambda _context, names: offered.append(names))
    certificate = field.broker.robot_certificate_path("robot-2")
    link = AwsLink(("127.0.0.1", port), "robot-2", field.broker.ca_path, certificate, lambda _: None, lines.append)
    # Nobody listens there.
    with pytest.raises(Interrupted):
        link.ask("get", {})
    link.close()
    assert offered[:1] == names


def test_a_job_that_another_takes_the_place_of_is_cancelled(field: JobsField) -> None:
    told: list[bytes | str] = []
    certificate = field.broker.robot_certificate_path(field.enrol("robot-3"))
    link = AwsLink(
        ("127.0.0.1", field.broker.port), "robot-3", field.broker.ca_path, certificate, told.append, lines.append
    )
    accepted, answer = link.ask("$next/get", {})
    assert accepted
    rejected, answer = link.ask("AFR_OTA-none/update", {"status": "SUCCEEDED"})
    assert not rejected and answer["code"] == "ResourceNotFound"
    with pytest.raises(Refused) as caught:
        link.blocks("AFR_OTA-none", {"s": 1, "f": 0, "l": 4096, "o": 0, "n": 1}, 1)
    assert caught.value.code == "refused-image-gone"
    link.work_on("job-1")
    link._take_next({"execution": {"jobId": "job-2"}})
    command = told.pop()
    assert isinstance(command, bytes) and parse_command(command).cancel == "job-1"
    link.work_on(None)
    link._take_next({"execution": {"jobId": "job-2"}})
    assert told == [], "it says nothing new"
    link._take_next({"execution": {"jobId": "job-3"}})
    assert told == ["asked"]
    link.close()
    with pytest.raises(Interrupted):
        link.ask("get", {})


@pytest.mark.parametrize(
    ("server", "endpoint"),
    [
        ("aws-iot://a1-ats.iot.eu-central-1.amazonaws.com", ("a1-ats.iot.eu-central-1.amazonaws.com", 8883)),
        ("aws-iot://a1-ats.iot.eu-central-1.amazonaws.com:443", ("a1-ats.iot.eu-central-1.amazonaws.com", 443)),
        ("https://updates.example", None),
        ("aws-iot://", None),
        ("aws-iot://host:notaport", None),
    ],
)
def test_an_endpoint_is_told_from_a_server_of_ones_own(server: str, endpoint: tuple[str, int] | None) -> None:
    assert endpoint_of(server) == endpoint


def test_aws_needs_a_certificate_and_goes_without_broker_and_metadata(tmp_path: Path) -> None:
    text = 'robot_id = "r"\nsku = "s"\nserver = "aws-iot://host"\ntrusted_keys = []\n'
    for line in ('token_file = "t"', 'certificate_file = "c"\nmqtt = "mqtts://host"'):
        (tmp_path / "agent.toml").write_text(text + line + "\n")
        with pytest.raises(Refused) as caught:
            read_config(tmp_path)
        assert caught.value.code == "refused-agent-config"
    by_token = AgentConfig(robot_id="r", sku="s", server="aws-iot://host", trusted_keys=(), token_file=Path("t"))
    with pytest.raises(Refused, match="certificate_file"):
        make_companion(tmp_path / "made", by_token, b"firmware", Version.parse("0.2.0"))
    assert not (tmp_path / "made").exists(), "and nothing is left behind"
    (tmp_path / "agent.toml").write_text(text + 'certificate_file = "c"\n')
    assert read_config(tmp_path).server == "aws-iot://host"
