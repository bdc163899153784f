import asyncio
import json

import pytest

from server.access_case import PASSWORD, audit_log, make_account, make_session, make_token, send, sign_in
from server_bench import NOW_S, OPERATOR_TOKEN, Bench
from surefoot.fleet.access import Account, ApiToken, Permission, Role
from surefoot.fleet.accounts import DAY_S
from surefoot.fleet.audit import verify
from surefoot.server.tokens import OPERATOR_PREFIX, USED_EVERY_S, token_sha256

NEW = "another good sentence"


def with_password(bench: Bench, name: str, role: Role = Role.VIEWER) -> Account:
    return make_account(bench, name, role, asyncio.run(bench.services.passwords.phc_of(PASSWORD)))


def kept(bench: Bench, token: str) -> ApiToken | None:
    return bench.services.store.read(lambda rows: rows.get(ApiToken, token_sha256(token)))


def test_an_admin_makes_shows_changes_and_disables_accounts(bench: Bench) -> None:
    made = bench.operate("POST", "/accounts", {"name": "anna", "role": "viewer", "password": PASSWORD})
    assert (made.status, made.json["role"], made.json["has_password"]) == (201, "viewer", True)
    assert sign_in(bench, "anna").status == 200
    changed = bench.operate("POST", "/accounts/anna/role", {"role": "publisher", "reason": "joined the team"})
    assert changed.json["role"] == bench.operate("GET", "/accounts/anna").json["role"] == "publisher"
    assert bench.operate("POST", "/accounts/anna/disable", {"reason": "left"}).json["disabled"]
    assert sign_in(bench, "anna").code == "refused-login"
    assert not bench.operate("POST", "/accounts/anna/enable", {}).json["disabled"]
    assert sign_in(bench, "anna").status == 200
    told = [(entry.action, entry.target, entry.reason) for entry in audit_log(bench) if entry.actor == "operator.token"]
    assert told == [
        ("account.create", "anna", None),
        ("account.set-role", "anna", "joined the team"),
        ("account.disable", "anna", "left"),
        ("account.enable", "anna", None),
    ]


def test_accounts_are_listed_page_by_page(bench: Bench) -> None:
    for number in range(3):
        make_account(bench, f"name-{number}")
    first = bench.operate("GET", "/accounts?limit=2").json
    rest = bench.operate("GET", f"/accounts?limit=2&after={first['next_after']}").json
    names = [account["name"] for account in first["accounts"] + rest["accounts"]]
    assert (names, rest["next_after"]) == (["name-0", "name-1", "name-2"], None)


@pytest.mark.parametrize("name", ["", "two words", "../x", "operator.token", "surefoot", "x" * 129, "-x"])
def test_a_name_that_cannot_be_used_is_refused(bench: Bench, name: str) -> None:
    answer = bench.operate("POST", "/accounts", {"name": name, "role": "viewer"})
    assert answer.code in {"refused-request-format", "refused-account-name"}
    assert bench.operate("GET", "/accounts").json["accounts"] == []


def test_a_name_that_is_taken_is_refused(bench: Bench) -> None:
    make_account(bench, "anna")
    answer = bench.operate("POST", "/accounts", {"name": "anna", "role": "admin"})
    assert (answer.status, answer.code) == (409, "refused-account-exists")


def test_a_password_too_short_is_refused_without_repeating_it(bench: Bench) -> None:
    answer = bench.operate("POST", "/accounts", {"name": "anna", "role": "viewer", "password": "hunter2"})
    assert answer.code == "refused-request-format"
    assert b"hunter2" not in answer.body


def test_people_change_their_own_password_and_show_the_one_they_had(bench: Bench) -> None:
    anna = with_password(bench, "anna")
    headers = make_session(bench, anna)
    without = send(bench, "POST", "/accounts/anna/password", {"password": NEW}, headers=headers)
    wrong = {"password": NEW, "current_password": "wrong password!"}
    assert without.code == send(bench, "POST", "/accounts/anna/password", wrong, headers=headers).code
    assert without.code == "refused-login"
    right = {"password": NEW, "current_password": PASSWORD}
    assert send(bench, "POST", "/accounts/anna/password", right, headers=headers).status == 200
    assert sign_in(bench, "anna").code == "refused-login"
    assert sign_in(bench, "anna", NEW).status == 200


