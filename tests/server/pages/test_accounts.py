"""Accounts for admins, and for everybody what is their own."""

import asyncio
import re

from server.access_case import PASSWORD, make_account
from server.pages.page_case import Page, browser
from server_bench import Bench
from surefoot.fleet.access import Account, Role


def test_an_admin_makes_changes_and_shuts_out_accounts(bench: Bench) -> None:
    admin = browser(bench)
    made = {"name": "bob", "role": "viewer", "password": "another good sentence"}
    assert admin.send("/accounts", **made).headers["location"] == "/accounts?done=made"
    assert "bob" in admin.see("/accounts").text
    again = Page(admin.send("/accounts", **made).body.decode())
    assert "refused-account-exists" in again.text and "another good sentence" not in str(again.tags)
    short = Page(admin.send("/accounts", name="eve", role="viewer", password="tiny-pw").body.decode())
    assert "The field password is wrong" in short.text and "tiny-pw" not in str(short.tags)
    for change, fields in (("role", {"role": "operator"}), ("disable", {}), ("password", {"password": "x" * 12})):
        assert admin.send(f"/accounts/bob/{change}", **fields).headers["location"] == f"/accounts/bob?done={change}"
    bob = bench.services.store.read(lambda rows: rows.get(Account, "bob"))
    assert bob is not None and (bob.role, bob.disabled) == (Role.OPERATOR, True)
    assert "Let it in again" in admin.see("/accounts/bob").text
    assert admin.send("/accounts/bob/dance").status == admin.send("/accounts/nobody/enable").status == 404


def test_everybody_has_a_page_with_their_tokens_and_password(bench: Bench) -> None:
    viewer = browser(bench, Role.VIEWER)
    assert viewer.get("/accounts").headers["location"] == "/me"
    assert "You have no token" in viewer.see("/me").text
    answer = viewer.send("/me/tokens", **{"label": "ci", "days": "7", "scope-read": "on"})
    secret = re.findall(r'id="token">([^<]+)<', answer.body.decode())[0]
    assert answer.headers["cache-control"] == "no-store"
    assert bench.call("GET", "/api/v1/robots", token=secret).status == 200
    page = viewer.see("/me")
    assert "ci" in page.text and secret not in page.text
    [revoke] = [action for action in page.forms if action.startswith("/tokens/")]
    assert viewer.send(revoke).status == 303
    assert bench.call("GET", "/api/v1/robots", token=secret).status == 401
    beyond = viewer.send("/me/tokens", **{"label": "ci", "days": "7", "scope-admin": "on"})
    assert "refused-scopes" in Page(beyond.body.decode()).text
    assert "The field days is wrong" in Page(viewer.send("/me/tokens", label="ci", days="x").body.decode()).text


def test_a_person_changes_their_own_password_and_is_signed_out(bench: Bench) -> None:
    viewer = browser(bench, Role.VIEWER)
    phc = asyncio.run(bench.services.passwords.phc_of(PASSWORD))
    other = browser(bench, Role.ADMIN)
    assert other.send("/accounts/the-viewer/password", password=PASSWORD).status == 303
    viewer = browser(bench, Role.VIEWER, "ann")
    make_account(bench, "max", Role.VIEWER, phc)
    wrong = viewer.send("/me/password", current_password="wrong", password="another good sentence")
    assert "refused-login" in Page(wrong.body.decode()).text
