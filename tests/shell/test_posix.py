"""A companion with two slots in a directory updates itself from a real server."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.agent_case import OFFER, on_trial, staged
from live_server import LiveServer
from shell.fakes import QuietHost
from surefoot.agent.download import HOLD_S
from surefoot.cli.client import OperatorClient, connect
from surefoot.shell.agent_config import AgentConfig, read_config
from surefoot.shell.posix import Companion, make_companion, may_restart
from surefoot.signing.image import sign_image
from surefoot.signing.manifest import sign_manifest
from surefoot.signing.signers import Signer, new_key, open_signer
from surefoot.wire.errors import SurefootError
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.manifest import Manifest, signed_manifest_to_object
from surefoot.wire.report import CONFIRMED, INSTALLED, ROLLED_BACK
from surefoot.wire.version import Version

OLD, NEW = b"old firmware " * 5000, b"new firmware " * 6000
EVERYONE = {"phases": [{"name": "full", "percent": 100, "soak_s": 0}]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("fleet") / "server") as server:
        yield server


@pytest.fixture(scope="module")
def operator(server: LiveServer) -> Iterator[OperatorClient]:
    with connect(server=server.url, token_file=None, ca=None, data=server.data_dir) as operator:
        yield operator


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    path = tmp_path_factory.mktemp("keys") / "key.pem"
    new_key(path)
    return open_signer(f"file:{path}")


def publish(operator: OperatorClient, signer: Signer, sku: str) -> str:
    import base64

    operator.post("/api/v1/keys", {"name": "test", "der_base64": base64.b64encode(signer.public_key.der).decode()})
    image = sign_image(NEW, Version.parse("0.2.1"), signer)
    header = ImageHeader.parse(image[:HEADER_BYTES])
    manifest = Manifest(
        name="firmware",
        sku=sku,
        version=header.version,
        digest=header.digest,
        size_bytes=header.size_bytes,
        protocol=None,
        companion_versions=(),
        from_version_min=None,
        version_floor=None,
        delta_sources=(),
        trusted_keys=(),
        expires_at_s=None,
        notes=None,
    )
    sha256 = hashlib.sha256(image).hexdigest()
    operator.put_bytes(f"/api/v1/images/{sha256}", image)
    envelope = signed_manifest_to_object(sign_manifest(manifest, signer))
    release = operator.post("/api/v1/releases", {"sku": sku, "sha256": sha256, "manifest": envelope})
    operator.post("/api/v1/rollouts", {"release_id": release["release_id"], "plan": EVERYONE})
    return str(header.digest)


def make_robot(
    directory: Path, server: LiveServer, operator: OperatorClient, signer: Signer, self_test: tuple[str, ...] = ()
) -> Companion:
    robot_id = directory.name
    token = operator.post("/api/v1/robots", {"robot_id": robot_id, "sku": robot_id})["token"]
    token_file, key_file = directory.with_suffix(".token"), directory.with_suffix(".der")
    token_file.write_text(token)
    key_file.write_bytes(signer.public_key.der)
    config = AgentConfig(
        robot_id=robot_id,
        sku=robot_id,
        server=server.url,
        token_file=token_file,
        trusted_keys=(key_file,),
        ca_file=server.ca_path,
        self_test_command=self_test,
    )
    make_companion(directory, config, OLD, Version.parse("0.2.0"))
    assert read_config(directory) == config
    return Companion(directory, lambda text: None)


def test_a_companion_installs_what_it_is_offered_and_the_record_says_so(
    tmp_path: Path, server: LiveServer, operator: OperatorClient, signer: Signer
) -> None:
    companion = make_robot(tmp_path / "one", server, operator, signer)
    digest = publish(operator, signer, "one")

    state = companion.run_once()

    assert (state.journal.state, state.journal.acknowledged) == (INSTALLED, True)
    assert (tmp_path / "one" / "slot.b").read_bytes() == NEW
    robot = operator.get("/api/v1/robots/one")
    assert (robot["status"], robot["running_version"], robot["running_digest"]) == ("installed", "0.2.1", digest)


def test_a_companion_whose_self_test_fails_goes_back_and_the_record_says_so(
    tmp_path: Path, server: LiveServer, operator: OperatorClient, signer: Signer
) -> None:
    failing = (sys.executable, "-c", "raise SystemExit(1)")
    companion = make_robot(tmp_path / "two", server, operator, signer, failing)
    publish(operator, signer, "two")

    state = companion.run_once()

    assert (state.journal.state, state.journal.code) == (ROLLED_BACK, "trial-failed-safety")
    assert state.slots.running.state == CONFIRMED
    robot = operator.get("/api/v1/robots/two")
    assert (robot["status"], robot["code"], robot["running_version"]) == ("rolled_back", "trial-failed-safety", "0.2.0")
    assert robot["running_digest"] == hashlib.sha256(OLD).hexdigest()


def test_a_companion_without_its_server_keeps_what_it_has(
    tmp_path: Path, server: LiveServer, operator: OperatorClient, signer: Signer
) -> None:
    companion = make_robot(tmp_path / "three", server, operator, signer)
    path = tmp_path / "three" / "agent.toml"
    path.write_text(path.read_text().replace(server.url, "https://127.0.0.1:9"))
    companion = Companion(tmp_path / "three", lambda text: None)

    assert companion.run_once().journal.state == "idle"


def test_the_machine_is_restarted_when_the_robot_has_come_to_rest() -> None:
    host = QuietHost()
    host.holds = ["held-motors", "held-battery", None]
    assert may_restart(staged().journal, host, lambda _id: False)
    assert host.pauses == [HOLD_S, HOLD_S]


def test_the_machine_is_not_restarted_into_what_was_cancelled_while_it_waited() -> None:
    host = QuietHost()
    host.hold = "held-motors"
    assert not may_restart(
        staged().journal, host, lambda assignment_id: assignment_id == OFFER.id and bool(host.pauses)
    )
    assert host.pauses == [HOLD_S]


def test_an_image_that_failed_its_trial_is_left_at_once() -> None:
    host = QuietHost()
    host.hold = "held-safety"
    assert may_restart(on_trial().journal, host, lambda _id: True)
    assert host.pauses == []


@pytest.mark.parametrize(
    ("text", "named"),
    [("robot_id = 7", "robot_id"), ('robot_id = "r"\nsku = ""', "sku"), ("robot_id =", "TOML")],
)
def test_a_configuration_that_makes_no_sense_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "agent.toml").write_text(text)
    with pytest.raises(SurefootError) as error:
        read_config(tmp_path)
    assert error.value.code == "refused-agent-config"
    assert named in error.value.message
