"""Signing in and out on a page."""

import asyncio

import pytest

from server.access_case import PASSWORD, make_account
from server.pages.page_case import Browser, Page, browser
from server_bench import Bench
from surefoot.fleet.access import Role, Session
from surefoot.fleet.accounts import end_sessions
from surefoot.server.pages.sign_in import after_sign_in


def test_a_person_signs_in_goes_where_they_wanted_and_signs_out(bench: Bench) -> None:
    nobody = Browser(bench=bench)
    assert "Nobody has an account yet" in nobody.see("/sign-in").text
    make_account(bench, "ada", Role.VIEWER, asyncio.run(bench.services.passwords.phc_of(PASSWORD)))
    asked = nobody.see("/sign-in?next=%2Frobots")
    assert ("input", {"type": "hidden", "name": "next", "value": "/robots"}) in asked.tags
    answer = nobody.send("/sign-in", account="ada", password=PASSWORD, next="/robots")
    assert (answer.status, answer.headers["location"]) == (303, "/robots")
    cookie = answer.headers["set-cookie"].partition(";")[0].partition("=")[2]
    signed_in = Browser(bench=bench, cookie=cookie)
    assert "Signed in as ada" in signed_in.see("/robots").text
    gone = signed_in.send("/sign-out")
    assert gone.status == 303 and "Max-Age=0" in gone.headers["set-cookie"]
    assert signed_in.get("/robots").headers["location"] == "/sign-in?next=%2Frobots"


def test_a_wrong_password_is_told_without_saying_what_is_wrong(bench: Bench) -> None:
    nobody = Browser(bench=bench)
    answer = nobody.send("/sign-in", account="ada", password="wrong")
    page = Page(answer.body.decode())
    assert answer.status == 401 and "refused-login" in page.text
    assert not [attributes for _, attributes in page.tags if attributes.get("value") == "wrong"]
    assert nobody.send("/sign-in", account="ada", password="x" * 2000).status == 401
    elsewhere = nobody.send("/sign-in", origin="https://evil.test", account="ada", password=PASSWORD)
    assert elsewhere.status == 403
    assert bench.services.store.read(lambda rows: rows.find(Session)) == []


@pytest.mark.parametrize(
    "wanted",
    ["//evil.test", "https://evil.test/", "/\\evil.test", "javascript:alert(1)", "", "a", "/\n/evil", "/x" * 999],
)
def test_nobody_is_led_off_the_server_after_signing_in(wanted: str) -> None:
    assert after_sign_in(wanted) == "/"
    assert after_sign_in("/robots?q=a&after=b") == "/robots?q=a&after=b"


def test_an_expired_session_leads_to_sign_in_even_where_only_a_part_was_asked_for(bench: Bench) -> None:
    admin = browser(bench)
    bench.services.store.submit(lambda rows: end_sessions(rows, "the-admin")).result()
    assert admin.get("/robots", **{"hx-request": "true"}).headers["hx-redirect"] == "/sign-in?next=%2Frobots"
