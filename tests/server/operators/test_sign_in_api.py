import asyncio
from dataclasses import replace
from typing import Any

import pytest

from server.access_case import ORIGIN, PASSWORD, audit_log, make_account, make_session, make_token, send, sign_in
from server_bench import NOW_S, Bench
from surefoot.fleet.access import Account, Role, Session
from surefoot.fleet.accounts import set_disabled, set_password
from surefoot.server.composition import Application
from surefoot.server.operators.sessions import COOKIE, SESSIONS_MAX


@pytest.fixture
def anna(bench: Bench) -> Account:
    return make_account(bench, "anna", Role.OPERATOR, asyncio.run(bench.services.passwords.phc_of(PASSWORD)))


def headers_of(answer: Any) -> dict[str, str]:
    """What a browser on the server's page sends after this answer."""
    cookie = answer.headers["set-cookie"].partition(";")[0]
    return {"cookie": cookie, "x-csrf-token": answer.json["csrf_token"], "origin": ORIGIN}


def at(bench: Bench, now_s: float) -> Bench:
    """The same server at another time."""
    services = replace(bench.services, now_s=lambda: now_s)
    return replace(bench, services=services, app=Application(services))


def test_a_session_begins_with_a_password_and_ends_with_a_logout(bench: Bench, anna: Account) -> None:
    answer = sign_in(bench, "anna")
    assert answer.status == 200
    assert (answer.json["account"], answer.json["role"], answer.json["how"]) == ("anna", "operator", "session")
    assert answer.json["permissions"] == ["operate", "read"]
    browser = headers_of(answer)
    told = send(bench, "GET", "/session", headers=browser)
    assert told.json == answer.json
    assert send(bench, "POST", "/robots", {"robot_id": "robot-1", "sku": "s"}, headers=browser).status == 201
    gone = send(bench, "DELETE", "/session", headers=browser)
    assert gone.status == 204 and "Max-Age=0" in gone.headers["set-cookie"]
    assert send(bench, "GET", "/session", headers=browser).code == "refused-session"
    assert [entry.action for entry in audit_log(bench)] == [
        "account.create", "session.start", "robot.enrol", "session.end"
    ]  # fmt: skip


def test_the_cookie_is_for_this_host_over_https_and_no_script(bench: Bench, anna: Account) -> None:
    cookie = sign_in(bench, "anna").headers["set-cookie"]
    assert cookie.startswith("__Host-")
    assert set(cookie.split("; ")[1:]) == {"Path=/", "HttpOnly", "Secure", "SameSite=Lax"}


def test_of_a_session_only_the_sha256_is_kept(bench: Bench, anna: Account) -> None:
    answer = sign_in(bench, "anna")
    secrets = {answer.headers["set-cookie"].partition(";")[0].partition("=")[2], answer.json["csrf_token"]}
    kept = repr(bench.services.store.read(lambda rows: (rows.find(Session), rows.find(Account)))) + repr(
        audit_log(bench)
    )
    assert not [secret for secret in [*secrets, PASSWORD] if secret in kept]


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong password!"), ("nobody", PASSWORD), ("anna", "")])
def test_whatever_is_wrong_the_refusal_is_the_same(bench: Bench, anna: Account, name: str, password: str) -> None:
    answer = sign_in(bench, name, password)
    assert (answer.status, answer.code) == (401, "refused-login")
    assert answer.json["detail"] == "Account and password do not belong together: try again."
    assert "set-cookie" not in answer.headers