def test_tokens_outlive_a_change_of_password_and_end_with_it_when_that_is_asked_for(bench: Bench) -> None:
    with_password(bench, "anna")
    other = make_token(bench, "viewer")
    for label in ("laptop", "script"):
        bench.operate("POST", "/tokens", {"label": label, "account": "anna"})
    kept = bench.operate("POST", "/accounts/anna/password", {"password": NEW})
    assert (kept.status, kept.json["active_tokens"]) == (200, 2)
    again = bench.operate("POST", "/accounts/anna/password", {"password": PASSWORD, "revoke_tokens": True})
    assert again.json["active_tokens"] == 0
    listed = bench.operate("GET", "/tokens?account=anna").json["tokens"]
    assert [one["revoked_at_s"] for one in listed] == [NOW_S, NOW_S]
    assert [entry.action for entry in audit_log(bench)][-3:] == ["account.set-password", *["token.revoke"] * 2]
    assert bench.call("GET", "/api/v1/session", token=other).status == 200, "nobody else's token ends"


def test_a_found_session_cannot_guess_the_password(bench: Bench) -> None:
    headers = make_session(bench, with_password(bench, "anna"))
    guess = {"password": NEW, "current_password": "wrong password!"}
    allowed = bench.services.settings.login_account_max
    codes = [send(bench, "POST", "/accounts/anna/password", guess, headers=headers).code for _ in range(allowed + 1)]
    assert codes == ["refused-login"] * allowed + ["refused-attempts"]


def test_an_account_of_the_identity_provider_has_no_password_here(bench: Bench) -> None:
    bench.services.store.submit(
        lambda rows: rows.put(
            Account(name="bert", role=Role.VIEWER, password_phc=None, subject="idp b", disabled=False, created_at_s=1)
        )
    ).result()
    answer = bench.operate("POST", "/accounts/bert/password", {"password": NEW})
    assert (answer.status, answer.code) == (409, "refused-account-state")


def test_a_token_is_shown_once_and_kept_as_its_sha256(bench: Bench) -> None:
    make_account(bench, "ci", Role.PUBLISHER)
    made = bench.operate("POST", "/tokens", {"label": "build", "account": "ci", "scopes": ["publish", "read"]})
    token = made.json["token"]
    assert made.status == 201 and token.startswith(OPERATOR_PREFIX)
    assert made.headers["cache-control"] == "no-store"
    assert made.json["expires_at_s"] == NOW_S + 90 * DAY_S
    listed = bench.operate("GET", "/tokens").json["tokens"]
    assert [one["token_id"] for one in listed] == [made.json["token_id"]] and "token" not in listed[0]
    everything = repr((audit_log(bench), kept(bench, token)))
    assert token not in everything and token_sha256(token) not in repr(audit_log(bench))
    assert bench.call("GET", "/api/v1/session", token=token).json["permissions"] == ["publish", "read"]


def test_a_token_opens_no_more_than_its_account_at_this_moment(bench: Bench) -> None:
    token = make_token(bench, "publisher")
    bench.operate("POST", "/accounts/publisher/role", {"role": "viewer"})
    assert bench.call("GET", "/api/v1/session", token=token).json["permissions"] == ["read"]
    bench.operate("POST", "/accounts/publisher/disable", {})
    assert bench.call("GET", "/api/v1/session", token=token).status == 401


def test_scopes_beyond_the_role_are_refused(bench: Bench) -> None:
    make_account(bench, "ci", Role.PUBLISHER)
    answer = bench.operate("POST", "/tokens", {"label": "x", "account": "ci", "scopes": ["operate"]})
    assert (answer.status, answer.code) == (422, "refused-scopes")


def test_a_token_valid_for_too_long_is_refused(bench: Bench) -> None:
    make_account(bench, "ci")
    days = bench.services.settings.token_days_max + 1
    assert bench.operate("POST", "/tokens", {"label": "x", "account": "ci", "days": days}).code == (
        "refused-token-lifetime"
    )


def test_who_signed_in_makes_and_revokes_their_own_tokens_and_no_others(bench: Bench) -> None:
    anna, other = make_account(bench, "anna"), make_token(bench, "publisher")
    headers = make_session(bench, anna)
    made = send(bench, "POST", "/tokens", {"label": "mine"}, headers=headers)
    assert made.json["account"] == "anna"
    for body in ({"label": "x", "account": "publisher"}, {"label": "x", "account": "none"}):
        assert send(bench, "POST", "/tokens", body, headers=headers).code == "refused-permission"
    assert [token["account"] for token in send(bench, "GET", "/tokens", headers=headers).json["tokens"]] == ["anna"]
    assert send(bench, "GET", "/tokens?account=publisher", headers=headers).code == "refused-permission"
    foreign = kept(bench, other)
    assert foreign is not None
    assert send(bench, "DELETE", f"/tokens/{foreign.token_id}", headers=headers).code == "refused-permission"
    revoked = send(bench, "DELETE", f"/tokens/{made.json['token_id']}", headers=headers)
    assert revoked.json["revoked_at_s"] == NOW_S
    assert bench.call("GET", "/api/v1/session", token=made.json["token"]).code == "refused-token"


