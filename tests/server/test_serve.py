import base64
import errno
import http.client
import json
import os
import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from live_server import LiveServer
from server_bench import build, report
from support import code_of
from surefoot.server.serve import FleetServer
from surefoot.server.settings import load_settings
from surefoot.signing.signers import FileSigner
from surefoot.wire.errors import Refused


def enrol(server: LiveServer, robot_id: str) -> str:
    with server.operator() as operator:
        answer = operator.post("/api/v1/robots", json={"robot_id": robot_id, "sku": "standard"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def connection(server: LiveServer) -> http.client.HTTPSConnection:
    address = urlsplit(server.url)
    assert address.hostname is not None
    return http.client.HTTPSConnection(address.hostname, address.port, context=server.tls, timeout=20)


def test_a_robot_reports_over_real_tls(live: LiveServer) -> None:
    with live.client(enrol(live, "tls-1")) as robot:
        answer = robot.post("/v1/report", content=report("tls-1"))
    assert answer.status_code == 200
    assert answer.json()["next_check_s"] > 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_certificate_names_the_hosts_it_is_reached_by(live: LiveServer, host: str) -> None:
    port = urlsplit(live.url).port
    with (
        socket.create_connection(("127.0.0.1", port or 0)) as plain,
        live.tls.wrap_socket(plain, server_hostname=host) as tls,
    ):
        assert tls.version() in {"TLSv1.2", "TLSv1.3"}


def test_who_does_not_trust_the_fleet_s_ca_does_not_get_in(live: LiveServer) -> None:
    address = urlsplit(live.url)
    stranger = http.client.HTTPSConnection(address.hostname or "", address.port, context=ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        stranger.request("GET", "/healthz")
    stranger.close()


def test_plain_http_is_not_spoken(live: LiveServer) -> None:
    address = urlsplit(live.url)
    plain = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    plain.request("GET", "/healthz")
    with pytest.raises((http.client.HTTPException, OSError)):
        plain.getresponse()
    plain.close()


def test_a_chunked_body_too_large_is_refused_while_it_is_sent(live: LiveServer) -> None:
    token = enrol(live, "chunked-1")
    with live.client(token) as robot:
        answer = robot.post("/v1/report", content=iter([b"x" * 5000] * 4))
        assert (answer.status_code, answer.json()["code"]) == (413, "refused-body-too-large")
        assert robot.post("/v1/report", content=report("chunked-1")).status_code == 200


def test_an_announced_body_too_large_is_refused_unread(live: LiveServer) -> None:
    robot = connection(live)
    robot.putrequest("POST", "/v1/report")
    robot.putheader("Authorization", f"Bearer {enrol(live, 'announced-1')}")
    robot.putheader("Content-Length", str(10**9))
    robot.putheader("Expect", "100-continue")
    robot.endheaders()
    answer = robot.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (413, "refused-body-too-large")
    robot.close()


def test_a_client_that_hangs_up_amid_its_report_harms_nobody(live: LiveServer) -> None:
    token = enrol(live, "hangup-1")
    robot = connection(live)
    robot.putrequest("POST", "/v1/report")
    robot.putheader("Authorization", f"Bearer {token}")
    robot.putheader("Content-Length", "500")
    robot.endheaders(b"{")
    robot.close()
    with live.operator() as operator, live.client(token) as again:
        assert operator.get("/api/v1/robots/hangup-1").json()["report"] is None
        assert again.post("/v1/report", content=report("hangup-1")).status_code == 200


def test_a_download_that_broke_off_goes_on_where_it_stopped(live: LiveServer, signer: FileSigner) -> None:
    signed, token = build(signer, "0.2.1", sku="downloads"), enrol(live, "download-1")
    with live.operator() as operator:
        der = base64.b64encode(signer.public_key.der).decode()
        operator.post("/api/v1/keys", json={"name": "build", "der_base64": der}).raise_for_status()
        operator.put(f"/api/v1/images/{signed.sha256}", content=signed.data).raise_for_status()
        operator.post("/api/v1/releases", json=signed.release_body(sku="downloads")).raise_for_status()
    broken, resumed = connection(live), connection(live)
    path, headers = f"/v1/images/{signed.sha256}", {"Authorization": f"Bearer {token}"}
    broken.request("GET", path, headers=headers)
    begun = broken.getresponse()
    start = begun.read(100_000)
    begun.close()
    broken.close()
    etag = f'"{signed.sha256}"'
    resumed.request("GET", path, headers={**headers, "Range": f"bytes={len(start)}-", "If-Range": etag})
    answer = resumed.getresponse()
    assert (answer.status, start + answer.read()) == (206, signed.data)
    resumed.request("HEAD", path, headers=headers)
    whole = resumed.getresponse()
    assert (whole.status, whole.read()) == (200, b"")
    assert whole.headers["Content-Length"] == str(len(signed.data))
    resumed.close()


def test_a_second_server_on_the_same_data_is_refused(live: LiveServer) -> None:
    second = FleetServer(load_settings(data_dir=live.data_dir, port=0))
    assert code_of(second.run) == "refused-data-in-use"


def test_a_taken_port_is_refused(live: LiveServer, tmp_path: Path) -> None:
    second = FleetServer(load_settings(data_dir=tmp_path / "data", port=urlsplit(live.url).port))
    assert code_of(second.run) == "refused-address"


def test_a_data_directory_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for data_dir in (file, file / "below"):
        assert code_of(FleetServer(load_settings(data_dir=data_dir, port=0)).run) == "refused-file-unwritable"


def test_a_disk_that_is_full_at_the_start_is_said_to_be_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("surefoot.server.certificates.write_atomically", full)
    with pytest.raises(Refused, match="No space left on device") as caught:
        FleetServer(load_settings(data_dir=tmp_path / "data", port=0)).run()
    assert caught.value.code == "refused-file-unwritable"


@pytest.mark.parametrize("name", ["factory_ca", "broker_ca", "broker_certificate"])
def test_a_setting_that_names_no_certificate_stops_the_start_and_is_named(tmp_path: Path, name: str) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    for path in (nonsense, tmp_path / "gone.pem"):
        given: dict[str, Any] = {name: path}
        with pytest.raises(Refused, match=f"The setting {name} ") as caught:
            FleetServer(load_settings(data_dir=tmp_path / "data", port=0, **given)).run()
        assert caught.value.code == "refused-settings"
    assert not (tmp_path / "data").exists()


def test_server_json_tells_where_it_listens(live: LiveServer) -> None:
    told = json.loads((live.data_dir / "server.json").read_text())
    assert told["url"] == live.url
    os.kill(told["pid"], 0)


def test_what_was_acknowledged_survives_a_kill_and_a_stop(tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "data").start()
    token = enrol(server, "robot-1")
    with server.client(token) as robot:
        assert robot.post("/v1/report", content=report("robot-1", seq=3)).status_code == 200
    ca = server.ca_path.read_bytes()
    server.kill9()
    server.start()
    assert server.ca_path.read_bytes() == ca
    with server.operator() as operator:
        assert operator.get("/api/v1/robots/robot-1").json()["report"]["seq"] == 3
    assert server.stop() == 0
    assert not (server.data_dir / "server.json").exists()
    with server.start(), server.client(token) as robot:
        assert robot.post("/v1/report", content=report("robot-1", seq=4)).status_code == 200


def test_secrets_are_in_no_log_and_in_private_files_only(live: LiveServer) -> None:
    token = enrol(live, "secret-1")
    with live.client(token) as robot:
        robot.post("/v1/report", content=b"{")
    operator_token = live.data_dir / "operator.token"
    assert operator_token.stat().st_mode & 0o077 == 0
    log = live.log_path.read_text()
    assert token not in log and operator_token.read_text().strip() not in log


@pytest.mark.parametrize(
    ("name", "value"), [("port", "99999"), ("port", "x"), ("public_url", "http://plain.example"), ("log_level", "LOUD")]
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    wrong: dict[str, Any] = {name: value}
    assert code_of(lambda: load_settings(**wrong)) == "refused-settings"
