"""Who may do what at a real Mosquitto with the generated configuration; each attack is tried."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mosquitto import Mosquitto, mosquitto
from mqtt_peer import Peer, peer
from surefoot.fleet.broker_access import EndedCredential
from surefoot.server.certificates import ensure_certificates
from surefoot.server.mqtt.broker_address import BrokerAddress
from surefoot.server.mqtt.broker_clear import clear
from surefoot.server.mqtt.broker_config import PACKET_BYTES_MAX
from surefoot.wire.topics import (
    DIAGNOSTICS,
    HEALTH,
    ONLINE,
    REPORT,
    command_topic,
    online_topic,
    report_topic,
    topic_of,
)
from waiting import wait_until

pytestmark = pytest.mark.mosquitto

FIRST, SECOND, THIRD = "robot-1", "robot-2", "robot-3"
TOKENS = {FIRST: "token of the first", SECOND: "token of the second"}
LATER_S = 4e9


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path_factory.mktemp("broker"), TOKENS) as started:
        yield started


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker at which nobody left a session: told to read its files, Mosquitto 2.0.11 may trip over those."""
    with mosquitto(tmp_path, TOKENS) as started:
        yield started


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def robot(
    stack: ExitStack, broker: Mosquitto, robot_id: str, by: str = "certificate", *, keeps_session: bool = False
) -> Peer:
    if by == "certificate":
        made = peer(broker.port, broker.robot_tls(robot_id), robot_id, keeps_session=keeps_session)
    else:
        made = peer(broker.password_port, broker.tls(), robot_id, TOKENS[robot_id], keeps_session=keeps_session)
    return stack.enter_context(made)


def server(stack: ExitStack, broker: Mosquitto, name: str = "server-1") -> Peer:
    return stack.enter_context(peer(broker.server_port, broker.server_tls(), name))


@pytest.mark.parametrize("by", ["certificate", "password"])
def test_a_robot_speaks_on_its_own_topics_and_hears_its_commands(broker: Mosquitto, stack: ExitStack, by: str) -> None:
    fleet, first = server(stack, broker), robot(stack, broker, FIRST, by)
    fleet.subscribe("fleet/#")
    fleet.subscribe("$aws/#")
    first.subscribe(command_topic(FIRST))
    first.subscribe(f"$aws/things/{FIRST}/#")
    said = [topic_of(FIRST, leaf) for leaf in (REPORT, HEALTH, DIAGNOSTICS, ONLINE)] + [f"$aws/things/{FIRST}/jobs/get"]
    for topic in said:
        first.publish(topic, b"said")
    fleet.publish(command_topic(FIRST), b"heard")
    fleet.publish(f"$aws/things/{FIRST}/jobs/notify", b"heard")
    wait_until(lambda: (command_topic(FIRST), b"heard") in first.messages)
    wait_until(lambda: (f"$aws/things/{FIRST}/jobs/notify", b"heard") in first.messages)
    wait_until(lambda: {(topic, b"said") for topic in said} <= set(fleet.messages))


@pytest.mark.parametrize("by", ["certificate", "password"])
def test_a_second_robot_s_credentials_neither_read_nor_write_the_first_s_topics(
    broker: Mosquitto, stack: ExitStack, by: str
) -> None:
    fleet, first, second = server(stack, broker), robot(stack, broker, FIRST, by), robot(stack, broker, SECOND, by)
    fleet.subscribe("fleet/#")
    fleet.subscribe("$aws/#")
    first.subscribe(command_topic(FIRST))
    for topic in (
        command_topic(FIRST),
        "fleet/#",
        "#",
        f"$aws/things/{FIRST}/#",
        "$aws/#",
        f"$share/x/fleet/{FIRST}/#",
    ):
        second.subscribe(topic)
    second.subscribe(command_topic(SECOND))
    second.messages.clear()
    forged = [topic_of(FIRST, leaf) for leaf in ("commands/ota", REPORT, HEALTH, DIAGNOSTICS, ONLINE)]
    for topic in [*forged, f"$aws/things/{FIRST}/jobs/get", command_topic(SECOND)]:
        second.publish(topic, b"forged")
    first.publish(report_topic(FIRST), b"private")
    first.publish(f"$aws/things/{FIRST}/jobs/get", b"private")
    fleet.publish(command_topic(FIRST), b"private")
    fleet.publish(f"$aws/things/{FIRST}/jobs/notify", b"private")
    # What was published before has passed, and nothing of it came, when the last word has come.
    fleet.publish(command_topic(SECOND), b"last")
    second.publish(report_topic(SECOND), b"last")
    wait_until(lambda: (command_topic(SECOND), b"last") in second.messages)
    wait_until(lambda: (report_topic(SECOND), b"last") in fleet.messages)
    assert {payload for _, payload in second.messages} == {b"last"}
    assert b"forged" not in {payload for _, payload in fleet.messages + first.messages}
    assert (command_topic(FIRST), b"private") in first.messages