def test_a_stolen_token_makes_no_tokens(bench: Bench) -> None:
    answer = send(bench, "POST", "/tokens", {"label": "x"}, token=make_token(bench, "publisher"))
    assert (answer.status, answer.code) == (403, "refused-permission")


def test_the_first_token_has_no_account_to_make_tokens_for(bench: Bench) -> None:
    answer = send(bench, "POST", "/tokens", {"label": "x"}, token=OPERATOR_TOKEN)
    assert (answer.status, answer.code) == (404, "not-found-account")


def test_a_use_is_noted_to_the_hour(bench: Bench) -> None:
    token = make_token(bench, "viewer", used_at_s=NOW_S - USED_EVERY_S + 1)
    fresh = make_token(bench, "publisher")
    for one in (token, fresh):
        assert bench.call("GET", "/api/v1/session", token=one).status == 200
    unchanged, noted = kept(bench, token), kept(bench, fresh)
    assert unchanged is not None and unchanged.used_at_s == NOW_S - USED_EVERY_S + 1
    assert noted is not None and noted.used_at_s == NOW_S


def test_a_narrow_token_of_an_admin_administers_nothing(bench: Bench) -> None:
    token = make_token(bench, "admin", Permission.READ)
    assert send(bench, "POST", "/tokens", {"label": "x"}, token=token).code == "refused-permission"


def test_every_change_of_an_operator_is_in_the_log(bench: Bench) -> None:
    bench.publish("0.2.1")
    rollout = bench.operate("POST", "/rollouts", {"release_id": "release-0.2.1"}).json["rollout_id"]
    bench.operate("POST", f"/rollouts/{rollout}/halt", {"reason": "smoke"})
    bench.operate("POST", "/robots", {"robot_id": "robot-1", "sku": "standard"})
    entries = audit_log(bench)
    assert [(entry.action, entry.target) for entry in entries] == [
        ("rollout.start", rollout),
        ("rollout.halt", rollout),
        ("robot.enrol", "robot-1"),
    ]
    halt = entries[1]
    assert (halt.before, halt.after, halt.reason) == ({"state": "running"}, {"state": "halted"}, "smoke")
    assert verify(entries) is None


def test_what_is_refused_is_not_in_the_log(bench: Bench) -> None:
    bench.operate("POST", "/rollouts/none/halt", {"reason": "smoke"})
    bench.operate("POST", "/robots", {"robot_id": "not an id", "sku": "standard"})
    assert audit_log(bench) == []


def test_a_robot_s_token_is_not_in_the_log(bench: Bench) -> None:
    token = bench.operate("POST", "/robots", {"robot_id": "robot-1", "sku": "standard"}).json["token"]
    told = json.dumps([entry.after for entry in audit_log(bench)])
    assert "robot-1" in told and token not in told and token_sha256(token) not in told


def test_the_log_is_read_page_by_page_and_filtered(bench: Bench) -> None:
    for number in range(5):
        bench.operate("POST", "/robots", {"robot_id": f"robot-{number}", "sku": "standard"})
    page = bench.operate("GET", "/audit?limit=2").json
    seen = [entry["target"] for entry in page["entries"]]
    while page["next_after"] is not None:
        page = bench.operate("GET", f"/audit?limit=2&after={page['next_after']}").json
        seen += [entry["target"] for entry in page["entries"]]
    assert seen == [f"robot-{number}" for number in (4, 3, 2, 1, 0)]
    only = bench.operate("GET", "/audit?target=robot-3&action=robot.enrol&actor=operator.token").json["entries"]
    assert [entry["target"] for entry in only] == ["robot-3"]
    assert bench.operate("GET", "/audit?actor=anna").json["entries"] == []
    oldest = bench.operate("GET", "/audit?oldest_first=true&limit=1").json["entries"]
    assert [entry["number"] for entry in oldest] == [1]
    assert bench.operate("GET", "/audit?after=99").code == "not-found-audit-entry"
