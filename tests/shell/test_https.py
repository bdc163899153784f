"""The way to the server: what a robot makes of each answer, against a real HTTPS server that says what it is told."""

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from surefoot.server.certificates import ensure_certificates
from surefoot.shell.https import HttpsTransport
from surefoot.wire.errors import Interrupted, Refused, SurefootError
from surefoot.wire.offer import Answer, encode_answer
from surefoot.wire.report import CONFIRMED, Report, SlotReport

SHA256 = "ab" * 32
FILE = bytes(range(256)) * 20
REPORT = Report(
    robot_id="r",
    sku="standard",
    epoch="0",
    boot=1,
    seq=1,
    running=SlotReport(slot="a", version=None, digest="cd" * 32, state=CONFIRMED),
    spare=None,
    assignment=None,
    version_floor=None,
    protocol=None,
    companion_version=None,
    trusted_keys=(),
    accepts=(),
    code=None,
)


class Script:
    """What the server answers, and the requests it got."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b""
        self.cut_after: int | None = None
        # With these, /v1 leads elsewhere, where ranges are served as an object store does.
        self.redirect: str | None = None
        self.etag: str | None = None
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.url = ""
        self.ca = Path()


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    script = Script()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script.seen.append((self.command, self.path, dict(self.headers)))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if script.redirect is not None and self.path.startswith("/v1/"):
                self.send_response(302)
                self.send_header("Location", script.redirect)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if script.etag is not None and self.headers.get("If-Range", script.etag) == script.etag:
                first = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
                script.headers = {"Content-Range": f"bytes {first}-{len(script.body) - 1}/{len(script.body)}"}
                script.status, script.body = 206, script.body[first:]
            self.send_response(script.status)
            for name, value in script.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(script.body)))
            self.end_headers()
            self.wfile.write(script.body[: script.cut_after])
            self.close_connection = True

        do_POST = do_GET  # noqa: N815 - the names http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server calls it
            pass

    paths = ensure_certificates(tmp_path / "tls", ("127.0.0.1", "localhost"), datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(paths.server)
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    script.url, script.ca = f"https://127.0.0.1:{server.server_port}", tmp_path / "tls" / "ca.pem"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield script
    server.shutdown()
    thread.join()
    server.server_close()


def transport(script: Script) -> HttpsTransport:
    return HttpsTransport(script.url, "secret-token", script.ca)


def code_of_exchange(script: Script, kind: type[SurefootError]) -> str:
    with pytest.raises(kind) as error:
        transport(script).exchange(REPORT)
    return error.value.code


def code_of_open(script: Script, kind: type[SurefootError], first_byte: int = 0) -> str:
    with pytest.raises(kind) as error:
        transport(script).open(f"{script.url}/v1/images/{SHA256}", SHA256, first_byte)
    return error.value.code


def test_a_report_goes_out_with_the_token_and_the_answer_comes_back(script: Script) -> None:
    answer = Answer(acknowledged="a-1", offer=None, cancelled=None, stale=False, next_check_s=60)
    script.body = encode_answer(answer)
    assert transport(script).exchange(REPORT) == answer
    method, path, headers = script.seen[0]
    assert (method, path, headers["Authorization"]) == ("POST", "/v1/check", "Bearer secret-token")


def test_a_refusal_keeps_the_servers_code(script: Script) -> None:
    script.status, script.body = 403, b'{"type": "urn:surefoot:problem:refused-robot-mismatch", "detail": "no"}'
    assert code_of_exchange(script, Refused) == "refused-robot-mismatch"


def test_a_server_in_trouble_is_asked_again(script: Script) -> None:
    for status in (500, 503, 429):
        script.status = status
        assert code_of_exchange(script, Interrupted) == "server-unreachable"


def test_an_answer_that_is_none_is_refused(script: Script) -> None:
    script.body = b"<html>"
    assert code_of_exchange(script, Refused) == "refused-answer-format"
    script.status = 404
    assert code_of_exchange(script, Refused) == "refused-answer-format"


def test_a_server_with_another_certificate_gets_nothing(script: Script) -> None:
    stranger = HttpsTransport(script.url, "secret-token")
    with pytest.raises(Interrupted) as error:
        stranger.exchange(REPORT)
    assert error.value.code == "server-unreachable"
    assert script.seen == []


def test_plain_http_is_refused_before_anything_is_sent(script: Script) -> None:
    with pytest.raises(Refused) as error:
        HttpsTransport("http://127.0.0.1", "secret-token")
    assert error.value.code == "refused-url"
    with pytest.raises(Refused) as error:
        transport(script).open("http://127.0.0.1/x", SHA256, 0)
    assert error.value.code == "refused-url"


def test_a_download_goes_on_from_the_byte_it_is_asked_for(script: Script) -> None:
    script.status, script.body = 206, FILE[1000:]
    script.headers = {"Content-Range": f"bytes 1000-{len(FILE) - 1}/{len(FILE)}"}
    download = transport(script).open(f"{script.url}/v1/images/{SHA256}", SHA256, 1000)
    assert download.read(24) == FILE[1000:1024]
    assert download.read(10_000) == FILE[1024:]
    assert download.read(10) == b""
    download.close()
    headers = script.seen[0][2]
    assert (headers["Range"], headers["If-Range"]) == ("bytes=1000-", f'"{SHA256}"')


def test_a_whole_file_in_place_of_a_range_is_read_from_where_the_robot_goes_on(script: Script) -> None:
    script.body = FILE
    for first_byte in (0, 1000, len(FILE)):
        download = transport(script).open(f"{script.url}/x", SHA256, first_byte)
        assert download.read(10_000) == FILE[first_byte:]
        download.close()


def test_a_whole_file_that_ends_or_breaks_off_before_that_is_interrupted(script: Script) -> None:
    script.body = FILE
    assert code_of_open(script, Interrupted, first_byte=len(FILE) + 1) == "download-interrupted"
    script.cut_after = 500
    assert code_of_open(script, Interrupted, first_byte=1000) == "download-interrupted"


def test_an_object_store_that_knows_the_file_by_another_name_goes_on_where_it_is_asked_to(script: Script) -> None:
    elsewhere = script.url.replace("127.0.0.1", "localhost")
    script.redirect, script.etag, script.body = f"{elsewhere}/bucket/{SHA256}", '"an-md5"', FILE
    download = transport(script).open(f"{script.url}/v1/images/{SHA256}", SHA256, 1000)
    assert (download.status, download.read(10_000)) == (206, FILE[1000:])
    download.close()


def test_a_range_that_begins_elsewhere_is_not_taken(script: Script) -> None:
    script.status, script.body = 206, FILE[100:]
    script.headers = {"Content-Range": f"bytes 100-{len(FILE) - 1}/{len(FILE)}"}
    assert code_of_open(script, Interrupted, first_byte=1000) == "download-interrupted"


def test_a_file_that_is_gone_is_refused_and_trouble_is_retried(script: Script) -> None:
    for status in (404, 410):
        script.status = status
        assert code_of_open(script, Refused) == "refused-image-gone"
    for status in (403, 429, 500):
        script.status = status
        assert code_of_open(script, Interrupted) == "download-interrupted"


def test_a_download_that_breaks_off_is_interrupted_not_complete(script: Script) -> None:
    script.body, script.cut_after = FILE, 2000
    download = transport(script).open(f"{script.url}/x", SHA256, 0)
    assert download.read(1000) == FILE[:1000]
    assert download.read(1000) == FILE[1000:2000]
    with pytest.raises(Interrupted) as error:
        download.read(1000)
    assert error.value.code == "download-interrupted"
    download.close()


def test_bytes_that_trickle_are_an_interrupted_download(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    script.body = FILE * 20
    monkeypatch.setattr("surefoot.shell.https.READ_S_MAX", -1.0)
    with closing(transport(script).open(f"{script.url}/x", SHA256, 0)) as download:
        assert download.read(1000) == FILE[:1000], "what is there at once is never too slow"
        with pytest.raises(Interrupted) as error:
            download.read(100_000)
    assert error.value.code == "download-interrupted"


def test_the_token_does_not_follow_a_redirect_to_another_place(script: Script) -> None:
    elsewhere = script.url.replace("127.0.0.1", "localhost")
    script.status, script.headers = 302, {"Location": f"{elsewhere}/elsewhere"}
    with pytest.raises(Interrupted):
        transport(script).open(f"{script.url}/v1/images/{SHA256}", SHA256, 0)
    assert script.seen[0][2]["Authorization"] == "Bearer secret-token"
    assert all("Authorization" not in headers for _, _, headers in script.seen[1:])


def test_endless_redirects_end(script: Script) -> None:
    script.status, script.headers = 302, {"Location": f"{script.url}/again"}
    assert code_of_open(script, Interrupted) == "download-interrupted"
    assert len(script.seen) == 4


@pytest.mark.parametrize(
    "place", ["https://[1", "https://a:b/", "https://a:99999/", "http://a/", "", "https://a b/", "/x"]
)
def test_a_redirect_to_nowhere_is_trouble_of_the_server_and_not_of_the_agent(script: Script, place: str) -> None:
    script.status, script.headers = 302, {"Location": place}
    assert code_of_open(script, Interrupted) == "download-interrupted"


@pytest.mark.parametrize("url", ["https://[1", "https://a:b/", "https:///x", "ftp://a/"])
def test_an_offer_of_what_is_no_https_address_is_refused(script: Script, url: str) -> None:
    with pytest.raises(Refused) as error:
        transport(script).open(url, SHA256, 0)
    assert error.value.code == "refused-url"


def test_an_address_that_no_wire_takes_is_an_interrupted_download(script: Script) -> None:
    for url in (f"{script.url}/v1/\u00e9", f"https://{'a' * 70}.example/"):
        with pytest.raises(Interrupted):
            transport(script).open(url, SHA256, 0)
