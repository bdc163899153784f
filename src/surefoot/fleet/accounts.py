"""Accounts and their tokens: made, changed and taken away, each change with its audit entry."""

import re
from dataclasses import replace

from surefoot.fleet import audit
from surefoot.fleet.access import PERMISSIONS_OF, Account, ApiToken, Permission, Role, Session
from surefoot.fleet.ports import Rows
from surefoot.wire.errors import Refused

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$"
DAY_S = 86400.0
# Acts for who holds the server's data directory; it is no account.
BOOTSTRAP = "operator.token"
# Who did what the server does by itself.
SERVER = "surefoot"


def account_of(rows: Rows, name: str) -> Account:
    """Return the account; `Refused` (`not-found-account`)."""
    account = rows.get(Account, name)
    if account is None:
        raise Refused("not-found-account", "There is no such account: list them with `surefoot account list`.")
    return account


def create_account(
    rows: Rows,
    actor: str,
    name: str,
    role: Role,
    now_s: float,
    *,
    password_phc: str | None = None,
    subject: str | None = None,
) -> Account:
    """Make an account.

    Raises:
        Refused: `refused-account-name`, `refused-account-exists`.
    """
    if not re.fullmatch(NAME_PATTERN, name) or name in {BOOTSTRAP, SERVER}:
        detail = "An account's name is 1 to 128 of A-Z a-z 0-9 . _ @ + -, and not one the server uses: choose another."
        raise Refused("refused-account-name", detail)
    if rows.get(Account, name) is not None:
        raise Refused("refused-account-exists", f"There is an account {name} already: choose another name.")
    account = Account(
        name=name, role=role, password_phc=password_phc, subject=subject, disabled=False, created_at_s=now_s
    )
    rows.put(account)
    audit.record(rows, actor, "account.create", name, None, account, None, now_s)
    return account


def set_role(rows: Rows, actor: str, name: str, role: Role, reason: str | None, now_s: float) -> Account:
    """Give an account another role, at once for its sessions and tokens too; `Refused` (`not-found-account`)."""
    account = account_of(rows, name)
    return _change(rows, actor, "account.set-role", account, replace(account, role=role), reason, now_s)


def set_disabled(rows: Rows, actor: str, name: str, disabled: bool, reason: str | None, now_s: float) -> Account:
    """Shut an account out, with its sessions and tokens, or let it in again; `Refused` (`not-found-account`)."""
    account = account_of(rows, name)
    if disabled:
        end_sessions(rows, name)
    action = "account.disable" if disabled else "account.enable"
    return _change(rows, actor, action, account, replace(account, disabled=disabled), reason, now_s)


def set_password(
    rows: Rows, actor: str, name: str, password_phc: str, now_s: float, *, revoke_tokens: bool = False
) -> Account:
    """Give an account another password and end its sessions, and its tokens too if that is asked for.

    A token proves itself without the password, and machines may depend on it: it ends only when somebody says so.

    Raises:
        Refused: `not-found-account`; `refused-account-state` when the identity provider vouches for it.
    """
    account = account_of(rows, name)
    if account.subject is not None:
        detail = f"{name} signs in at the identity provider: change the password there."
        raise Refused("refused-account-state", detail)
    end_sessions(rows, name)
    changed = replace(account, password_phc=password_phc)
    rows.put(changed)
    audit.record(rows, actor, "account.set-password", name, None, None, None, now_s)
    if revoke_tokens:
        for token in active_tokens(rows, name, now_s):
            revoke_token(rows, actor, token, now_s)
    return changed


def end_sessions(rows: Rows, name: str) -> None:
    """Sign an account out everywhere."""
    for session in rows.find(Session, account=name):
        rows.drop(Session, session.cookie_sha256)


def create_token(rows: Rows, actor: str, token: ApiToken) -> ApiToken:
    """Keep a new token of an account.

    Raises:
        Refused: `not-found-account`, `refused-account-state` when it is disabled, `refused-scopes` when the account's
            role does not bring one of the scopes.
    """
    account = account_of(rows, token.account)
    if account.disabled:
        raise Refused("refused-account-state", f"{account.name} is disabled: enable the account first.")
    if beyond := set(token.scopes) - PERMISSIONS_OF[account.role]:
        words = ", ".join(sorted(beyond))
        raise Refused("refused-scopes", f"The role {account.role} does not bring {words}: leave that scope out.")
    rows.put(token)
    audit.record(rows, actor, "token.create", token.token_id, None, shown(token), None, token.created_at_s)
    return token


def active_tokens(rows: Rows, name: str, now_s: float) -> list[ApiToken]:
    """Return the tokens of an account that have neither expired nor been revoked."""
    return [
        token
        for token in rows.find(ApiToken, account=name)
        if token.revoked_at_s is None and token.expires_at_s > now_s
    ]


def token_of(rows: Rows, token_id: str) -> ApiToken:
    """Return the token with this id; `Refused` (`not-found-token`)."""
    found = rows.find(ApiToken, token_id=token_id, limit=1)
    if not found:
        raise Refused("not-found-token", "There is no such token: list them with `surefoot token list`.")
    return found[0]


def revoke_token(rows: Rows, actor: str, token: ApiToken, now_s: float) -> ApiToken:
    """End a token for good; again changes nothing."""
    if token.revoked_at_s is not None:
        return token
    revoked = replace(token, revoked_at_s=now_s)
    rows.put(revoked)
    audit.record(rows, actor, "token.revoke", token.token_id, shown(token), shown(revoked), None, now_s)
    return revoked


def shown(token: ApiToken) -> dict[str, object]:
    """Return what the audit log tells of a token."""
    names = ("account", "label", "scopes", "expires_at_s", "revoked_at_s")
    return {name: getattr(token, name) for name in names}


def permissions_of(account: Account, token: ApiToken | None = None) -> frozenset[Permission]:
    """Return what an account may do, or less through a token of narrower scopes."""
    of_role = PERMISSIONS_OF[account.role]
    return of_role if token is None else of_role & frozenset(token.scopes)


def _change(
    rows: Rows, actor: str, action: str, before: Account, after: Account, reason: str | None, now_s: float
) -> Account:
    if after != before:
        rows.put(after)
        audit.record(rows, actor, action, before.name, before, after, reason, now_s)
    return after
