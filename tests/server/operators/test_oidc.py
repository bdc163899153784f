"""Signing in at an identity provider: the whole code flow against a real one, and every lie it could be told."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey
from pydantic import SecretStr

from asgi_driver import Answered
from server.access_case import audit_log, make_account, send
from server.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, shared_secret
from server_bench import Bench
from surefoot.fleet.access import Account, Role, SignIn
from surefoot.fleet.accounts import set_disabled
from surefoot.server.composition import Application
from surefoot.server.operators.oidc import identity_provider, parse_roles
from surefoot.server.operators.sign_in_api import SIGN_IN_S
from surefoot.server.settings import ServerSettings
from surefoot.wire.errors import Refused

PUBLIC_URL = "https://fleet.test"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with Provider(tmp_path_factory.mktemp("provider")) as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Iterator[Provider]:
    honest = dict(vars(running))
    yield running
    vars(running).update(honest)


def settings_for(provider: Provider, **changes: Any) -> ServerSettings:
    return ServerSettings(
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=SecretStr(CLIENT_SECRET),
        oidc_roles="fleet-admins=admin, engineers=publisher",
        oidc_ca=provider.ca_path,
        **changes,
    )


@pytest.fixture
def fleet(bench: Bench, provider: Provider) -> Bench:
    """A server that knows the provider, at the present time, as the provider's tokens are of now."""
    services = replace(
        bench.services, now_s=time.time, identity_provider=identity_provider(settings_for(provider), PUBLIC_URL)
    )
    return replace(bench, services=services, app=Application(services))


def begin(fleet: Bench) -> tuple[str, str]:
    """Begin a sign-in; return where the browser is sent and the cookie it got."""
    answer = send(fleet, "GET", "/session/oidc")
    assert answer.status == 303, answer.body
    return answer.headers["location"], answer.headers["set-cookie"].partition(";")[0]


def come_back(fleet: Bench, provider: Provider, location: str, cookie: str) -> Answered:
    """Visit the provider as a browser does, and follow it back."""
    with httpx.Client(verify=provider.tls) as browser:
        back = browser.get(location).headers["location"]
    assert back.startswith(f"{PUBLIC_URL}/api/v1/session/oidc/callback?")
    return fleet.call("GET", back.removeprefix(PUBLIC_URL), headers={"cookie": cookie})


def sign_in(fleet: Bench, provider: Provider) -> Answered:
    return come_back(fleet, provider, *begin(fleet))


def session_of(answer: Answered) -> dict[str, str]:
    assert answer.status == 303, answer.body
    return {"cookie": answer.headers["set-cookie"].partition(";")[0]}


def test_the_whole_flow_ends_in_a_session_with_the_role_of_the_group(fleet: Bench, provider: Provider) -> None:
    answer = sign_in(fleet, provider)
    told = send(fleet, "GET", "/session", headers=session_of(answer)).json
    assert (told["account"], told["role"], told["how"]) == ("anna@example.test", "publisher", "session")
    assert [(entry.actor, entry.action) for entry in audit_log(fleet)] == [
        ("surefoot", "account.create"),
        ("anna@example.test", "session.start"),
    ]


def test_the_secret_travels_the_way_the_provider_takes_it(fleet: Bench, provider: Provider) -> None:
    provider.auth_methods = ["client_secret_post"]
    assert sign_in(fleet, provider).status == 303


def test_the_next_time_it_is_the_same_account_with_the_role_of_that_day(fleet: Bench, provider: Provider) -> None:
    sign_in(fleet, provider)
    provider.user = {**provider.user, "email": "married@example.test", "groups": ["engineers", "fleet-admins"]}
    told = send(fleet, "GET", "/session", headers=session_of(sign_in(fleet, provider))).json
    assert (told["account"], told["role"]) == ("anna@example.test", "admin")
    assert len(fleet.services.store.read(lambda rows: rows.find(Account))) == 1


def refused(fleet: Bench, answer: Answered, code: str = "refused-sign-in") -> None:
    assert answer.code == code
    assert "__Host-surefoot-session" not in answer.headers.get("set-cookie", "")
    assert fleet.services.store.read(lambda rows: rows.find(Account)) == []


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://evil.test"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": ["another-client", "third"]},
        {"aud": None},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": None},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"email_verified": False},
        {"email_verified": "false"},
    ],
    ids=str,
)
def test_an_id_token_that_does_not_hold_opens_nothing(fleet: Bench, provider: Provider, lie: dict[str, Any]) -> None:
    provider.changes = lie
    refused(fleet, sign_in(fleet, provider))


def test_an_id_token_of_another_key_opens_nothing(fleet: Bench, provider: Provider) -> None:
    provider.signing_key = ECKey.generate_key("P-256", {"kid": "key-1"})
    refused(fleet, sign_in(fleet, provider))


def test_an_id_token_with_a_shared_secret_opens_nothing(fleet: Bench, provider: Provider) -> None:
    provider.signing_key, provider.algorithm = shared_secret(), "HS256"
    refused(fleet, sign_in(fleet, provider))


def test_an_id_token_without_a_signature_opens_nothing(fleet: Bench, provider: Provider) -> None:
    provider.algorithm, provider.signing_key = "none", shared_secret()
    refused(fleet, sign_in(fleet, provider))


def test_a_state_serves_once(fleet: Bench, provider: Provider) -> None:
    location, cookie = begin(fleet)
    assert come_back(fleet, provider, location, cookie).status == 303
    assert come_back(fleet, provider, location, cookie).code == "refused-sign-in"


