"""What strangers and stolen machines try on a server's connections, and what they must not get."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

import databases
from live_server import LiveServer
from server.devices.test_enrolment import check, enrol, invite
from server.devices.test_protocol import CHECK, connect, until_closed
from server.devices.test_protocol import enrol as enrol_live
from server.robot_keys import NOW, OtherCa, csr, name_of
from server_bench import Bench
from support import code_of
from surefoot.server.certificates import FleetCa, ensure_certificates
from surefoot.server.composition import Application
from surefoot.server.devices.enrolment_request import parse_request
from surefoot.server.devices.protocol import PIPELINE_MAX, UNHEARD_BYTES_MAX, robot_protocol
from surefoot.server.logs import configure_logging
from surefoot.server.webhooks import Post, Sender

# What may be on its way through buffers when the server hangs up.
BUFFERED_BYTES = 16 * 1024 * 1024
ENDLESS_BYTES = 2 * BUFFERED_BYTES


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("attacks") / "data", header_timeout_s="2").start() as started:
        yield started


def sent_until_hung_up(connection: ssl.SSLSocket, beginning: bytes, again: bytes) -> int:
    """Send the beginning and then the same without end; return how many bytes that were."""
    sent_bytes = 0
    try:
        connection.sendall(beginning)
        while sent_bytes < ENDLESS_BYTES:
            connection.sendall(again)
            sent_bytes += len(again)
    except OSError:
        pass
    return sent_bytes


@pytest.mark.parametrize(
    ("beginning", "again"),
    [
        (b"GET /", b"a" * UNHEARD_BYTES_MAX),
        (b"GET / HTTP/1.1\r\nX: ", b"a" * UNHEARD_BYTES_MAX),
        (b"GET / HTTP/1.1\r\n", b"X: a\r\n" * 10_000),
        (b"POST /v1/enrol HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: a\r\n" * 10_000),
    ],
    ids=["url", "one header", "many headers", "trailers"],
)
def test_headers_without_end_are_not_collected(server: LiveServer, beginning: bytes, again: bytes) -> None:
    with connect(server) as endless:
        assert sent_until_hung_up(endless, beginning, again) < BUFFERED_BYTES


def test_requests_without_end_are_not_queued_up(server: LiveServer) -> None:
    question = b"GET /api/v1/docs HTTP/1.1\r\nHost: a\r\n\r\n"
    with connect(server) as greedy:
        assert sent_until_hung_up(greedy, b"", question * PIPELINE_MAX * 8) < BUFFERED_BYTES


def test_a_check_whose_body_never_comes_does_not_hold_its_connection(server: LiveServer, tmp_path: Path) -> None:
    tls = server.tls
    tls.load_cert_chain(enrol_live(server, "attack-1", tmp_path))
    address = urlsplit(server.url)
    with (
        socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as plain,
        tls.wrap_socket(plain, server_hostname=address.hostname) as robot,
    ):
        for more in (b"", b"", b"Content-Length: 9\r\n"):
            robot.sendall(CHECK + more + b"\r\n")
            assert robot.recv(4096).startswith(b"HTTP/1.1 204")
        assert until_closed(robot) == b""


def test_who_connects_and_begins_no_handshake_is_hung_up_on(server: LiveServer) -> None:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as silent:
        assert silent.recv(1) == b""


@pytest.mark.skipif(databases.CHOSEN != "sqlite", reason="only SQLite keeps its rows in the data directory")
def test_the_database_is_its_owner_s_alone_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    with LiveServer(tmp_path / "data").start():
        found = sorted((tmp_path / "data").glob("surefoot.db*"))
        assert found and [path.name for path in found if path.stat().st_mode & 0o077] == []


def test_a_revoked_robot_does_not_let_itself_back_in_with_its_factory_s_certificate(
    bench: Bench, tmp_path: Path
) -> None:
    factory = OtherCa()
    proof = factory.issue("robot-1")
    (tmp_path / "factory.pem").write_bytes(factory.pem)
    ensure_certificates(tmp_path / "tls", ("localhost",), NOW)
    settings = bench.services.settings.model_copy(update={"factory_ca": tmp_path / "factory.pem"})
    services = replace(bench.services, settings=settings, ca=FleetCa(tmp_path / "tls"))
    fleet = replace(bench, services=services, app=Application(services))
    fleet.enrol("robot-1")
    assert enrol(fleet, csr("robot-1"), certificate=proof).status == 200
    assert fleet.operate("POST", "/robots/robot-1/revoke", {"reason": "stolen"}).status == 200
    assert enrol(fleet, csr("robot-1"), certificate=proof).code == "refused-certificate"
    chain = enrol(fleet, csr("robot-1"), invite(fleet)).json["certificate_chain"]
    assert check(fleet, certificate=chain).status == 204
    assert enrol(fleet, csr("robot-1"), certificate=proof).status == 200


def test_a_key_that_is_refused_anyway_costs_no_check_of_its_signature() -> None:
    costly = ec.generate_private_key(ec.SECP521R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(name_of("robot-1"))
    der = bytearray(builder.sign(costly, hashes.SHA256()).public_bytes(Encoding.DER))
    der[-1] ^= 1
    pem = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM).decode()
    with pytest.raises(Exception, match="neither ECDSA P-256 nor RSA"):
        parse_request(pem)


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "botocore.auth", "urllib3.connectionpool"])
def test_the_addresses_of_webhooks_and_signed_urls_are_in_no_log_at_any_level(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    level = logging.root.level
    try:
        configure_logging("DEBUG")
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
    finally:
        logging.root.setLevel(level)


@pytest.mark.parametrize("host", ["64:ff9b:1::7f00:1", "fec0::1", "::127.0.0.1", "::ffff:0:127.0.0.1"])
def test_a_webhook_does_not_reach_the_own_network_through_a_translator(host: str) -> None:
    async def send() -> None:
        sender = Sender()
        try:
            await sender.send(Post(url=f"https://[{host}]/", body=b"{}"))
        finally:
            await sender.close()

    assert code_of(lambda: asyncio.run(send())) == "refused-address-private"


def test_who_does_not_read_the_answer_is_hung_up_on() -> None:
    async def is_cut() -> bool:
        ended = asyncio.Event()

        async def answer_much(_scope: Scope, _receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(1000):
                await send({"type": "http.response.body", "body": bytes(64 * 1024), "more_body": True})
            ended.set()

        protocol = robot_protocol(None, header_timeout_s=5, connections_max=5, read_timeout_s=0.1)
        config = uvicorn.Config(answer_much, http=protocol, lifespan="off", log_config=None, ws="none")
        config.load()
        state = ServerState()
        listening = await asyncio.get_running_loop().create_server(
            lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        async with listening:
            # A client with such a small limit stops reading at once.
            _, writer = await asyncio.open_connection(*listening.sockets[0].getsockname(), limit=1)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.wait_for(ended.wait(), 10)
            writer.close()
            return not state.connections

    assert asyncio.run(is_cut())
