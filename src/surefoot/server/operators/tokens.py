"""API tokens, for their owners and for admins."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from surefoot.fleet.access import PERMISSIONS_OF, ApiToken, Permission
from surefoot.fleet.accounts import DAY_S, account_of, create_token, revoke_token, token_of
from surefoot.fleet.ports import Rows
from surefoot.server.operators.account_models import NewTokenOut, TokenIn, TokenOut, TokensOut
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.permissions import Actor, How, needs
from surefoot.server.tokens import new_operator_token, token_sha256
from surefoot.wire.errors import Refused

Anyone = Annotated[Actor, needs(Permission.READ)]
TokenId = Annotated[str, Path(max_length=64)]

router = APIRouter(prefix="/tokens", tags=["tokens"])


@router.get("")
async def get_tokens(
    services: ServicesDependency,
    actor: Anyone,
    account: Annotated[str | None, Query(max_length=128)] = None,
    after: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> TokensOut:
    """List tokens, newest first, a page at a time: your own, or as an admin everyone's or one account's."""
    if Permission.ADMIN not in actor.permissions:
        if account not in {None, actor.name}:
            raise _not_yours()
        account = actor.name
    equals = {} if account is None else {"account": account}

    def work(rows: Rows) -> list[ApiToken]:
        behind = None if after is None else token_of(rows, after).token_sha256
        return rows.find(ApiToken, newest_first=True, limit=limit, after=behind, **equals)

    found = await services.read(work)
    next_after = found[-1].token_id if len(found) == limit else None
    return TokensOut(tokens=[TokenOut.of(token) for token in found], next_after=next_after)


@router.post("", status_code=201)
async def post_token(services: ServicesDependency, actor: Anyone, body: TokenIn, response: Response) -> NewTokenOut:
    """Make a token, shown this once. A token makes no tokens, unless an admin's: a stolen one must not live on."""
    account = body.account or actor.name
    is_admin = Permission.ADMIN in actor.permissions
    if not is_admin and (account != actor.name or actor.how is How.TOKEN):
        raise Refused("refused-permission", "Sign in to make a token for yourself, or ask an admin for one.")
    if body.days > services.settings.token_days_max:
        detail = f"A token is valid for at most {services.settings.token_days_max} days: ask for less."
        raise Refused("refused-token-lifetime", detail)
    secret, now_s = new_operator_token(), services.now_s()
    token = ApiToken(
        token_sha256=token_sha256(secret),
        token_id=services.new_id(),
        account=account,
        label=body.label,
        scopes=(),
        created_at_s=now_s,
        expires_at_s=now_s + body.days * DAY_S,
        revoked_at_s=None,
        used_at_s=None,
    )

    def work(rows: Rows) -> ApiToken:
        scopes = PERMISSIONS_OF[account_of(rows, account).role] if body.scopes is None else set(body.scopes)
        return create_token(rows, actor.name, replace(token, scopes=tuple(sorted(scopes))))

    kept = await services.write(work)
    response.headers["Cache-Control"] = "no-store"
    return NewTokenOut.of_new(kept, secret)


@router.delete("/{token_id}")
async def delete_token(services: ServicesDependency, actor: Anyone, token_id: TokenId) -> TokenOut:
    """Revoke a token for good: your own, or as an admin anyone's."""

    def work(rows: Rows) -> ApiToken:
        token = token_of(rows, token_id)
        if token.account != actor.name and Permission.ADMIN not in actor.permissions:
            raise _not_yours()
        return revoke_token(rows, actor.name, token, services.now_s())

    return TokenOut.of(await services.write(work))


def _not_yours() -> Refused:
    return Refused("refused-permission", "Only an admin sees or revokes another account's tokens: ask one.")