def test_a_state_that_nobody_began_opens_nothing(fleet: Bench, provider: Provider) -> None:
    location, cookie = begin(fleet)
    state = parse_qs(urlsplit(location).query)["state"][0]
    refused(fleet, come_back(fleet, provider, location.replace(state, "x" * 43), cookie))


def test_another_browser_cannot_end_what_this_one_began(fleet: Bench, provider: Provider) -> None:
    location, cookie = begin(fleet)
    _, other = begin(fleet)
    for wrong in (other, ""):
        refused(fleet, come_back(fleet, provider, location, wrong))
    assert come_back(fleet, provider, location, cookie).status == 303


def test_a_sign_in_that_took_too_long_opens_nothing(fleet: Bench, provider: Provider) -> None:
    location, cookie = begin(fleet)
    later = replace(fleet.services, now_s=lambda: time.time() + SIGN_IN_S)
    refused(fleet, come_back(replace(fleet, app=Application(later)), provider, location, cookie))


def test_a_code_of_another_sign_in_opens_nothing(fleet: Bench, provider: Provider) -> None:
    (mine, cookie), (theirs, _) = begin(fleet), begin(fleet)
    with httpx.Client(verify=provider.tls) as browser:
        stolen = parse_qs(urlsplit(browser.get(theirs).headers["location"]).query)["code"][0]
    state = parse_qs(urlsplit(mine).query)["state"][0]
    target = f"/api/v1/session/oidc/callback?state={state}&code={stolen}"
    refused(fleet, fleet.call("GET", target, headers={"cookie": cookie}))


@pytest.mark.parametrize("extra", ["&error=access_denied", "&code=x&iss=https://evil.test", ""])
def test_who_the_provider_turned_away_or_another_provider_sent_stays_out(
    fleet: Bench, provider: Provider, extra: str
) -> None:
    location, cookie = begin(fleet)
    state = parse_qs(urlsplit(location).query)["state"][0]
    target = f"/api/v1/session/oidc/callback?state={state}{extra}"
    refused(fleet, fleet.call("GET", target, headers={"cookie": cookie}))


def test_who_is_in_no_group_that_counts_stays_out(fleet: Bench, provider: Provider) -> None:
    for groups in (["cooks"], [], None, "cooks", [["engineers"]]):
        provider.user = {**provider.user, "groups": groups}
        refused(fleet, sign_in(fleet, provider), "refused-sign-in-role")


def test_a_local_account_of_the_same_name_is_not_taken_over(fleet: Bench, provider: Provider) -> None:
    make_account(fleet, "anna@example.test", Role.ADMIN)
    assert sign_in(fleet, provider).code == "refused-account-exists"


def test_a_disabled_account_stays_out(fleet: Bench, provider: Provider) -> None:
    sign_in(fleet, provider)
    fleet.services.store.submit(lambda rows: set_disabled(rows, "test", "anna@example.test", True, None, 1)).result()
    assert sign_in(fleet, provider).code == "refused-login"


def test_a_provider_that_fails_or_calls_itself_otherwise_is_told(fleet: Bench, provider: Provider) -> None:
    provider.fails_with = 500
    answer = send(fleet, "GET", "/session/oidc")
    assert (answer.status, answer.code) == (503, "interrupted-sign-in")
    provider.fails_with, provider.named_issuer = None, "https://evil.test"
    assert send(fleet, "GET", "/session/oidc").code == "interrupted-sign-in"


def test_a_provider_with_an_untrusted_certificate_is_not_asked(bench: Bench, provider: Provider) -> None:
    settings = settings_for(provider).model_copy(update={"oidc_ca": None})
    services = replace(bench.services, identity_provider=identity_provider(settings, PUBLIC_URL))
    answer = send(replace(bench, app=Application(services)), "GET", "/session/oidc")
    assert answer.code == "interrupted-sign-in"


def test_beginning_without_end_is_limited(fleet: Bench) -> None:
    allowed = fleet.services.settings.login_address_max
    assert {send(fleet, "GET", "/session/oidc").status for _ in range(allowed)} == {303}
    assert send(fleet, "GET", "/session/oidc").code == "refused-attempts"


def test_what_is_kept_of_a_sign_in_does_not_open_it(fleet: Bench, provider: Provider) -> None:
    location, cookie = begin(fleet)
    kept = repr(fleet.services.store.read(lambda rows: rows.find(SignIn)))
    state = parse_qs(urlsplit(location).query)["state"][0]
    assert state not in kept and cookie.partition("=")[2] not in kept


@pytest.mark.parametrize("roles", ["engineers", "engineers=boss", "=", "a=admin,b"])
def test_roles_that_make_no_sense_stop_the_start(roles: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_roles(roles)
    assert caught.value.code == "refused-settings"


def test_the_first_role_that_fits_counts_and_a_star_fits_everybody() -> None:
    assert parse_roles("a=admin, b = viewer,*=viewer") == (("a", Role.ADMIN), ("b", Role.VIEWER), ("*", Role.VIEWER))
    assert parse_roles("") == ()


@pytest.mark.parametrize(
    "changes",
    [{"oidc_client_id": None}, {"oidc_client_secret": None, "oidc_client_secret_file": Path("none")},
     {"oidc_ca": Path("none")}],
)  # fmt: skip
def test_settings_that_lack_something_stop_the_start(provider: Provider, changes: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        identity_provider(settings_for(provider).model_copy(update=changes), PUBLIC_URL)
    assert caught.value.code == "refused-settings"
    assert CLIENT_SECRET not in caught.value.message
