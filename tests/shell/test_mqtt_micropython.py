"""MQTT on the interpreter that a microcontroller runs, in memory and with a real broker."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from agent.agent_case import NEW_FILE, OFFER
from mosquitto import Mosquitto, mosquitto
from shell.fakes import MemoryServer
from shell.mqtt_fleet import FleetSide
from surefoot.wire.command import encode_nudge
from test_micropython import TESTS, micropython_command, micropython_run


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path_factory.mktemp("broker"), {"by-token": "its token"}) as broker:
        yield broker


@pytest.mark.micropython
@pytest.mark.parametrize("name", ["test_mqtt_packets", "test_attention", "test_mqtt", "test_esp32_mqtt"])
def test_the_tests_in_memory_pass_there_too(name: str) -> None:
    result = micropython_run(TESTS / "shell" / f"{name}.py")
    assert result.returncode == 0, result.stdout + result.stderr


def credentials(broker: Mosquitto, robot_id: str, folder: Path) -> list[str]:
    """Write a robot's certificate and key as MicroPython takes them; return their paths."""
    pem = broker.robot_certificate_path(robot_id).read_bytes()
    key = load_pem_private_key(pem, None).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    certificate = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    paths = [folder / "certificate.der", folder / "key.der"]
    for path, data in zip(paths, (certificate, key), strict=True):
        path.write_bytes(data)
    return [str(path) for path in paths]


@pytest.mark.micropython
@pytest.mark.mosquitto
@pytest.mark.parametrize("robot_id", ["by-token", "by-certificate"])
def test_a_robot_on_micropython_is_updated_and_told_over_a_real_broker(
    robot_id: str, broker: Mosquitto, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.der"
    ca.write_bytes(x509.load_pem_x509_certificate(broker.ca_path.read_bytes()).public_bytes(Encoding.DER))
    by_token = robot_id == "by-token"
    port = broker.password_port if by_token else broker.port
    secrets = ["its token"] if by_token else credentials(broker, robot_id, tmp_path)
    script = str(TESTS / "micropython_mqtt.py")
    command, environment = micropython_command(script, str(port), str(ca), robot_id, *secrets)
    server = MemoryServer(NEW_FILE, OFFER)

    with (
        FleetSide(broker, server) as fleet,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as robot,
    ):
        try:
            fleet.wait_for(robot_id, "health", b"{}")
            server.offer = None
            fleet.command(robot_id, b"{nonsense")
            fleet.command(robot_id, b"x" * 20_000)
            fleet.command(robot_id, encode_nudge(OFFER))
            said, _ = robot.communicate(timeout=100)
        finally:
            robot.kill()
        assert robot.returncode == 0, said
        fleet.wait_for(robot_id, "online", b"0")

    assert "at rest for 600 s: installed 0.3.0 (assignment-1)" in said
    assert "woken after 1 malformed" in said and said.endswith("done\n")
    states = [report.assignment and report.assignment.state for report in server.reports]
    assert states == [None, "staged", "trial", "installed", "installed"]
    assert len(fleet.words(robot_id, "report")) == 5
