"""The plugin in contrib/mosquitto-direct-replies, built and loaded: answers reach who asked, subscribed or not."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mosquitto import Mosquitto, mosquitto
from mqtt_peer import Peer, peer
from waiting import wait_until

pytestmark = pytest.mark.mosquitto

SOURCE = Path(__file__).parents[3] / "contrib" / "mosquitto-direct-replies"
ACCEPTED = "$aws/things/robot-1/jobs/$next/get/accepted"
ASKS = "$aws/things/robot-1/jobs/$next/get"
LAST = "fleet/robot-1/commands/ota"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(SOURCE, folder / "source")
    subprocess.run(["make", "-C", folder / "source"], check=True, capture_output=True)
    plugin = folder / "source" / "direct_replies.so"
    with mosquitto(folder, {"robot-2": "its token"}, plugin=plugin) as broker:
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
