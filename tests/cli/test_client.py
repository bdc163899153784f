import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from surefoot.cli.client import OperatorClient, connect, url_part
from surefoot.wire.errors import Interrupted, Refused, SurefootError

ROBOTS = [f"robot-{number:03}" for number in range(5)]
PROBLEM = {
    "type": "urn:surefoot:problem:not-found-robot",
    "title": "Not found",
    "status": 404,
    "detail": "The fleet has no robot x: enrol it first.",
}


def answer(request: httpx.Request) -> httpx.Response:
    """A server with five robots, on pages of two."""
    match request.url.path:
        case "/robots":
            behind = [robot for robot in ROBOTS if robot > request.url.params.get("after", "")]
            page = behind[:2]
            return httpx.Response(200, json={"robots": page, "next_after": page[-1] if len(behind) > 2 else None})
        case "/problem":
            return httpx.Response(404, json=PROBLEM, headers={"Content-Type": "application/problem+json"})
        case "/busy":
            return httpx.Response(503, json=PROBLEM | {"type": "https://docs.example.org/problems/server-busy"})
        case "/proxy":
            return httpx.Response(502, text="<html>Bad gateway</html>")
        case "/portal":
            return httpx.Response(200, text="<html>Please log in</html>")
        case "/list":
            return httpx.Response(500, json=[1])
        case "/elsewhere":
            return httpx.Response(307, headers={"Location": "https://other.example.org/"})
        case _:
            raise httpx.ConnectError("connection refused", request=request)


@pytest.fixture
def operator() -> OperatorClient:
    return OperatorClient(httpx.Client(base_url="https://fleet.example.org", transport=httpx.MockTransport(answer)))


def test_a_long_list_is_read_to_its_end(operator: OperatorClient) -> None:
    assert operator.get_all("/robots", "robots") == ROBOTS


@pytest.mark.parametrize(
    ("path", "kind", "code", "said"),
    [
        ("/problem", Refused, "not-found-robot", "The fleet has no robot x: enrol it first."),
        ("/busy", Interrupted, "server-busy", "enrol it first"),
        ("/proxy", Interrupted, "server-answer", "502"),
        ("/portal", Interrupted, "server-answer", "200"),
        ("/list", Interrupted, "server-answer", "500"),
        ("/elsewhere", Interrupted, "server-answer", "307"),
        ("/down", Interrupted, "server-unreachable", "surefoot up"),
    ],
)
def test_every_answer_but_success_is_an_error_with_a_code(
    operator: OperatorClient, path: str, kind: type[SurefootError], code: str, said: str
) -> None:
    with pytest.raises(kind) as caught:
        operator.get(path)
    assert caught.value.code == code and said in caught.value.message


def test_a_name_stays_one_segment_of_the_path() -> None:
    assert url_part("../keys?x") == "..%2Fkeys%3Fx"


def open_it(data: Path, **given: Any) -> httpx.Headers:
    options: dict[str, Any] = {"server": "https://127.0.0.1:1", "token_file": None, "ca": None, "data": data} | given
    with connect(**options) as operator:
        return operator._http.headers


def code_of(data: Path, **given: Any) -> str:
    with pytest.raises(SurefootError) as caught:
        open_it(data, **given)
    return caught.value.code


def test_the_token_comes_from_option_then_environment_then_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUREFOOT_TOKEN", raising=False)
    (tmp_path / "operator.token").write_text("from-data\n")
    (tmp_path / "own.token").write_text("from-option\n")
    assert open_it(tmp_path)["Authorization"] == "Bearer from-data"
    monkeypatch.setenv("SUREFOOT_TOKEN", "from-environment")
    assert open_it(tmp_path)["Authorization"] == "Bearer from-environment"
    assert open_it(tmp_path, token_file=tmp_path / "own.token")["Authorization"] == "Bearer from-option"


def test_a_connection_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUREFOOT_TOKEN", raising=False)
    token = tmp_path / "operator.token"
    assert code_of(tmp_path) == "refused-token-missing"
    token.write_text("two words\nin lines")
    assert code_of(tmp_path) == "refused-token-missing"
    token.write_text("token")
    assert code_of(tmp_path, server="http://127.0.0.1:1") == "refused-server-url"
    assert code_of(tmp_path, server="https://127.0.0.1:port") == "refused-server-url"
    assert code_of(tmp_path, server="127.0.0.1:1") == "refused-server-url"
    assert code_of(tmp_path, server=None) == "server-unreachable"
    assert code_of(tmp_path, ca=token) == "refused-certificate-file"
    assert code_of(tmp_path, ca=tmp_path / "none.pem") == "refused-file-unreadable"
    assert code_of(tmp_path, token_file=tmp_path / "none.token") == "refused-file-unreadable"
    monkeypatch.setenv("SUREFOOT_TOKEN", "t\u00f6ken")
    assert code_of(tmp_path) == "refused-token-missing"
    monkeypatch.delenv("SUREFOOT_TOKEN")
    (tmp_path / "server.json").write_text(json.dumps({"pid": 1}))
    assert code_of(tmp_path, server=None) == "refused-file-unreadable"


def test_the_server_is_the_one_that_the_data_directory_names(tmp_path: Path) -> None:
    (tmp_path / "operator.token").write_text("token")
    (tmp_path / "server.json").write_text(json.dumps({"url": "https://127.0.0.1:1", "pid": 1}))
    with (
        connect(server=None, token_file=None, ca=None, data=tmp_path) as operator,
        pytest.raises(Interrupted) as caught,
    ):
        operator.get("/api/v1/robots")
    assert caught.value.code == "server-unreachable" and "https://127.0.0.1:1" in caught.value.message
