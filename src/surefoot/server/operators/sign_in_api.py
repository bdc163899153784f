"""Signing in and out: with an account's password, or at the identity provider."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from surefoot.fleet import attempts, audit
from surefoot.fleet.access import Account, SignIn
from surefoot.fleet.accounts import SERVER, create_account, permissions_of, set_role
from surefoot.fleet.ports import Rows
from surefoot.server.client_address import client_address
from surefoot.server.operators import sessions
from surefoot.server.operators.account_models import LoginIn, SessionOut
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.oidc import Identity, IdentityProvider
from surefoot.server.operators.permissions import Actor, How, Permission, needs
from surefoot.server.operators.sign_in import limit_of_address, sign_in
from surefoot.server.services import Services
from surefoot.server.tokens import new_token, token_sha256
from surefoot.wire.errors import Refused

SIGN_IN_COOKIE = "__Host-surefoot-sign-in"
SIGN_IN_S = 600
AFTER_SIGN_IN = "/"
Text = Annotated[str | None, Query(max_length=4096)]

router = APIRouter(prefix="/session", tags=["session"])


@router.get("")
async def get_session(request: Request, actor: Annotated[Actor, needs(Permission.READ)]) -> SessionOut:
    """Say who you are, and what a page must send with every change."""
    cookie = sessions.cookie_of(_headers(request)) if actor.how is How.SESSION else None
    return SessionOut.of(actor, None if cookie is None else sessions.csrf_token(cookie))


@router.post("/password")
async def post_session(services: ServicesDependency, request: Request, body: LoginIn, response: Response) -> SessionOut:
    """Sign in with an account's password; the answer sets the session's cookie."""
    headers = _headers(request)
    sessions.check_origin(headers, services.fleet.public_url, required=False)
    account, cookie = await sign_in(
        services, body.account, body.password.get_secret_value(), address_of(services, request)
    )
    response.headers.append("set-cookie", sessions.set_cookie(cookie))
    actor = Actor(name=account.name, role=account.role, how=How.SESSION, permissions=permissions_of(account))
    return SessionOut.of(actor, sessions.csrf_token(cookie))


@router.delete("", status_code=204)
async def delete_session(
    services: ServicesDependency, request: Request, actor: Annotated[Actor, needs(Permission.READ)]
) -> Response:
    """Sign out; nothing happens where a token is used, which is revoked instead."""
    cookie = sessions.cookie_of(_headers(request))
    if actor.how is How.SESSION and cookie is not None:
        await services.write(lambda rows: _end(rows, actor.name, cookie, services.now_s()))
    return Response(status_code=204, headers={"set-cookie": sessions.drop_cookie()})


@router.get("/oidc", status_code=303, response_class=RedirectResponse)
async def begin_oidc(services: ServicesDependency, request: Request) -> RedirectResponse:
    """Send the browser to the identity provider."""
    provider, now_s = _provider(services), services.now_s()
    state, browser = new_token(), new_token()
    begun = SignIn(
        state_sha256=token_sha256(state),
        browser_sha256=token_sha256(browser),
        nonce=new_token(),
        code_verifier=new_token(),
        begun_at_s=now_s,
    )

    def keep(rows: Rows) -> None:
        attempts.take(rows, _subject(services, request), limit_of_address(services.settings), now_s)
        for old in rows.find(SignIn, limit=8):
            if now_s - old.begun_at_s >= SIGN_IN_S:
                rows.drop(SignIn, old.state_sha256)
        rows.put(begun)

    await services.write(keep)
    answer = RedirectResponse(await provider.authorization_url(state, begun), status_code=303)
    answer.headers.append("set-cookie", sessions.set_cookie(browser, SIGN_IN_COOKIE, max_age_s=SIGN_IN_S))
    return answer


@router.get("/oidc/callback", status_code=303, response_class=RedirectResponse)
async def end_oidc(
    services: ServicesDependency,
    request: Request,
    state: Text = None,
    code: Text = None,
    error: Text = None,
    iss: Text = None,
) -> RedirectResponse:
    """Take the browser back from the identity provider; the answer sets the session's cookie."""
    provider, now_s = _provider(services), services.now_s()
    browser = sessions.cookie_of(_headers(request), SIGN_IN_COOKIE)
    begun = await services.write(lambda rows: _take_sign_in(rows, state or "", browser or "", now_s))
    if error is not None or code is None or iss not in {None, provider.issuer}:
        raise Refused("refused-sign-in", "The identity provider did not let you in: begin again, or ask an admin.")
    identity = await provider.identity(code, begun, now_s)

    def begin(rows: Rows) -> str:
        attempts.give_back(rows, _subject(services, request))
        return sessions.start_session(rows, _account(rows, identity, now_s), "oidc", now_s)

    answer = RedirectResponse(AFTER_SIGN_IN, status_code=303)
    answer.headers.append("set-cookie", sessions.drop_cookie(SIGN_IN_COOKIE))
    answer.headers.append("set-cookie", sessions.set_cookie(await services.write(begin)))
    return answer


def _end(rows: Rows, name: str, cookie: str, now_s: float) -> None:
    sessions.end_session(rows, cookie)
    audit.record(rows, name, "session.end", name, None, None, None, now_s)


def _take_sign_in(rows: Rows, state: str, browser: str, now_s: float) -> SignIn:
    """Return the sign-in that this browser began, and forget it: it serves once."""
    begun = rows.get(SignIn, token_sha256(state))
    fits = begun is not None and begun.browser_sha256 == token_sha256(browser)
    if begun is None or not fits or now_s - begun.begun_at_s >= SIGN_IN_S:
        raise Refused("refused-sign-in", "This browser has not begun this sign-in, or too long ago: begin again.")
    rows.drop(SignIn, begun.state_sha256)
    return begun


def _account(rows: Rows, identity: Identity, now_s: float) -> Account:
    """Return the account of who signed in, made at the first time, with the role that the provider's groups give."""
    if identity.role is None:
        raise Refused("refused-sign-in-role", "None of your groups may operate this fleet: ask an admin.")
    known = rows.find(Account, limit=1, subject=identity.subject)
    if not known:
        # Never an account of the same name that is there already: the provider does not vouch for that one.
        return create_account(rows, SERVER, identity.name, identity.role, now_s, subject=identity.subject)
    if known[0].disabled:
        raise Refused("refused-login", "Your account is disabled: ask an admin.")
    return set_role(rows, SERVER, known[0].name, identity.role, "groups at the identity provider", now_s)


def _provider(services: Services) -> IdentityProvider:
    if services.identity_provider is None:
        raise Refused("not-found-sign-in", "No identity provider is set: sign in with a password.")
    return services.identity_provider


def _headers(request: Request) -> dict[bytes, bytes]:
    return dict(request.headers.raw)


def address_of(services: Services, request: Request) -> str:
    """Return the network address a request came from."""
    connected = "" if request.client is None else request.client.host
    return client_address(connected, _headers(request), services.settings)


def _subject(services: Services, request: Request) -> str:
    return f"sign-in {attempts.of_address(address_of(services, request))}"
