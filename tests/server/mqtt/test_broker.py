"""The server's broker as a whole: a real server process, a real Mosquitto, robots by an independent client."""

import json
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from live_server import LiveServer
from mosquitto import free_ports
from mqtt_peer import peer
from server.robot_keys import csr, new_key, private_pem
from support import code_of
from surefoot.server.certificates import ensure_certificates
from surefoot.server.mqtt.broker import running_broker
from surefoot.server.settings import load_settings
from waiting import wait_until

pytestmark = pytest.mark.mosquitto

PORTS = {"broker": "auto", "broker_port": "0", "broker_password_port": "0"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("live") / "data", **PORTS).start() as server:
        yield server


def port_of(live: LiveServer, name: str) -> int:
    return urlsplit(json.loads((live.data_dir / "server.json").read_text())[name]).port or 0


def broker_pid(live: LiveServer) -> int:
    try:
        return int((live.data_dir / "mqtt" / "mosquitto.pid").read_text())
    except FileNotFoundError:
        return 0


def add(live: LiveServer, robot_id: str) -> str:
    with live.operator() as operator:
        answer = operator.post("/api/v1/robots", json={"robot_id": robot_id, "sku": "standard"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])


def test_a_new_robot_s_token_opens_the_broker_and_its_revocation_cuts_it_off(live: LiveServer) -> None:
    token, port = add(live, "robot-1"), port_of(live, "broker_password_url")

    def lets_in() -> bool:
        with peer(port, live.tls, "robot-1", token) as tried:
            return tried.is_in

    wait_until(lets_in)
    with peer(port, live.tls, "robot-1", token) as robot, live.operator() as operator:
        robot.publish("fleet/robot-1/online", b"1", retain=True)
        revoked = operator.post("/api/v1/robots/robot-1/revoke", json={"reason": "stolen"})
        assert revoked.status_code == 200
        wait_until(lambda: not robot.is_in)
    assert not lets_in()
    # Its word that it is online would outlast it.
    wait_until(lambda: "broker-cut robot_id=robot-1 cleared=1" in live.log_path.read_text())


def test_a_revoked_certificate_is_cut_off_while_it_is_connected(live: LiveServer, tmp_path: Path) -> None:
    key, port = new_key(), port_of(live, "broker_url")
    with live.operator() as operator:
        code = operator.post("/api/v1/enrolment-codes", json={"robot_id": "robot-2", "sku": "standard"}).json()["code"]
        with live.client() as robot:
            chain = robot.post("/v1/enrol", json={"csr": csr("robot-2", key), "code": code}).json()["certificate_chain"]
        own = tmp_path / "robot.pem"
        own.write_bytes(private_pem(key) + chain.encode())
        tls = live.tls
        tls.load_cert_chain(own)
        with peer(port, tls, "robot-2") as connected:
            assert connected.is_in
            assert operator.post("/api/v1/robots/robot-2/revoke", json={"reason": "stolen"}).status_code == 200
            wait_until(lambda: not connected.is_in)
        with peer(port, tls, "robot-2") as again:
            assert not again.is_in


def test_a_broker_that_is_killed_comes_back_on_the_same_port(live: LiveServer) -> None:
    port, before = port_of(live, "broker_url"), broker_pid(live)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: broker_pid(live) not in {0, before})
    wait_until(lambda: _listens(port))
    assert f"broker-died status=-{signal.SIGKILL.value} " in live.log_path.read_text()


def test_it_ends_with_the_server_and_after_a_kill_at_the_next_start(tmp_path: Path) -> None:
    # As the default has it: ports that the orphan still holds.
    port, password_port = map(str, free_ports(2))
    live = LiveServer(tmp_path / "data", **PORTS | {"broker_port": port, "broker_password_port": password_port}).start()
    first = broker_pid(live)
    live.kill9()
    os.kill(first, 0)
    live.start()
    wait_until(lambda: not Path(f"/proc/{first}").exists() or not Path(f"/proc/{first}/cmdline").read_bytes())
    wait_until(lambda: broker_pid(live) not in {0, first})
    second = broker_pid(live)
    live.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


def test_operators_are_told_where_robots_connect(live: LiveServer) -> None:
    described = json.loads((live.data_dir / "server.json").read_text())
    with live.operator() as operator:
        wait_until(lambda: operator.get("/api/v1/broker").json()["state"] == "connected")
        told = operator.get("/api/v1/broker").json()
    assert told["robot_url"] == described["broker_url"] != told["password_url"] == described["broker_password_url"]


def test_nothing_secret_is_on_its_command_line(live: LiveServer) -> None:
    words = Path(f"/proc/{broker_pid(live)}/cmdline").read_text().split("\0")
    assert words[1:] == ["-c", str(live.data_dir.resolve() / "mqtt" / "mosquitto.conf"), ""]


def test_a_port_that_is_taken_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for name in ("broker_port", "broker_password_port"):
            given = {"broker": "auto", "broker_port": free_ports(1)[0], "broker_password_port": 0, name: port}
            assert enter(tmp_path, **given) == "refused-broker-port"
    assert not (tmp_path / "mqtt" / "mosquitto.conf").exists()


def test_a_named_program_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert enter(tmp_path, broker="auto", broker_path=tmp_path / "nowhere") == "refused-broker-path"


def test_without_mosquitto_one_line_says_what_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("surefoot.server.mqtt.broker.SERVERS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert enter(tmp_path, broker="auto") == "no broker"
    [said] = [record.getMessage() for record in caplog.records]
    assert "push" in said and "telemetry" in said and "install mosquitto" in said


def test_a_broker_elsewhere_is_named_to_every_process_and_none_is_run(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, broker="mqtts://broker.example.org:8883")
    paths = ensure_certificates(tmp_path / "tls", ("localhost",), datetime.now(UTC))
    with running_broker(settings, paths, "localhost") as address:
        assert address is not None and address.url == address.robot_url == "mqtts://broker.example.org:8883"
        context = ssl.create_default_context(cafile=address.ca_path)
        context.load_cert_chain(address.certificate_path)
    assert sorted(path.name for path in (tmp_path / "mqtt").iterdir()) == ["server.pem"]


@pytest.mark.parametrize(
    "wrong", ["mqtt://host:1883", "mqtts://host", "mqtts://user:secret@host:8883", "mqtts://host:8883/path", "yes", ""]
)
def test_a_broker_s_address_has_one_form(wrong: str) -> None:
    assert code_of(load_settings, broker=wrong) == "refused-settings"


def enter(folder: Path, **given: Any) -> str:
    settings = load_settings(data_dir=folder, **given)
    paths = ensure_certificates(folder / "tls", ("localhost",), datetime.now(UTC))

    def run() -> str:
        with running_broker(settings, paths, "localhost") as address:
            return "no broker" if address is None else address.url

    try:
        return run()
    except Exception as error:  # noqa: BLE001 - what has no code fails the comparison
        return getattr(error, "code", repr(error))


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
