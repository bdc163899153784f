"""What stands before the pages: sessions, forms that are ours, and what a browser may load."""

import re
from collections.abc import Iterator

from fastapi.routing import iter_route_contexts

from asgi_driver import Answered
from server.pages.page_case import Browser, Page, browser, start, tell
from server_bench import Bench
from surefoot.fleet.access import PERMISSIONS_OF, Permission, Role
from surefoot.server.operators.openapi import permissions
from surefoot.server.pages.app import make_pages_app

READ, PUBLISH, OPERATE, ADMIN = Permission.READ, Permission.PUBLISH, Permission.OPERATE, Permission.ADMIN
# What each page needs. Changes of a rollout name theirs one by one; the list of accounts leads others to their own.
TABLE = {
    "GET /": READ,
    "GET /live/fleet": READ,
    "GET /rollouts": READ,
    "GET /rollouts/new": OPERATE,
    "POST /rollouts/new": OPERATE,
    "GET /rollouts/{rollout_id}": READ,
    "GET /rollouts/{rollout_id}/robots": READ,
    "GET /live/rollouts/{rollout_id}": READ,
    "GET /rollouts/{rollout_id}/{change}": READ,
    "POST /rollouts/{rollout_id}/{change}": READ,
    "GET /robots": READ,
    "GET /robots/{robot_id}": READ,
    "GET /live/robots/{robot_id}": READ,
    "GET /robots/{robot_id}/install": OPERATE,
    "POST /robots/{robot_id}/install": OPERATE,
    "GET /robots/{robot_id}/revoke": OPERATE,
    "POST /robots/{robot_id}/revoke": OPERATE,
    "GET /incidents": READ,
    "GET /incidents/{incident_id}": READ,
    "GET /live/incidents/{incident_id}": READ,
    "POST /incidents/{incident_id}/notes": OPERATE,
    "POST /incidents/{incident_id}/close": OPERATE,
    "GET /releases": READ,
    "GET /releases/upload": PUBLISH,
    "GET /releases/{release_id}": READ,
    "GET /releases/{release_id}/recall": OPERATE,
    "POST /releases/{release_id}/recall": OPERATE,
    "GET /keys": READ,
    "GET /keys/{key_id}/rotate": ADMIN,
    "POST /keys/{key_id}/rotate": ADMIN,
    "GET /rotations/{rotation_id}": READ,
    "GET /live/rotations/{rotation_id}": READ,
    "POST /rotations/{rotation_id}/{step}": ADMIN,
    "GET /audit": READ,
    "GET /accounts": READ,
    "POST /accounts": ADMIN,
    "GET /accounts/{name}": ADMIN,
    "POST /accounts/{name}/{change}": ADMIN,
    "GET /me": READ,
    "POST /me/password": READ,
    "POST /me/tokens": READ,
    "POST /tokens/{token_id}/revoke": READ,
    "POST /sign-out": READ,
    "GET /search": READ,
}
OPEN = {"GET /sign-in", "POST /sign-in", "GET /assets/{name}"}
# Those that a fresh server shows to an admin.
PAGES = [
    "/", "/rollouts", "/rollouts/new", "/robots", "/incidents", "/releases", "/releases/upload", "/keys", "/audit",
    "/accounts", "/accounts/the-admin", "/me", "/search?q=a", "/sign-in",
]  # fmt: skip


def routes(bench: Bench) -> Iterator[tuple[str, Permission | None]]:
    for path, method, permission in permissions(make_pages_app(bench.services)):
        yield f"{method} {re.sub(':path', '', path)}", permission


def filled(route: str) -> tuple[str, str]:
    method, path = route.split(" ")
    return method, re.sub(r"\{\w+\}", "none", path)


def test_every_page_names_what_the_table_says_it_needs(bench: Bench) -> None:
    found = dict(routes(bench))
    assert {route for route, permission in found.items() if permission is None} == OPEN
    assert {route: permission for route, permission in found.items() if permission} == TABLE


def test_nobody_is_led_to_sign_in_and_back(bench: Bench) -> None:
    nobody = Browser(bench=bench)
    for method, path in map(filled, TABLE):
        answer = nobody.get(path) if method == "GET" else nobody.send(path)
        wanted = "/sign-in" if method == "POST" or path == "/" else f"/sign-in?next={path.replace('/', '%2F')}"
        assert (answer.status, answer.headers["location"]) == (303, wanted), path


def test_a_program_without_a_session_hears_so_and_is_not_led_anywhere(bench: Bench) -> None:
    answer = bench.call("GET", "/robots")
    assert (answer.status, answer.code) == (401, "refused-session")


