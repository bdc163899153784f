"""What only a real connection shows: certificates in handshakes, TLS versions, and clients that say nothing."""

import json
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from live_server import LiveServer
from server.robot_keys import OtherCa, csr, new_key, private_pem


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    settings = {"header_timeout_s": "0.5", "idle_timeout_s": "1", "connections_max": "20"}
    with LiveServer(tmp_path_factory.mktemp("protocol") / "data", **settings).start() as started:
        yield started


def enrol(server: LiveServer, robot_id: str, folder: Path) -> Path:
    """Return a file with the robot's key and certificate chain."""
    key = new_key()
    with server.operator() as operator:
        invited = operator.post("/api/v1/enrolment-codes", json={"robot_id": robot_id, "sku": "standard"})
    with server.client() as robot:
        answer = robot.post("/v1/enrol", json={"code": invited.json()["code"], "csr": csr(robot_id, key)})
    assert answer.status_code == 200, answer.text
    path = folder / f"{robot_id}.pem"
    path.write_bytes(private_pem(key) + answer.json()["certificate_chain"].encode())
    return path


def client(server: LiveServer, certificate: Path) -> httpx.Client:
    tls = server.tls
    tls.load_cert_chain(certificate)
    return httpx.Client(base_url=server.url, verify=tls, timeout=20)


def check(robot: httpx.Client) -> int:
    return robot.get("/v1/check", params={"sku": "standard", "version": "0.2.0"}).status_code


def connect(server: LiveServer) -> ssl.SSLSocket:
    address = urlsplit(server.url)
    plain = socket.create_connection((address.hostname or "", address.port or 0), timeout=20)
    return server.tls.wrap_socket(plain, server_hostname=address.hostname)


def until_closed(connection: ssl.SSLSocket) -> bytes:
    """Return what comes until the server hangs up; the socket's own timeout fails the test when it never does."""
    received = b""
    try:
        while piece := connection.recv(4096):
            received += piece
    except (ConnectionResetError, ssl.SSLEOFError):
        pass
    return received


def test_a_robot_is_known_by_its_certificate_also_when_it_is_answered_at_once(
    server: LiveServer, tmp_path: Path
) -> None:
    own = enrol(server, "tls-1", tmp_path)
    with client(server, own) as robot:
        assert [check(robot) for _ in range(5)] == [204] * 5
    with server.client() as nobody:
        assert check(nobody) == 401


def test_a_revoked_certificate_ends_on_a_connection_that_is_open(server: LiveServer, tmp_path: Path) -> None:
    with client(server, enrol(server, "tls-2", tmp_path)) as robot, server.operator() as operator:
        assert [check(robot), check(robot)] == [204, 204]
        assert operator.post("/api/v1/robots/tls-2/revoke", json={"reason": "stolen"}).status_code == 200
        assert check(robot) == 401


def test_a_certificate_of_another_authority_does_not_get_past_the_handshake(server: LiveServer, tmp_path: Path) -> None:
    key, path = new_key(), tmp_path / "foreign.pem"
    path.write_bytes(private_pem(key) + OtherCa().issue("tls-1", key=key).encode())
    with client(server, path) as stranger, pytest.raises(httpx.TransportError):
        check(stranger)


def test_the_server_s_own_certificate_is_no_robot_s(server: LiveServer) -> None:
    with client(server, server.data_dir / "tls" / "server.pem") as thief, pytest.raises(httpx.TransportError):
        check(thief)


