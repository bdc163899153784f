"""Accounts, tokens and sessions for tests of the operator plane, made behind the server's back."""

import json
from dataclasses import replace
from typing import Any

from asgi_driver import Answered
from server_bench import NOW_S, Bench
from surefoot.fleet.access import PERMISSIONS_OF, Account, ApiToken, Permission, Role
from surefoot.fleet.accounts import DAY_S, create_account, create_token
from surefoot.fleet.audit import Entry
from surefoot.server.operators.sessions import COOKIE, csrf_token, start_session
from surefoot.server.tokens import token_sha256

ORIGIN = "https://fleet.test"
PASSWORD = "correct horse battery"


def make_account(bench: Bench, name: str, role: Role = Role.VIEWER, phc: str | None = None) -> Account:
    make = bench.services.store.submit
    return make(lambda rows: create_account(rows, "test", name, role, NOW_S, password_phc=phc)).result()


def make_token(bench: Bench, account: str, *scopes: Permission, **changes: Any) -> str:
    """Return a new token of an account that is made if it is not there, named like its role."""
    secret = f"token of {account} {scopes} {changes}".replace(" ", "-")
    if bench.services.store.read(lambda rows: rows.get(Account, account)) is None:
        make_account(bench, account, Role(account))
    role = Role(account) if account in list(Role) else Role.ADMIN
    token = ApiToken(
        token_sha256=token_sha256(secret),
        token_id=f"id-of-{token_sha256(secret)[:8]}",
        account=account,
        label="test",
        scopes=scopes or tuple(sorted(PERMISSIONS_OF[role])),
        created_at_s=NOW_S,
        expires_at_s=NOW_S + DAY_S,
        revoked_at_s=None,
        used_at_s=None,
    )
    bench.services.store.submit(lambda rows: create_token(rows, "test", replace(token, **changes))).result()
    return secret


def make_session(bench: Bench, account: Account) -> dict[str, str]:
    """Return the headers a page of the server sends, for questions and changes."""
    cookie = bench.services.store.submit(lambda rows: start_session(rows, account, "test", NOW_S)).result()
    return {"cookie": f"{COOKIE}={cookie}", "x-csrf-token": csrf_token(cookie), "origin": ORIGIN}


def send(bench: Bench, method: str, path: str, body: object = None, **options: Any) -> Answered:
    """Send a request with a JSON body to the operator plane, with `token` or `headers`."""
    headers = {"content-type": "application/json", **options.pop("headers", {})}
    content = b"" if body is None else json.dumps(body).encode()
    return bench.call(method, f"/api/v1{path}", headers=headers, body=content, **options)


def sign_in(bench: Bench, account: str, password: str = PASSWORD, **headers: str) -> Answered:
    return send(bench, "POST", "/session/password", {"account": account, "password": password}, headers=headers)


def audit_log(bench: Bench) -> list[Entry]:
    return bench.services.store.read(lambda rows: rows.find(Entry))