def test_a_robot_cannot_take_over_another_s_session_by_its_name(broker: Mosquitto, stack: ExitStack) -> None:
    with peer(broker.port, broker.robot_tls(FIRST), FIRST, keeps_session=True) as first:
        first.subscribe(command_topic(FIRST))
    server(stack, broker).publish(command_topic(FIRST), b"waiting")
    thief = stack.enter_context(peer(broker.port, broker.robot_tls(SECOND), FIRST, keeps_session=True))
    thief.subscribe(command_topic(SECOND))
    first = robot(stack, broker, FIRST, keeps_session=True)
    wait_until(lambda: (command_topic(FIRST), b"waiting") in first.messages)
    assert thief.is_in and thief.messages == []


def test_a_robot_with_a_token_that_takes_another_s_client_id_reads_nothing_of_what_waits_there(
    broker: Mosquitto, stack: ExitStack
) -> None:
    with peer(broker.port, broker.robot_tls(FIRST), FIRST, keeps_session=True) as first:
        first.subscribe(command_topic(FIRST))
    fleet = server(stack, broker)
    fleet.publish(command_topic(FIRST), b"waiting")
    token = TOKENS[SECOND]
    made = peer(broker.password_port, broker.tls(), SECOND, token, client_id=FIRST, keeps_session=True)
    thief = stack.enter_context(made)
    thief.subscribe(command_topic(SECOND))
    fleet.publish(command_topic(FIRST), b"private")
    fleet.publish(command_topic(SECOND), b"last")
    wait_until(lambda: (command_topic(SECOND), b"last") in thief.messages)
    assert {payload for _, payload in thief.messages} == {b"last"}


def test_a_stranger_without_a_user_name_spoils_nobody_s_session(broker: Mosquitto, stack: ExitStack) -> None:
    with peer(broker.port, broker.robot_tls(FIRST), FIRST, keeps_session=True) as first:
        first.subscribe(command_topic(FIRST))
    assert stack.enter_context(peer(broker.password_port, broker.tls(), FIRST)).was_refused
    first = robot(stack, broker, FIRST, keeps_session=True)
    server(stack, broker).publish(command_topic(FIRST), b"heard")
    wait_until(lambda: (command_topic(FIRST), b"heard") in first.messages)