def highest_spoken(server: LiveServer, highest: ssl.TLSVersion) -> str | None:
    address = urlsplit(server.url)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(server.ca_path)
    # The client's own security level would refuse the old versions before the server does.
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, highest
    with (
        socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as plain,
        old.wrap_socket(plain, server_hostname=address.hostname) as connection,
    ):
        return connection.version()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_1_1_is_not_spoken_and_1_2_is(server: LiveServer) -> None:
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        highest_spoken(server, ssl.TLSVersion.TLSv1_1)
    assert highest_spoken(server, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"


@pytest.mark.parametrize(
    "said",
    [b"", b"\r\n", b"GET /v1/check?sku=", b"GET / HTTP/1.1\r\nHost: a\r\nX: "],
    ids=["nothing", "line", "url", "headers"],
)
def test_who_does_not_finish_its_headers_is_hung_up_on(server: LiveServer, said: bytes) -> None:
    with connect(server) as slow:
        slow.sendall(said)
        assert until_closed(slow) == b""


def test_who_sends_a_byte_now_and_then_is_hung_up_on_all_the_same(server: LiveServer) -> None:
    with connect(server) as slow:
        slow.settimeout(0.05)
        sent = 0
        while sent < 400 and is_open(slow):
            sent += 1
        assert sent < 400


def is_open(connection: ssl.SSLSocket) -> bool:
    """Send one more byte of a header; return whether the server still listens."""
    try:
        connection.sendall(b"x")
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def test_an_idle_connection_is_closed(server: LiveServer) -> None:
    with connect(server) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert until_closed(idle).startswith(b"HTTP/1.1 200")


def test_connections_beyond_the_limit_are_closed_and_those_within_it_served(server: LiveServer) -> None:
    with ExitStack() as stack:
        served = 0
        while served < 30 and is_served(stack.enter_context(connect(server))):
            served += 1
        assert 10 <= served <= 20


def is_served(connection: ssl.SSLSocket) -> bool:
    try:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        return connection.recv(12) == b"HTTP/1.1 200"
    except OSError:
        return False


CHECK = b"GET /v1/check?sku=standard&version=0.2.0 HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture
def asking(server: LiveServer, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ssl.SSLSocket]:
    """A connection of an enrolled robot that has asked with the same bytes before."""
    robot_id = f"tls-{abs(hash(request.node.name))}"
    tls = server.tls
    tls.load_cert_chain(enrol(server, robot_id, tmp_path))
    address = urlsplit(server.url)
    with (
        socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as plain,
        tls.wrap_socket(plain, server_hostname=address.hostname) as connection,
    ):
        assert [ask(connection, CHECK + b"\r\n") for _ in range(4)] == [[b"204"]] * 4
        yield connection


def ask(connection: ssl.SSLSocket, *pieces: bytes, answers: int = 1) -> list[bytes]:
    """Send pieces, each in a record of its own; return the status of each answer, all of them without a body."""
    for piece in pieces:
        connection.sendall(piece)
    received = b""
    while received.count(b"\r\n\r\n") < answers:
        received += connection.recv(4096)
    return re.findall(rb"HTTP/1.1 (\d+)", received)


def test_bytes_seen_before_are_a_request_only_where_one_begins(asking: ssl.SSLSocket) -> None:
    # Here they belong to a header that has begun, and to a body.
    assert ask(asking, CHECK + b"X-Note: ", CHECK + b"\r\n") == [b"204"]
    body = CHECK + b"\r\n"
    begin = b"GET /v1/manifest/nothing HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    asking.sendall(begin)
    asking.sendall(body)
    asking.sendall(CHECK + b"Connection: close\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", until_closed(asking)) == [b"404", b"204"]


def test_a_check_seen_before_waits_for_the_answer_that_is_owed(asking: ssl.SSLSocket) -> None:
    asking.sendall(b"GET /v1/nothing HTTP/1.1\r\nHost: a\r\n\r\n")
    asking.sendall(CHECK + b"\r\n")
    asking.sendall(CHECK + b"Connection: close\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", until_closed(asking)) == [b"404", b"204", b"204"]


def test_checks_seen_before_are_answered_each_when_they_come_in_one_piece(asking: ssl.SSLSocket) -> None:
    assert ask(asking, (CHECK + b"\r\n") * 3, answers=3) == [b"204"] * 3


def test_a_request_s_bytes_from_another_s_connection_are_not_that_other_s(
    server: LiveServer, asking: ssl.SSLSocket
) -> None:
    assert ask(asking, CHECK + b"\r\n") == [b"204"]
    with connect(server) as nobody:
        nobody.sendall(CHECK + b"\r\n")
        assert nobody.recv(12) == b"HTTP/1.1 401"


def test_a_connection_that_only_asked_what_it_asked_before_is_closed_when_it_falls_silent(
    asking: ssl.SSLSocket,
) -> None:
    assert ask(asking, CHECK + b"\r\n") == [b"204"]
    assert until_closed(asking) == b""


def test_requests_sent_in_one_go_are_answered_in_order(server: LiveServer, tmp_path: Path) -> None:
    own = enrol(server, "tls-3", tmp_path)
    with client(server, own) as robot:
        check(robot)
    address = urlsplit(server.url)
    tls = server.tls
    tls.load_cert_chain(own)
    asked = b"GET /v1/check?sku=standard&version=0.2.0 HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET /v1/nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with (
        socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as plain,
        tls.wrap_socket(plain, server_hostname=address.hostname) as connection,
    ):
        connection.sendall(asked * 3 + last)
        received = until_closed(connection)
    statuses = [line.split()[1] for line in received.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert statuses == [b"204", b"204", b"204", b"404"]
    assert json.loads(received.rpartition(b"\r\n\r\n")[2])["code"] == "not-found-path"
