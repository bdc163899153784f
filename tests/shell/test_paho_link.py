"""A companion's connection to a real broker, with a tiny fleet behind it."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.agent_case import IDENTITY, NEW_FILE, OFFER, OLD
from mosquitto import HOST, Mosquitto, mosquitto
from shell.fakes import MemoryDownload, MemoryJournal, MemoryServer, MemorySlots, QuietHost
from shell.mqtt_fleet import FleetSide
from surefoot.shell.attention import RECONNECTED
from surefoot.shell.ear import Ear
from surefoot.shell.mqtt import MqttTransport
from surefoot.shell.paho_link import PACKET_BYTES_MAX, Connection, PahoLink
from surefoot.shell.runner import Runner
from surefoot.wire.command import cancel_command, encode_command, encode_nudge
from surefoot.wire.errors import Interrupted
from surefoot.wire.journal import load_journal
from surefoot.wire.offer import Answer
from surefoot.wire.report import Report
from waiting import wait_until

pytestmark = pytest.mark.mosquitto

CANCEL = encode_command(cancel_command(OFFER.id))
NUDGE = encode_nudge(OFFER)
HEAR_MS = 60_000
TIMEOUT_MS = 20_000


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path_factory.mktemp("broker"), {"by-token": "its token"}) as broker:
        yield broker


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer(NEW_FILE, OFFER)


@pytest.fixture
def fleet(broker: Mosquitto, server: MemoryServer) -> Iterator[FleetSide]:
    with FleetSide(broker, server) as fleet:
        yield fleet


class Https:
    """The other way to the same server. Fills `shell.ports.Transport`."""

    def __init__(self, server: MemoryServer) -> None:
        self.server = server
        self.exchanges = 0
        self.at_byte: tuple[int, Callable[[], None]] | None = None

    def exchange(self, report: Report) -> Answer:
        self.exchanges += 1
        return self.server.exchange(report)

    def open(self, url: str, sha256: str, first_byte: int) -> MemoryDownload:
        download = self.server.open(url, sha256, first_byte)
        if self.at_byte is not None:
            (left_bytes, act), read = self.at_byte, download.read

            def read_and_act(length_bytes: int) -> bytes:
                nonlocal left_bytes
                left_bytes -= length_bytes
                if left_bytes <= 0 < left_bytes + length_bytes:
                    act()
                return read(length_bytes)

            download.read = read_and_act  # type: ignore[method-assign]
        return download


class Robot:
    """A robot in memory, whose connection to the broker is real."""

    def __init__(self, broker: Mosquitto, robot_id: str, server: MemoryServer) -> None:
        self.robot_id = robot_id
        self.slots = MemorySlots(OLD)
        self.storage = MemoryJournal()
        self.host = QuietHost()
        self.https = Https(server)
        self.ear = Ear()
        self.attention = self.ear.attention(self.host.log)
        self.link = self.connect(broker)
        self.transport = MqttTransport(self.link, self.attention, self.https, self.host.log)

    def connect(self, broker: Mosquitto) -> PahoLink:
        address, certificate = (HOST, broker.port), broker.robot_certificate_path(self.robot_id)
        return PahoLink(address, self.robot_id, None, broker.ca_path, certificate, self.ear.tell, self.host.log)

    def run(self) -> None:
        for number in range(4):
            self.slots.boot()
            identity, hears = IDENTITY.replace(robot_id=self.robot_id), self.attention.is_cancelled
            runner = Runner(identity, self.slots, self.storage, self.transport, self.host, is_cancelled=hears)
            if runner.start(f"epoch-{number}") is not None:
                return
        raise AssertionError("it restarts for ever")

    @property
    def ended(self) -> tuple[str, str | None, bool]:
        journal = load_journal(self.storage.read_copies()).journal
        assert journal is not None
        return journal.state, journal.code, journal.acknowledged


@pytest.fixture
def robot(request: pytest.FixtureRequest, broker: Mosquitto, server: MemoryServer) -> Iterator[Robot]:
    # A robot of its own for each test: the broker keeps its last word of being online.
    robot = Robot(broker, f"robot-{abs(hash(request.node.name)) % 10**9}", server)
    yield robot
    robot.link.close()


def test_an_update_is_reported_over_the_broker_from_boot_to_acknowledgement(robot: Robot, fleet: FleetSide) -> None:
    robot.run()
    assert robot.ended == ("installed", None, True)
    assert len(fleet.words(robot.robot_id, "report")) == 4
    assert robot.https.exchanges == 0


def test_answers_and_commands_that_come_twice_change_nothing(robot: Robot, fleet: FleetSide) -> None:
    fleet.copies = 3
    fleet.command(robot.robot_id, NUDGE)
    robot.run()
    assert robot.ended == ("installed", None, True)
    assert robot.https.server.first_bytes == [0]


def test_a_robot_is_online_until_it_goes_or_is_lost(
    robot: Robot, fleet: FleetSide, broker: Mosquitto, server: MemoryServer
) -> None:
    fleet.wait_for(robot.robot_id, "online", b"1")
    robot.link.close()
    fleet.wait_for(robot.robot_id, "online", b"0")


def test_a_command_reaches_a_robot_at_once(robot: Robot, fleet: FleetSide) -> None:
    fleet.wait_for(robot.robot_id, "online", b"1")
    fleet.command(robot.robot_id, NUDGE)
    assert robot.ear(HEAR_MS) == NUDGE


def test_a_robot_that_found_no_broker_at_first_asks_when_it_does(
    robot: Robot, fleet: FleetSide, broker: Mosquitto
) -> None:
    robot.link.close()
    broker.kill()
    robot.link = robot.connect(broker)
    wait_until(lambda: any(line.startswith("no way to the broker") for line in robot.host.lines))
    broker.start()
    assert robot.ear(HEAR_MS) == RECONNECTED
    wait_until(fleet.is_connected)


def test_a_cancel_amid_a_download_ends_it_and_leaves_the_running_image_untouched(
    robot: Robot, fleet: FleetSide, server: MemoryServer
) -> None:
    def cancel() -> None:
        fleet.command(robot.robot_id, CANCEL)
        # It is under way; the download goes on when it has arrived.
        wait_until(lambda: robot.attention.is_cancelled(OFFER.id))

    robot.https.at_byte = (10_000, cancel)
    robot.run()
    assert robot.ended == ("refused", "cancelled", True)
    assert server.everything_is_closed
    assert bytes(robot.slots.images[0][: len(OLD)]) == OLD and robot.slots.tries is None
    said = server.reports[-1].assignment
    assert said is not None and said.code == "cancelled"


def test_malformed_and_oversized_commands_are_counted_and_what_follows_is_heard(robot: Robot, fleet: FleetSide) -> None:
    fleet.wait_for(robot.robot_id, "online", b"1")
    for payload in (b"", b"{", b"\xff" * 100, b'{"cancel": []}', b"x" * 9000, b"x" * (2 * PACKET_BYTES_MAX), CANCEL):
        fleet.command(robot.robot_id, payload)
    wait_until(lambda: robot.attention.is_cancelled(OFFER.id))
    assert robot.attention.malformed == 5, "the longest one stays with the broker"
    assert robot.transport.publish_health(robot.robot_id, b"{}")
    fleet.wait_for(robot.robot_id, "health", b"{}")


def test_a_robot_outlives_its_broker_and_asks_when_it_is_back(
    robot: Robot, fleet: FleetSide, broker: Mosquitto, server: MemoryServer
) -> None:
    server.offer = None
    robot.run()
    broker.kill()
    wait_until(lambda: any(line.startswith("no way to the broker") for line in robot.host.lines))
    robot.run()
    assert robot.https.exchanges == 1, "at once, over HTTPS"
    broker.start()
    assert robot.ear(HEAR_MS) == RECONNECTED
    fleet.wait_for(robot.robot_id, "online", b"1")
    server.offer = OFFER
    wait_until(fleet.is_connected)
    robot.run()
    assert robot.ended == ("installed", None, True)
    assert len([line for line in robot.host.lines if line.startswith("no way to the broker")]) == 1


def test_a_fleet_that_does_not_answer_is_asked_over_https(robot: Robot, fleet: FleetSide, server: MemoryServer) -> None:
    robot.transport = MqttTransport(robot.link, robot.attention, robot.https, robot.host.log, timeout_ms=500)
    server.offer = None
    fleet.answers = False
    robot.run()
    assert robot.https.exchanges == 1
    assert len(fleet.words(robot.robot_id, "report")) == 1


def test_a_token_is_a_password(broker: Mosquitto, fleet: FleetSide, server: MemoryServer) -> None:
    lines: list[str] = []
    link = PahoLink((HOST, broker.password_port), "by-token", "its token", broker.ca_path, None, print, lines.append)
    assert link.publish("fleet/by-token/health", b"{}", TIMEOUT_MS)
    link.close()
    fleet.wait_for("by-token", "health", b"{}")
    assert lines == []


@pytest.mark.parametrize("token", ["another token", None])
def test_a_robot_that_the_broker_does_not_know_says_so_once_and_goes_on_over_https(
    broker: Mosquitto, token: str | None
) -> None:
    lines: list[str] = []
    said = threading.Event()

    def log(text: str) -> None:
        lines.append(text)
        said.set()

    link = PahoLink((HOST, broker.password_port), "by-token", token, broker.ca_path, None, print, log)
    assert not link.publish("fleet/by-token/health", b"{}", TIMEOUT_MS)
    assert said.wait(60)
    link.close()
    assert len(lines) == 1
    assert "Not authorized" in lines[0]
    assert token is None or token not in lines[0]


# The library leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_that_nobody_vouches_for_is_told_nothing(broker: Mosquitto) -> None:
    lines: list[str] = []
    link = PahoLink((HOST, broker.password_port), "by-token", "its token", None, None, print, lines.append)
    assert not link.publish("fleet/by-token/health", b"{}", TIMEOUT_MS)
    link.close()
    assert "certificate verify failed" in lines[0]


def test_a_certificate_that_cannot_be_read_stops_the_connection_not_the_robot(
    broker: Mosquitto, tmp_path: Path
) -> None:
    lines: list[str] = []
    link = PahoLink((HOST, broker.port), "r", None, broker.ca_path, tmp_path / "none.pem", print, lines.append)
    assert not link.publish("fleet/r/health", b"{}", TIMEOUT_MS)
    link.close()
    assert "enrol the robot" in lines[0]


def test_a_packet_longer_than_agreed_is_not_read() -> None:
    """A robot's memory is not the broker's."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connection = Connection("robot-001")
        connection.connect("127.0.0.1", listening.getsockname()[1])
        broker, _ = listening.accept()
        with broker:
            # CONNACK, and the head of a message of 256 MiB.
            broker.sendall(b"\x20\x03\x00\x00\x00" + b"\x30\xff\xff\xff\x7f")
            connection.loop_start()
            assert connection.ended.wait(20)
            connection.loop_stop()


def test_what_is_heard_while_nobody_listens_is_bounded() -> None:
    ear = Ear()
    for _ in range(1000):
        ear.tell(NUDGE)
    heard = 0
    while ear(0) is not None:
        heard += 1
    assert heard == 64


def test_the_robot_is_unheard_when_both_ways_are_broken(robot: Robot, server: MemoryServer, broker: Mosquitto) -> None:
    robot.link.close()
    server.unreachable = Interrupted("server-unreachable", "No route.")
    robot.run()
    assert robot.ended[0] == "idle"