def test_strangers_do_not_get_in(broker: Mosquitto, stack: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Mosquitto(tmp_path_factory.mktemp("other fleet"), {})
    foreign = other.robot_tls(FIRST)
    foreign.load_verify_locations(broker.ca_path)
    tried = [
        (broker.port, broker.tls(), FIRST, ""),
        (broker.port, broker.tls(), FIRST, TOKENS[FIRST]),
        (broker.port, foreign, FIRST, ""),
        (broker.password_port, broker.tls(), FIRST, ""),
        (broker.password_port, broker.tls(), "", ""),
        (broker.password_port, broker.tls(), FIRST, TOKENS[SECOND]),
        (broker.password_port, broker.tls(), THIRD, "token of the third"),
        (broker.password_port, broker.tls(), "surefoot-server", "guessed"),
        (broker.server_port, broker.tls(), "surefoot-server", ""),
    ]
    for port, tls, name, password in tried:
        assert stack.enter_context(peer(port, tls, name, password)).was_refused


def test_a_revoked_certificate_opens_nothing_and_the_next_one_of_the_same_robot_does(
    fresh: Mosquitto, stack: ExitStack
) -> None:
    robot_id = "robot-revoked"
    assert robot(stack, fresh, robot_id).is_in
    ended = EndedCredential(
        credential_sha256="aa",
        robot_id=robot_id,
        serial=f"{fresh.robot_serial(robot_id):x}",
        ended_at_s=0.0,
        expires_at_s=LATER_S,
    )
    fresh.allow(TOKENS, ended=(ended,))
    # Mosquitto reads its files when it comes to that.
    wait_until(lambda: robot(stack, fresh, robot_id).was_refused)
    fresh.robot_certificate_path(robot_id).unlink()
    assert robot(stack, fresh, robot_id).is_in


def test_of_a_certificate_without_a_known_serial_the_robot_is_kept_from_every_topic(
    fresh: Mosquitto, stack: ExitStack
) -> None:
    fleet, old = server(stack, fresh), robot(stack, fresh, THIRD)
    fleet.subscribe("fleet/#")
    fleet.subscribe("$aws/#")
    ended = EndedCredential(credential_sha256="bb", robot_id=THIRD, serial=None, ended_at_s=0.0, expires_at_s=LATER_S)
    fresh.allow(TOKENS, ended=(ended,))

    def is_unheard() -> bool:
        fleet.messages.clear()
        old.publish(report_topic(THIRD), b"said")
        old.publish(f"$aws/things/{THIRD}/jobs/get", b"said")
        fleet.publish("fleet/round", b"trip")
        wait_until(lambda: ("fleet/round", b"trip") in fleet.messages)
        return len(fleet.messages) == 1

    wait_until(is_unheard)


def test_a_renewed_certificate_is_shown_to_who_connects_next_and_cuts_nobody_off(
    fresh: Mosquitto, stack: ExitStack
) -> None:
    def shown() -> bytes | None:
        with (
            socket.create_connection(("127.0.0.1", fresh.password_port), 5) as plain,
            fresh.tls().wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            return secured.getpeercert(binary_form=True)

    by_certificate, by_token = robot(stack, fresh, FIRST), robot(stack, fresh, SECOND, "password")
    before = shown()
    ensure_certificates(fresh.folder / "tls", ("localhost", "127.0.0.1", "elsewhere"), datetime.now(UTC))
    assert shown() == before, "it is read when the broker is told to"
    fresh.allow(TOKENS)
    wait_until(lambda: shown() != before)
    assert by_certificate.is_in and by_token.is_in
    assert robot(stack, fresh, THIRD).is_in


def test_a_message_that_is_too_long_ends_the_connection_and_reaches_nobody(broker: Mosquitto, stack: ExitStack) -> None:
    fleet, first = server(stack, broker), robot(stack, broker, FIRST, "password")
    fleet.subscribe("fleet/#")
    first.publish(report_topic(FIRST), bytes(PACKET_BYTES_MAX))
    wait_until(lambda: not first.is_in)
    again = robot(stack, broker, FIRST, "password")
    again.publish(report_topic(FIRST), b"short")
    wait_until(lambda: (report_topic(FIRST), b"short") in fleet.messages)
    assert max(len(payload) for _, payload in fleet.messages) < PACKET_BYTES_MAX


def test_strangers_that_fill_the_robots_ports_do_not_shut_the_server_out(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("full")
    with mosquitto(folder, connections_max=2) as small, ExitStack() as stack:
        assert robot(stack, small, FIRST).is_in and robot(stack, small, SECOND).is_in
        tls, plain = small.robot_tls(THIRD), socket.create_connection(("127.0.0.1", small.port))
        with pytest.raises((ssl.SSLError, ConnectionError)), tls.wrap_socket(plain, server_hostname="localhost"):
            pass
        assert server(stack, small).is_in


def test_all_that_a_robot_left_retained_is_cleared_and_nothing_of_another_s(fresh: Mosquitto, stack: ExitStack) -> None:
    first, second = robot(stack, fresh, FIRST), robot(stack, fresh, SECOND, "password")
    for leaf in (REPORT, HEALTH, DIAGNOSTICS, ONLINE):
        for left in (first, second):
            left.publish(topic_of(FIRST if left is first else SECOND, leaf), b"x" * 1000, retain=True)
    for number in range(60):
        first.publish(f"$aws/things/{FIRST}/flood/{number}", b"x" * 10_000, retain=True)
    address = BrokerAddress(
        url=fresh.server_url,
        robot_url=fresh.url,
        password_url=None,
        ca_path=str(fresh.ca_path),
        certificate_path=str(fresh.server_identity_path),
        share_group="group",
    )
    assert clear(address, FIRST) == 64
    assert clear(address, FIRST) == 0
    watcher = server(stack, fresh, "server-2")
    for topic_filter in ("fleet/#", "$aws/things/#"):
        watcher.subscribe(topic_filter)
    wait_until(lambda: len(watcher.messages) >= 4)
    assert {topic for topic, _ in watcher.messages} == {
        topic_of(SECOND, leaf) for leaf in (REPORT, HEALTH, DIAGNOSTICS, ONLINE)
    }


def test_what_waits_for_an_absent_robot_survives_the_end_of_the_broker(broker: Mosquitto, stack: ExitStack) -> None:
    robot_id = "robot-away"
    with peer(broker.port, broker.robot_tls(robot_id), keeps_session=True) as absent:
        absent.subscribe(command_topic(robot_id))
        absent.publish(online_topic(robot_id), b"0", retain=True)
    saved_at = broker.saved_at()
    server(stack, broker).publish(command_topic(robot_id), b"waiting")
    # Whatever came before the begin of a saving is in it: the second one from now began after the message.
    for _ in range(2):
        wait_until(lambda at=saved_at: broker.saved_at() > at)  # type: ignore[misc]
        saved_at = broker.saved_at()
    broker.kill()
    broker.start()
    back = robot(stack, broker, robot_id, keeps_session=True)
    wait_until(lambda: (command_topic(robot_id), b"waiting") in back.messages)
    fleet = server(stack, broker, "server-2")
    fleet.subscribe(online_topic(robot_id))
    wait_until(lambda: (online_topic(robot_id), b"0") in fleet.messages)