def test_a_token_opens_no_page(bench: Bench) -> None:
    assert bench.operate("GET", "/robots").status == 200
    assert bench.call("GET", "/robots", token="operator-token-for-tests").code == "refused-session"


def test_a_viewer_is_refused_what_only_others_may(bench: Bench) -> None:
    viewer = browser(bench, Role.VIEWER)
    for method, path in [filled(route) for route, needs in TABLE.items() if needs is not READ]:
        answer = viewer.get(path) if method == "GET" else viewer.send(path)
        assert answer.status == 403 and b"refused-permission" in answer.body, path


def test_a_form_that_is_not_this_session_s_changes_nothing(bench: Bench) -> None:
    admin = browser(bench)
    for method, path in map(filled, TABLE):
        for wrong in ({"token": "0" * 64}, {"token": ""}, {"origin": "https://evil.test"}, {"origin": "null"}):
            if method == "POST":
                answer = admin.send(path, **wrong)
                assert answer.status == 403 and b"refused-csrf" in answer.body, (path, wrong)


def test_who_may_not_operate_sees_no_button_and_is_refused(bench: Bench) -> None:
    rollout_id = start(bench, "0.2.1")
    assert f"/rollouts/{rollout_id}/halt" in browser(bench).see(f"/rollouts/{rollout_id}").links
    for role in [role for role in Role if OPERATE not in PERMISSIONS_OF[role]]:
        watcher = browser(bench, role)
        assert not [link for link in watcher.see(f"/rollouts/{rollout_id}").links if link.endswith(("halt", "pause"))]
        assert watcher.get(f"/rollouts/{rollout_id}/halt").status == 403
        assert watcher.send(f"/rollouts/{rollout_id}/halt", reason="I want to").status == 403
    assert bench.operate("GET", f"/rollouts/{rollout_id}").json["state"] == "running"


def test_a_path_that_is_none_is_a_page_for_a_person_and_a_problem_for_a_program(bench: Bench) -> None:
    answer = Browser(bench=bench).get("/nothing")
    assert answer.status == 404 and "not-found-path" in Page(answer.body.decode()).text
    assert bench.call("GET", "/nothing").code == "not-found-path"
    assert bench.call("PUT", "/nothing").code == "not-found-path"


def test_what_is_no_form_is_refused(bench: Bench) -> None:
    admin = browser(bench)
    headers = {"cookie": f"__Host-surefoot-session={admin.cookie}", "origin": "https://fleet.test"}
    answer = bench.call("POST", "/sign-out", headers={**headers, "content-type": "application/json"}, body=b"{}")
    assert answer.code == "refused-request-format"


def test_a_page_may_load_its_own_files_and_has_nothing_inline(bench: Bench) -> None:
    tell(bench, "robot-1")
    rollout_id = start(bench, "0.2.1")
    admin = browser(bench)
    for path in (*PAGES, f"/rollouts/{rollout_id}", f"/rollouts/{rollout_id}/halt", "/releases/release-0.2.1"):
        answer = admin.get(path)
        assert answer.status == 200, path
        check_loads_nothing_foreign(answer)


def check_loads_nothing_foreign(answer: Answered) -> None:
    policy = dict(rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert {rule for name, rule in policy.items() if name.endswith("-src") and name != "default-src"} == {"'self'"}
    assert answer.headers["cache-control"] == "no-store"
    page = Page(answer.body.decode())
    for tag, attributes in page.tags:
        assert "style" not in attributes and not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert tag != "style" and (tag != "script" or attributes.get("src", "").startswith("/assets/"))
        source = attributes.get("src", attributes.get("href", "/"))
        assert source.startswith(("/", "#")) and not source.startswith("//"), source


def test_pages_are_no_part_of_the_api_s_description(bench: Bench) -> None:
    assert not [path for path in bench.call("GET", "/api/v1/openapi.json").json["paths"] if path.startswith("/robots")]


def test_every_live_page_has_a_stream(bench: Bench) -> None:
    paths = {context.path for context in iter_route_contexts(make_pages_app(bench.services).routes)}
    assert len([path for path in paths if path and path.startswith("/live/")]) == 5


def test_an_address_without_a_page_leaves_whoever_is_signed_in_their_way_on(bench: Bench) -> None:
    answer = browser(bench).get("/nothing")
    page = Page(answer.body.decode())
    assert answer.status == 404 and "not-found-path" in page.text and {"/", "/rollouts"} <= page.links
    nobody = bench.call("GET", "/nothing", headers={"accept": "text/html"})
    assert nobody.status == 404 and Page(nobody.body.decode()).links == {"#main", "/", "/sign-in"}
    assert bench.call("GET", "/nothing").code == "not-found-path"
