"""`surefoot agent` as a person runs it, with a real broker and no other way to its server."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.agent_case import NEW_FILE, OFFER
from mosquitto import Mosquitto, mosquitto
from shell.fakes import MemoryServer
from shell.mqtt_fleet import FleetSide
from surefoot.signing.signers import new_key, open_signer
from surefoot.wire.command import encode_nudge
from waiting import wait_until

pytestmark = pytest.mark.mosquitto

ROBOT = "robot-001"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


def surefoot(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "surefoot", *arguments]


def init(tmp_path: Path, broker: Mosquitto, mqtt: str) -> subprocess.CompletedProcess[str]:
    new_key(tmp_path / "key.pem")
    (tmp_path / "key.der").write_bytes(open_signer(f"file:{tmp_path / 'key.pem'}").public_key.der)
    (tmp_path / "image.bin").write_bytes(b"firmware" * 100)
    options = {
        "--robot-id": ROBOT,
        "--sku": "standard",
        "--server": "https://127.0.0.1:9",
        "--mqtt": mqtt,
        "--ca": broker.ca_path,
        "--certificate-file": broker.robot_certificate_path(ROBOT),
        "--trust": tmp_path / "key.der",
        "--image": tmp_path / "image.bin",
        "--version": "0.2.0",
    }
    words = [str(word) for pair in options.items() for word in pair]
    return subprocess.run(
        surefoot("agent", "init", str(tmp_path / "robot"), *words), capture_output=True, text=True, check=False
    )


def test_an_agent_asks_when_it_is_told_to_and_says_that_it_goes(tmp_path: Path, broker: Mosquitto) -> None:
    made = init(tmp_path, broker, broker.url)
    assert made.returncode == 0, made.stderr
    server = MemoryServer(NEW_FILE, None)
    log = tmp_path / "log"
    with (
        FleetSide(broker, server) as fleet,
        log.open("wb") as lines,
        subprocess.Popen(surefoot("agent", "run", str(tmp_path / "robot")), stderr=lines) as agent,
    ):
        try:
            wait_until(lambda: len(server.reports) == 1 or agent.poll() is not None)
            fleet.wait_for(ROBOT, "online", b"1")
            os.kill(agent.pid, signal.SIGUSR1)
            wait_until(lambda: len(server.reports) == 2 or agent.poll() is not None)
            fleet.command(ROBOT, b"nonsense")
            fleet.command(ROBOT, encode_nudge(OFFER))
            wait_until(lambda: len(server.reports) == 3 or agent.poll() is not None)
        finally:
            agent.send_signal(signal.SIGINT)
            agent.wait(60)
        fleet.wait_for(ROBOT, "online", b"0")
    assert [report.seq for report in server.reports] == [1, 2, 3]
    assert "refused-command-format" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_an_agent_that_runs_once_is_heard_over_the_broker(tmp_path: Path, broker: Mosquitto) -> None:
    init(tmp_path, broker, broker.url)
    server = MemoryServer(NEW_FILE, None)
    with FleetSide(broker, server) as fleet:
        command = surefoot("agent", "run", str(tmp_path / "robot"), "--once")
        once = subprocess.run(command, capture_output=True, text=True, check=False)
        assert once.returncode == 0, once.stderr
        assert "runs 0.2.0" in once.stdout
        fleet.wait_for(ROBOT, "online", b"0")
    assert len(server.reports) == 1


def test_an_address_that_is_no_brokers_is_refused_before_anything_is_written(tmp_path: Path, broker: Mosquitto) -> None:
    made = init(tmp_path, broker, "mqtt://broker.test")
    assert made.returncode != 0
    assert "--mqtt" in made.stderr and "refused-agent-config" in made.stderr
    assert not (tmp_path / "robot").exists()
