"""The agent against AWS IoT Jobs with presigned HTTPS: a whole update, though every address runs out on the way."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from shell.aws_bridge import AwsFleet, BridgeLink
from surefoot.fleet.model import Status
from surefoot.server.certificates import ensure_certificates
from surefoot.shell.aws_transport import AwsTransport
from surefoot.shell.https import HttpsTransport
from surefoot.signing.signers import new_key, open_signer
from surefoot.sim.cuts import OLD_VERSION, Bench, settle
from surefoot.sim.images import app_image
from surefoot.sim.partitions import SMALL
from surefoot.sim.robot import Behaviour, SimRobot

EXPIRED, CUT, WHOLE = "expired", "cut", "whole"
CUT_BYTES = 9_000


class PresignedStore:
    """An object store over real TLS. Each request is answered as the next word of `plan` says, the last one on and on.

    `asked` are the addresses and first bytes that came; a client that shows a certificate or a token fails the test.
    """

    def __init__(self, folder: Path, data: bytes, plan: list[str]) -> None:
        self.asked: list[tuple[str, int]] = []
        certificates = ensure_certificates(folder, ("localhost", "127.0.0.1"), datetime.now(UTC))
        self.ca_path = certificates.ca
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert "Authorization" not in self.headers
                first = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
                store.asked.append((self.path, first))
                how = plan.pop(0) if len(plan) > 1 else plan[0]
                rest = data[first:]
                self.send_response(403 if how == EXPIRED else 206)
                if how != EXPIRED:
                    self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
                self.send_header("Content-Length", "0" if how == EXPIRED else str(len(rest)))
                self.end_headers()
                if how != EXPIRED:
                    self.wfile.write(rest[:CUT_BYTES] if how == CUT else rest)
                self.close_connection = True

            def log_message(self, *_what: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class PresigningLink(BridgeLink):
    """An AWS that puts another address into the document each time it is asked for it."""

    def __init__(self, link: BridgeLink, url: str, *, beside_a_stream: bool) -> None:
        super().__init__(link.fleet, link.robot)
        self.url = url
        self.beside_a_stream = beside_a_stream
        self.told = 0

    def ask(self, suffix: str, body: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
        is_accepted, answer = super().ask(suffix, body)
        document = answer.get("execution", {}).get("jobDocument")
        if document is not None:
            self.told += 1
            del document["surefoot"]["fileid"]
            document["surefoot"]["url"] = f"{self.url}/bucket/key?X-Amz-Signature={self.told}"
            if not self.beside_a_stream:
                del document["afr_ota"]
        return is_accepted, answer

    def blocks(self, stream: str, request: dict[str, Any], count: int) -> list[bytes]:
        raise AssertionError("nothing is streamed")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[AwsFleet]:
    new_key(tmp_path / "key.pem")
    fleet = AwsFleet(tmp_path, open_signer(f"file:{tmp_path / 'key.pem'}"))
    yield fleet
    fleet.close()


def a_robot(
    fleet: AwsFleet, folder: Path, plan: list[str], *, beside_a_stream: bool = False
) -> tuple[PresignedStore, SimRobot, Bench, list[int]]:
    release = fleet.publish(app_image("0.2.1", seed=2, size_bytes=48_000), "0.2.1")
    fleet.start_rollout(release)
    store = PresignedStore(folder / "store", fleet.blobs.read(release.sha256, 0, release.size_bytes), plan)
    bench = Bench(fleet=fleet, geometry=SMALL, old_image=app_image(OLD_VERSION, seed=1), release=release)
    _, link = fleet.enrol_by_jobs("r")
    presigning = PresigningLink(link, store.url, beside_a_stream=beside_a_stream)
    # As `shell.way` puts it together: its own origin is AWS's endpoint, and nothing is shown anywhere else.
    https = HttpsTransport("https://endpoint.test", None, store.ca_path)
    robot = bench.robot_on("r", AwsTransport(presigning, https, lambda _: None), Behaviour.HEALTHY)
    pauses: list[int] = []
    robot._pause = pauses.append
    return store, robot, bench, pauses


@pytest.mark.parametrize("beside_a_stream", [False, True])
def test_an_update_goes_on_where_it_was_when_addresses_run_out(
    fleet: AwsFleet, tmp_path: Path, beside_a_stream: bool
) -> None:
    plan = [EXPIRED, CUT, EXPIRED, CUT, WHOLE]
    store, robot, bench, pauses = a_robot(fleet, tmp_path, plan, beside_a_stream=beside_a_stream)
    settle(robot, bench)
    store.close()
    assert robot.running_digest == bench.release.digest
    assert fleet.status("r").verdict.status is Status.INSTALLED
    addresses, first_bytes = zip(*store.asked, strict=True)
    assert len(set(addresses)) == len(addresses) == 5, "each opening asks for the address anew"
    assert first_bytes[:2] == (0, 0) and 0 < first_bytes[2] == first_bytes[3] < first_bytes[4]
    assert len(pauses) >= 4 and min(pauses) > 0, "it pauses before each of them"


def test_addresses_that_are_never_good_are_asked_for_with_pauses_and_the_job_stays(
    fleet: AwsFleet, tmp_path: Path
) -> None:
    plan = [EXPIRED]
    store, robot, bench, pauses = a_robot(fleet, tmp_path, plan)
    delay_s = robot.switch_on()
    assert delay_s > 0, "it rests until the next check"
    assert 1 < len(store.asked) == len(pauses) + 1 < 10
    assert pauses == sorted(pauses) and pauses[0] > 0
    assert fleet.status("r").verdict.is_open
    plan[:] = [WHOLE]
    settle(robot, bench)
    store.close()
    assert fleet.status("r").verdict.status is Status.INSTALLED
