"""Signing in and out on a page."""

from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from surefoot.fleet.access import Account
from surefoot.server.operators import sessions
from surefoot.server.operators.sign_in import sign_in
from surefoot.server.operators.sign_in_api import address_of, delete_session
from surefoot.server.pages.dependencies import FormDependency, Reader, ServicesDependency
from surefoot.server.pages.errors import status_for
from surefoot.server.pages.rendering import render
from surefoot.server.services import Services
from surefoot.wire.errors import Interrupted, Refused, SurefootError

HOME = "/"
CHARS_MAX = 1024

router = APIRouter()


@router.get("/sign-in")
async def get_sign_in(request: Request, services: ServicesDependency, next: str = HOME) -> Response:  # noqa: A002
    """Ask who it is."""
    return await _page(request, services, after_sign_in(next), "", None)


@router.post("/sign-in")
async def post_sign_in(request: Request, services: ServicesDependency, form: FormDependency) -> Response:
    """Begin a session and go where the person wanted to go."""
    target, name = after_sign_in(form.get("next", HOME)), form.get("account", "").strip()
    password = form.get("password", "")
    try:
        if len(name) > CHARS_MAX or len(password) > CHARS_MAX:
            raise Refused("refused-login", "Account and password do not belong together: try again.")
        _, cookie = await sign_in(services, name, password, address_of(services, request))
    except (Refused, Interrupted) as error:
        return await _page(request, services, target, name, error)
    answer = RedirectResponse(target, status_code=303)
    answer.headers.append("set-cookie", sessions.set_cookie(cookie))
    return answer


@router.post("/sign-out")
async def post_sign_out(request: Request, services: ServicesDependency, actor: Reader) -> Response:
    """End the session."""
    ended = await delete_session(services, request, actor)
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.headers.append("set-cookie", ended.headers["set-cookie"])
    return answer


def after_sign_in(wanted: str) -> str:
    """Return a path of this server to go on to, whatever address somebody put into a link."""
    parts = urlsplit(wanted)
    is_ours = wanted.startswith("/") and not parts.scheme and not parts.netloc and "\\" not in wanted
    printable = wanted.isascii() and wanted.isprintable()
    return wanted if is_ours and printable and not wanted.startswith("//") and len(wanted) <= CHARS_MAX else HOME


async def _page(request: Request, services: Services, target: str, name: str, error: SurefootError | None) -> Response:
    known = await services.read(lambda rows: rows.find(Account, limit=1))
    return render(
        request,
        "sign_in.html",
        title="Sign in",
        http_status=status_for(error),
        error=error,
        next=target,
        account=name[:128],
        has_provider=services.identity_provider is not None,
        has_accounts=bool(known),
    )
