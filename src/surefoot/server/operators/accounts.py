"""Accounts, for admins; and everybody's own password."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from surefoot.fleet import attempts
from surefoot.fleet.access import Account
from surefoot.fleet.accounts import (
    NAME_PATTERN,
    account_of,
    active_tokens,
    create_account,
    set_disabled,
    set_password,
    set_role,
)
from surefoot.fleet.ports import Rows
from surefoot.server.operators.account_models import (
    AccountIn,
    AccountOut,
    AccountsOut,
    NewPasswordOut,
    PasswordIn,
    RoleIn,
    WhyIn,
)
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.permissions import Actor, Permission, needs
from surefoot.server.operators.sign_in import limit_of_account
from surefoot.server.services import Services
from surefoot.wire.errors import Refused

Admin = Annotated[Actor, needs(Permission.ADMIN)]
Anyone = Annotated[Actor, needs(Permission.READ)]
Name = Annotated[str, Path(pattern=NAME_PATTERN)]

router = APIRouter(prefix="/accounts", tags=["accounts"])


@router.get("", dependencies=[needs(Permission.ADMIN)])
async def get_accounts(
    services: ServicesDependency,
    after: Annotated[str | None, Query(pattern=NAME_PATTERN)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AccountsOut:
    """List the accounts, oldest first, a page at a time."""
    found = await services.read(lambda rows: rows.find(Account, limit=limit, after=after))
    next_after = found[-1].name if len(found) == limit else None
    return AccountsOut(accounts=[AccountOut.of(account) for account in found], next_after=next_after)


@router.post("", status_code=201)
async def post_account(services: ServicesDependency, actor: Admin, body: AccountIn) -> AccountOut:
    """Make an account, with a password for a person or without one for a machine."""
    phc = None if body.password is None else await services.passwords.phc_of(body.password.get_secret_value())
    return AccountOut.of(
        await services.write(
            lambda rows: create_account(rows, actor.name, body.name, body.role, services.now_s(), password_phc=phc)
        )
    )


@router.get("/{name}", dependencies=[needs(Permission.ADMIN)])
async def get_account(services: ServicesDependency, name: Name) -> AccountOut:
    """Show an account."""
    return AccountOut.of(await services.read(lambda rows: account_of(rows, name)))


@router.post("/{name}/role")
async def post_account_role(services: ServicesDependency, actor: Admin, name: Name, body: RoleIn) -> AccountOut:
    """Give an account another role, at once for its sessions and tokens too."""
    return AccountOut.of(
        await services.write(lambda rows: set_role(rows, actor.name, name, body.role, body.reason, services.now_s()))
    )


@router.post("/{name}/disable")
async def disable_account(services: ServicesDependency, actor: Admin, name: Name, body: WhyIn) -> AccountOut:
    """Shut an account out, with its sessions and tokens."""
    return AccountOut.of(
        await services.write(lambda rows: set_disabled(rows, actor.name, name, True, body.reason, services.now_s()))
    )


@router.post("/{name}/enable")
async def enable_account(services: ServicesDependency, actor: Admin, name: Name, body: WhyIn) -> AccountOut:
    """Let an account in again; its tokens work again, its sessions have ended."""
    return AccountOut.of(
        await services.write(lambda rows: set_disabled(rows, actor.name, name, False, body.reason, services.now_s()))
    )


@router.post("/{name}/password")
async def post_account_password(
    services: ServicesDependency, actor: Anyone, name: Name, body: PasswordIn
) -> NewPasswordOut:
    """Change a password, your own or as an admin anyone's; all sessions of the account end, its tokens if you ask."""
    if Permission.ADMIN not in actor.permissions:
        if actor.name != name:
            raise Refused("refused-permission", "Only an admin changes another account's password: ask one.")
        await _check_current(services, name, body)
    phc = await services.passwords.phc_of(body.password.get_secret_value())
    now_s = services.now_s()

    def work(rows: Rows) -> NewPasswordOut:
        account = set_password(rows, actor.name, name, phc, now_s, revoke_tokens=body.revoke_tokens)
        return NewPasswordOut.of_new(account, len(active_tokens(rows, name, now_s)))

    return await services.write(work)


async def _check_current(services: Services, name: str, body: PasswordIn) -> None:
    """Refuse who found a session or token of the account but does not know its password."""
    subject = attempts.of_account(name)
    limit = limit_of_account(services.settings)
    await services.write(lambda rows: attempts.take(rows, subject, limit, services.now_s()))
    account = await services.read(lambda rows: account_of(rows, name))
    current = "" if body.current_password is None else body.current_password.get_secret_value()
    if not await services.passwords.matches(account.password_phc, current):
        raise Refused("refused-login", "The current password is not the account's: send it as current_password.")
    await services.write(lambda rows: attempts.forget(rows, subject))
