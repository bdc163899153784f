"""Accounts: who may operate the fleet, for admins; and what everybody sees of themselves."""

from collections.abc import Mapping
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from surefoot.fleet.access import PERMISSIONS_OF, Account, Role
from surefoot.fleet.accounts import NAME_PATTERN, account_of
from surefoot.server.operators import accounts as api
from surefoot.server.operators.account_models import AccountIn, PasswordIn, RoleIn, WhyIn
from surefoot.server.pages.dependencies import Admin, FormDependency, Reader, ServicesDependency
from surefoot.server.pages.errors import status_for
from surefoot.server.pages.rendering import render
from surefoot.server.problems import unknown_path
from surefoot.server.services import Services
from surefoot.wire.errors import Refused, SurefootError

LISTED = 100
DONE = {
    "made": "The account is made.",
    "role": "The role is changed, at once for its sessions and tokens too.",
    "disable": "The account is disabled, and signed out everywhere.",
    "enable": "The account is enabled.",
    "password": "The password is changed, and all sessions of the account have ended.",
}
M = TypeVar("M", bound=BaseModel)
After = Annotated[str | None, Query(pattern=NAME_PATTERN)]

router = APIRouter()


@router.get("/accounts")
async def get_accounts(
    request: Request, actor: Reader, services: ServicesDependency, after: After = None, done: str | None = None
) -> Response:
    """List the accounts, for an admin; everybody else is shown their own."""
    if actor.role is not Role.ADMIN:
        return RedirectResponse("/me", status_code=303)
    return await _list(request, services, after, DONE.get(done or ""), None, {})


@router.post("/accounts")
async def post_account(request: Request, actor: Admin, services: ServicesDependency, form: FormDependency) -> Response:
    """Make an account."""
    try:
        made = of_form(
            AccountIn, name=form.get("name", ""), role=form.get("role"), password=form.get("password") or None
        )
        await api.post_account(services, actor, made)
    except Refused as error:
        return await _list(request, services, None, None, error, form)
    return RedirectResponse("/accounts?done=made", status_code=303)


@router.get("/accounts/{name}")
async def get_account(
    request: Request, actor: Admin, services: ServicesDependency, name: str, done: str | None = None
) -> Response:
    """Show an account and what can be changed about it."""
    return await _one(request, services, name, DONE.get(done or ""), None)


@router.post("/accounts/{name}/{change}")
async def post_change(
    request: Request, actor: Admin, services: ServicesDependency, name: str, change: str, form: FormDependency
) -> Response:
    """Change an account."""
    reason = form.get("reason", "").strip() or None
    try:
        match change:
            case "role":
                await api.post_account_role(
                    services, actor, name, of_form(RoleIn, role=form.get("role"), reason=reason)
                )
            case "disable":
                await api.disable_account(services, actor, name, of_form(WhyIn, reason=reason))
            case "enable":
                await api.enable_account(services, actor, name, of_form(WhyIn, reason=reason))
            case "password":
                said = of_form(PasswordIn, password=form.get("password", ""))
                await api.post_account_password(services, actor, name, said)
            case _:
                raise unknown_path()
    except Refused as error:
        if error.code.startswith("not-found-"):
            raise
        return await _one(request, services, name, None, error)
    return RedirectResponse(f"/accounts/{name}?done={change}", status_code=303)


def of_form(model: type[M], **values: object) -> M:
    """Return what a form says; `Refused` (`refused-request-format`) naming the field, never its value."""
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Refused("refused-request-format", f"The field {field} is wrong: {first['msg']}.") from None


async def _list(
    request: Request,
    services: Services,
    after: str | None,
    done: str | None,
    error: SurefootError | None,
    said: Mapping[str, str],
) -> Response:
    found = await services.read(lambda rows: rows.find(Account, limit=LISTED, after=after))
    return render(
        request,
        "accounts.html",
        title="Accounts",
        http_status=status_for(error),
        found=found,
        roles=PERMISSIONS_OF,
        said=said,
        after=after,
        next=found[-1].name if len(found) == LISTED else None,
        done=done,
        error=error,
    )


async def _one(
    request: Request, services: Services, name: str, done: str | None, error: SurefootError | None
) -> Response:
    account = await services.read(lambda rows: account_of(rows, name))
    return render(
        request,
        "account.html",
        title=f"Account {account.name}",
        http_status=status_for(error),
        account=account,
        roles=PERMISSIONS_OF,
        done=done,
        error=error,
    )