def test_a_refused_sign_in_is_in_the_log_with_its_address_and_without_what_was_typed(
    bench: Bench, anna: Account, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(bench, "hunter2-in-the-wrong-field", "wrong password!")
    assert [record.getMessage() for record in caplog.records] == [
        "sign-in-refused code=refused-login address:127.0.0.1"
    ]
    sign_in(bench, "anna")
    assert len(caplog.records) == 1


def test_a_disabled_account_and_one_without_a_password_are_refused_likewise(bench: Bench, anna: Account) -> None:
    make_account(bench, "machine")
    bench.services.store.submit(lambda rows: set_disabled(rows, "test", "anna", True, None, NOW_S)).result()
    assert sign_in(bench, "anna").code == sign_in(bench, "machine").code == "refused-login"


def test_an_account_may_fail_so_often_and_then_not_even_succeed(bench: Bench, anna: Account) -> None:
    allowed = bench.services.settings.login_account_max
    assert {sign_in(bench, "anna", "wrong password!").code for _ in range(allowed)} == {"refused-login"}
    answer = sign_in(bench, "anna")
    assert (answer.status, answer.code) == (429, "refused-attempts")
    assert answer.headers["retry-after"] == str(bench.services.settings.login_window_s)
    assert sign_in(at(bench, NOW_S + bench.services.settings.login_window_s), "anna").status == 200


def test_names_that_no_account_has_are_limited_likewise(bench: Bench) -> None:
    allowed = bench.services.settings.login_account_max
    codes = [sign_in(bench, "nobody", "wrong password!").code for _ in range(allowed + 1)]
    assert codes == ["refused-login"] * allowed + ["refused-attempts"]


def test_an_address_that_tries_many_names_is_limited(bench: Bench, anna: Account) -> None:
    allowed = bench.services.settings.login_address_max
    codes = [sign_in(bench, f"name-{number}").code for number in range(allowed + 1)]
    assert codes == ["refused-login"] * allowed + ["refused-attempts"]
    assert sign_in(bench, "anna").code == "refused-attempts"


def test_logging_in_often_is_no_failure(bench: Bench, anna: Account) -> None:
    for _ in range(bench.services.settings.login_account_max + 5):
        assert sign_in(bench, "anna").status == 200


def test_an_account_has_so_many_sessions_and_the_oldest_goes(bench: Bench, anna: Account) -> None:
    first = make_session(bench, anna)
    for _ in range(SESSIONS_MAX):
        make_session(bench, anna)
    assert len(bench.services.store.read(lambda rows: rows.find(Session))) == SESSIONS_MAX
    assert send(bench, "GET", "/session", headers=first).code == "refused-session"


def test_a_login_from_another_site_s_page_is_refused(bench: Bench, anna: Account) -> None:
    assert sign_in(bench, "anna", origin="https://evil.test").code == "refused-csrf"
    assert sign_in(bench, "anna", origin=ORIGIN).status == 200


def test_an_idle_session_ends_and_a_used_one_goes_on_until_its_age(bench: Bench, anna: Account) -> None:
    settings, browser = bench.services.settings, make_session(bench, anna)
    now_s = NOW_S
    while now_s + settings.session_idle_s - 1 < NOW_S + settings.session_s:
        now_s += settings.session_idle_s - 1
        assert send(at(bench, now_s), "GET", "/session", headers=browser).status == 200
    assert send(at(bench, NOW_S + settings.session_s), "GET", "/session", headers=browser).code == "refused-session"
    idle = make_session(bench, anna)
    later = at(bench, NOW_S + settings.session_idle_s)
    assert send(later, "GET", "/session", headers=idle).code == "refused-session"


def test_another_password_and_a_disabled_account_end_every_session(bench: Bench, anna: Account) -> None:
    store = bench.services.store
    for change in (
        lambda rows: set_password(rows, "test", "anna", "phc", NOW_S),
        lambda rows: set_disabled(rows, "test", "anna", True, None, NOW_S),
    ):
        browser = make_session(bench, anna)
        store.submit(change).result()
        assert send(bench, "GET", "/session", headers=browser).code == "refused-session"


def test_another_role_holds_at_once(bench: Bench, anna: Account) -> None:
    browser = make_session(bench, anna)
    assert send(bench, "GET", "/accounts", headers=browser).status == 403
    bench.services.store.submit(lambda rows: rows.put(replace(anna, role=Role.ADMIN))).result()
    assert send(bench, "GET", "/accounts", headers=browser).status == 200


def test_who_sends_a_token_is_who_the_token_says_and_needs_no_csrf(bench: Bench, anna: Account) -> None:
    cookie = make_session(bench, anna)["cookie"]
    told = send(bench, "GET", "/session", headers={"cookie": cookie}, token=make_token(bench, "viewer"))
    assert (told.json["account"], told.json["csrf_token"]) == ("viewer", None)
    body = {"robot_id": "robot-1", "sku": "s"}
    assert send(bench, "POST", "/robots", body, token=make_token(bench, "operator")).status == 201


@pytest.mark.parametrize("cookie", ["", "x", f"{COOKIE}=", f"{COOKIE}=wrong", f"a=b; {COOKIE}=\xff", "=;=;"])
def test_a_cookie_that_is_nobody_s_opens_nothing(bench: Bench, cookie: str) -> None:
    answer = bench.call("GET", "/api/v1/robots", headers={"cookie": cookie})
    assert answer.status == 401


def test_costs_that_are_out_of_date_are_renewed_at_the_next_login(bench: Bench) -> None:
    from argon2 import PasswordHasher

    old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    make_account(bench, "anna", phc=old)
    assert sign_in(bench, "anna").status == sign_in(bench, "anna").status == 200
    kept = bench.services.store.read(lambda rows: rows.get(Account, "anna"))
    assert kept is not None and kept.password_phc != old


def test_every_answer_tells_browsers_to_keep_and_embed_nothing(bench: Bench) -> None:
    for path in ("/api/v1/robots", "/healthz", "/api/v1/openapi.json"):
        headers = bench.call("GET", path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
