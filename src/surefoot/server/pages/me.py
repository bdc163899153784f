"""What everybody sees of themselves: what they may do, their password, and their tokens."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from surefoot.fleet.access import ApiToken
from surefoot.server.operators import accounts as accounts_api
from surefoot.server.operators import sessions
from surefoot.server.operators import tokens as api
from surefoot.server.operators.account_models import NewTokenOut, PasswordIn, TokenIn
from surefoot.server.operators.permissions import Actor
from surefoot.server.pages.accounts import of_form
from surefoot.server.pages.dependencies import FormDependency, Reader, ServicesDependency
from surefoot.server.pages.errors import status_for
from surefoot.server.pages.rendering import render
from surefoot.server.services import Services
from surefoot.wire.errors import Refused, SurefootError

LISTED = 100

router = APIRouter()


@router.get("/me")
async def get_me(request: Request, actor: Reader, services: ServicesDependency) -> Response:
    """Show who is signed in."""
    return await _page(request, services, actor)


@router.post("/me/password")
async def post_password(
    request: Request, actor: Reader, services: ServicesDependency, form: FormDependency
) -> Response:
    """Change one's own password; all sessions end, this one too."""
    try:
        said = of_form(PasswordIn, password=form.get("password", ""), current_password=form.get("current_password", ""))
        await accounts_api.post_account_password(services, actor, actor.name, said)
    except Refused as error:
        return await _page(request, services, actor, error=error)
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.headers.append("set-cookie", sessions.drop_cookie())
    return answer


@router.post("/me/tokens")
async def post_token(request: Request, actor: Reader, services: ServicesDependency, form: FormDependency) -> Response:
    """Make a token, shown this once."""
    try:
        scopes = [name.removeprefix("scope-") for name in form if name.startswith("scope-")]
        said = of_form(TokenIn, label=form.get("label", "").strip(), scopes=scopes or None, days=form.get("days", ""))
        made = await api.post_token(services, actor, said, Response())
    except Refused as error:
        return await _page(request, services, actor, error=error)
    return await _page(request, services, actor, made=made)


@router.post("/tokens/{token_id}/revoke")
async def post_revoke(request: Request, actor: Reader, services: ServicesDependency, token_id: str) -> Response:
    """Revoke a token for good."""
    await api.delete_token(services, actor, token_id)
    return RedirectResponse("/me", status_code=303)


async def _page(
    request: Request,
    services: Services,
    actor: Actor,
    *,
    made: NewTokenOut | None = None,
    error: SurefootError | None = None,
) -> Response:
    tokens = await services.read(lambda rows: rows.find(ApiToken, newest_first=True, limit=LISTED, account=actor.name))
    return render(
        request,
        "me.html",
        title=actor.name,
        http_status=status_for(error),
        tokens=tokens,
        made=made,
        days_max=services.settings.token_days_max,
        error=error,
    )
