"""The plugin in contrib/mosquitto-direct-replies, built and loaded: answers reach who asked, subscribed or not."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from live_server import LiveServer
from mosquitto import Mosquitto, mosquitto
from mqtt_peer import Peer, peer
from server.mqtt.jobs_field import IMAGE, SKU, JobsField
from surefoot.server.certificates import ensure_certificates
from surefoot.server.mqtt.broker import running_broker
from surefoot.server.settings import load_settings
from surefoot.signing.signers import FileSigner
from surefoot.wire.errors import Refused
from waiting import wait_until

pytestmark = pytest.mark.mosquitto

SOURCE = Path(__file__).parents[3] / "contrib" / "mosquitto-direct-replies"
ACCEPTED = "$aws/things/robot-1/jobs/$next/get/accepted"
ASKS = "$aws/things/robot-1/jobs/$next/get"
LAST = "fleet/robot-1/commands/ota"


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("plugin") / "source"
    shutil.copytree(SOURCE, source)
    subprocess.run(["make", "-C", source], check=True, capture_output=True)
    return source / "direct_replies.so"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, plugin: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path_factory.mktemp("broker"), {"robot-2": "its token"}, plugin=plugin) as broker:
        yield broker


def heard_by(robot: Peer, server: Peer, *messages: tuple[str, bytes]) -> list[tuple[str, bytes]]:
    """Publish as the server, and return what reached the robot before a last word that it subscribed to."""
    robot.subscribe(LAST)
    for topic, payload in messages:
        server.publish(topic, payload)
    server.publish(LAST, b"last")
    wait_until(lambda: (LAST, b"last") in robot.messages)
    return [message for message in robot.messages if message[0] != LAST]


@pytest.mark.parametrize(
    "topic",
    [
        ACCEPTED,
        "$aws/things/robot-1/jobs/get/accepted",
        "$aws/things/robot-1/jobs/AFR_OTA-1/update/rejected",
        "$aws/things/robot-1/streams/AFR_OTA-1/data/cbor",
        "$aws/things/robot-1/streams/AFR_OTA-1/description/json",
        "$aws/things/robot-1/streams/AFR_OTA-1/rejected/json",
    ],
)
def test_an_answer_reaches_who_never_subscribed_and_who_did_once(broker: Mosquitto, topic: str) -> None:
    with peer(broker.server_port, broker.server_tls(), "server") as server:
        for subscribes in (False, True):
            with peer(broker.port, broker.robot_tls("robot-1")) as robot:
                if subscribes:
                    robot.subscribe(topic)
                assert heard_by(robot, server, (topic, b"answer")) == [(topic, b"answer")]


def test_what_is_no_answer_goes_the_usual_way(broker: Mosquitto) -> None:
    others = [
        ("$aws/things/robot-1/jobs/notify-next", b"n"),
        ("$aws/things/robot-3/jobs/get/accepted", b"other"),
        ("$aws/things/robot-1/shadow/get/accepted", b"shadow"),
        (f"$aws/things/{'a' * 129}/jobs/get/accepted", b"long"),
        ("$aws/things//jobs/get/accepted", b"empty"),
        ("$aws/things/robot-1", b"short"),
    ]
    with peer(broker.server_port, broker.server_tls(), "server") as server:
        with peer(broker.port, broker.robot_tls("robot-1")) as robot:
            assert heard_by(robot, server, *others) == []
        with peer(broker.port, broker.robot_tls("robot-1")) as robot:
            robot.subscribe("$aws/things/robot-1/jobs/notify-next")
            assert heard_by(robot, server, *others) == [others[0]]


def test_an_answer_finds_the_client_that_asked_under_another_client_id(broker: Mosquitto) -> None:
    """With a token a device may name its own client id."""
    topic = "$aws/things/robot-2/jobs/$next/get/accepted"
    with (
        peer(broker.server_port, broker.server_tls(), "server") as server,
        peer(broker.password_port, broker.tls(), "robot-2", "its token", client_id="its-own-word") as robot,
    ):
        robot.publish("$aws/things/robot-2/jobs/$next/get", b"{}")
        server.publish(topic, b"answer")
        wait_until(lambda: robot.messages == [(topic, b"answer")])


def test_only_the_server_reaches_others(broker: Mosquitto) -> None:
    with (
        peer(broker.port, broker.robot_tls("robot-1")) as robot,
        peer(broker.port, broker.robot_tls("robot-3")) as stranger,
        peer(broker.server_port, broker.server_tls(), "server") as server,
    ):
        stranger.publish(ACCEPTED, b"forged")
        assert heard_by(robot, server, (ACCEPTED, b"true")) == [(ACCEPTED, b"true")]


class Silent:
    """A device that subscribes to nothing, as AWS lets devices be, at a server that runs its broker itself."""

    def __init__(self, robot: Peer, thing: str) -> None:
        self.robot, self.root = robot, f"$aws/things/{thing}/"

    def ask(self, topic: str, reply: str, request: dict[str, Any]) -> dict[str, Any]:
        """Publish a request, and return what comes on the topic of its answer."""
        before = len(self.robot.messages)
        self.robot.publish(self.root + topic, json.dumps(request).encode())
        wait_until(lambda: any(came == self.root + reply for came, _ in self.robot.messages[before:]))
        value: dict[str, Any] = json.loads(dict(self.robot.messages[before:])[self.root + reply])
        return value


def test_a_device_that_never_subscribes_updates_at_the_broker_that_the_server_runs(
    plugin: Path, tmp_path: Path, signer: FileSigner
) -> None:
    settings = {"broker": "auto", "broker_port": "0", "broker_password_port": "0", "broker_plugin": str(plugin)}
    with LiveServer(tmp_path / "data", **settings).start() as server:
        field = JobsField(server=server, broker=None, signer=signer)  # type: ignore[arg-type]
        token = field.ask("POST", "/robots", json={"robot_id": "robot-1", "sku": SKU})["token"]
        field.roll_out()
        told = json.loads((server.data_dir / "server.json").read_text())
        port = urlsplit(told["broker_password_url"]).port or 0
        wait_until(lambda: lets_in(port, server, token))
        with peer(port, server.tls, "robot-1", token, client_id="its-own-word") as robot:
            device = Silent(robot, "robot-1")
            job = device.ask("jobs/start-next", "jobs/start-next/accepted", {"clientToken": "a"})["execution"]
            stream = f"streams/{job['jobDocument']['afr_ota']['streamname']}"
            described = device.ask(f"{stream}/describe/json", f"{stream}/description/json", {"c": "t"})
            assert described["r"] == [{"f": 0, "z": len(IMAGE)}]
            block = device.ask(f"{stream}/get/json", f"{stream}/data/json", {"f": 0, "l": 1024, "c": "t"})
            assert base64.b64decode(block["p"]) == IMAGE[:1024]
            update = f"jobs/{job['jobId']}/update"
            rejected = device.ask(update, f"{update}/rejected", {"status": "IN_PROGRESS", "expectedVersion": 1})
            assert rejected["code"] == "VersionMismatch"
            device.ask(update, f"{update}/accepted", {"status": "SUCCEEDED", "expectedVersion": 2})
            assert field.status("robot-1") == "installed"
            # To notify-next it never subscribed, and that is no answer.
            assert not any(topic.endswith(("/notify", "/notify-next")) for topic, _ in robot.messages)


def lets_in(port: int, server: LiveServer, token: str) -> bool:
    with peer(port, server.tls, "robot-1", token) as tried:
        return tried.is_in


def test_a_server_whose_plugin_is_not_there_says_so_and_does_not_start(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, broker="auto", broker_plugin=tmp_path / "direct_replies.so")
    paths = ensure_certificates(tmp_path / "tls", ("localhost",), datetime.now(UTC))
    with pytest.raises(Refused) as caught, running_broker(settings, paths, "localhost"):
        pass
    assert caught.value.code == "refused-broker-path"
    assert "broker_plugin" in caught.value.message
