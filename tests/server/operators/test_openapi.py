from html.parser import HTMLParser

import pytest

from server_bench import Bench
from surefoot.fleet.aws_files import PREFIX as JOB_FILES_PREFIX
from surefoot.server.devices.api import ENROL_PATH, IMAGES_PREFIX, MANIFESTS_PREFIX, DeviceApi
from surefoot.server.devices.metadata import METADATA_PREFIX, TARGETS_PREFIX
from surefoot.server.operators.openapi_page import page


class Page(HTMLParser):
    """What a browser would load, run or follow."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture
def document(bench: Bench) -> dict:  # type: ignore[type-arg]
    return dict(bench.call("GET", "/api/v1/openapi.json").json)


def test_every_answer_that_is_an_error_is_a_problem_document(document: dict) -> None:  # type: ignore[type-arg]
    for operations in document["paths"].values():
        for operation in operations.values():
            told = {status for status in operation["responses"] if status.startswith(("4", "5"))}
            assert "503" in told
            for status in told:
                assert operation["responses"][status] == {"$ref": f"#/components/responses/{status}"}
                content = document["components"]["responses"][status]["content"]
                assert list(content) == ["application/problem+json"]


def test_what_needs_a_permission_says_so_and_by_what_to_prove_it(document: dict) -> None:  # type: ignore[type-arg]
    halt = document["paths"]["/api/v1/rollouts/{rollout_id}/{change}"]["post"]
    assert halt["x-permission"] == "operate"
    assert halt["security"] == [{"token": []}, {"session": []}]
    assert document["components"]["securitySchemes"].keys() == {"token", "session"}
    login = document["paths"]["/api/v1/session/password"]["post"]
    assert "security" not in login and "429" in login["responses"]


def test_the_page_shows_every_operation_and_loads_nothing(bench: Bench, document: dict) -> None:  # type: ignore[type-arg]
    answer = bench.call("GET", "/api/v1/docs")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    shown = Page(answer.body.decode())
    assert not shown.tags & {"script", "link", "img", "iframe", "object", "form"}
    assert "src" not in shown.attributes
    assert all(target.startswith("#") or target.endswith("openapi.json") for target in shown.attributes["href"])
    assert {target[1:] for target in shown.attributes["href"] if target[0] == "#"} <= shown.attributes["id"]
    assert set(document["paths"]) <= set(shown.text)


def test_the_page_s_policy_allows_its_own_style_and_nothing_else(bench: Bench) -> None:
    policy = bench.call("GET", "/api/v1/docs").headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["style-src"].startswith("'sha256-") and "script-src" not in rules


def test_what_a_description_says_is_shown_and_not_run() -> None:
    evil = "<script>alert(1)</script>"
    operation = {"description": evil, "responses": {"200": {"description": evil}}, "x-permission": evil}
    text = page(
        {
            "openapi": evil, "info": {"title": evil, "version": evil, "description": evil},
            "paths": {evil: {"get": operation}},
            "components": {"schemas": {evil: {"description": evil, "properties": {evil: {"type": evil}}}}},
        }
    )  # fmt: skip
    assert "script" not in Page(text).tags


def test_what_robots_call_is_described_and_nothing_else(bench: Bench) -> None:
    document = bench.call("GET", "/api/v1/device-openapi.json").json
    described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    for method, path in described:
        answer = bench.call(method, path.replace("{", "").replace("}", ""))
        assert answer.status != 405 and b"not-found-path" not in answer.body, f"{method} {path}"
    plain = {(method, path) for path, methods in DeviceApi(bench.services)._handlers.items() for method in methods}
    prefixes = {IMAGES_PREFIX, MANIFESTS_PREFIX, METADATA_PREFIX, TARGETS_PREFIX, JOB_FILES_PREFIX}
    assert plain | {("POST", ENROL_PATH)} == {route for route in described if "{" not in route[1]}
    assert prefixes == {path.partition("{")[0] for _, path in described if "{" in path}


def test_a_wrong_method_is_told_all_the_right_ones(bench: Bench) -> None:
    assert bench.operate("PATCH", "/keys").headers["allow"] == "GET, POST"
    assert bench.operate("PATCH", "/tokens/x").headers["allow"] == "DELETE"
