"""Signing in with an account's password: limited in number, and telling nobody which accounts there are."""

import logging
from dataclasses import replace

from surefoot.fleet import attempts
from surefoot.fleet.access import Account
from surefoot.fleet.attempts import Limit
from surefoot.fleet.ports import Rows
from surefoot.server.operators.sessions import start_session
from surefoot.server.services import Services
from surefoot.server.settings import ServerSettings
from surefoot.wire.errors import Refused

log = logging.getLogger(__name__)


def limit_of_account(settings: ServerSettings) -> Limit:
    """Return how often an account may fail."""
    return Limit(count=settings.login_account_max, window_s=settings.login_window_s)


def limit_of_address(settings: ServerSettings) -> Limit:
    """Return how often an address may fail."""
    return Limit(count=settings.login_address_max, window_s=settings.login_window_s)


async def sign_in(services: Services, name: str, password: str, address: str) -> tuple[Account, str]:
    """Return the account and the cookie of its new session.

    Raises:
        Refused: `refused-login`, with the same words and after the same time whatever is wrong; `refused-attempts`.
        Interrupted: `interrupted-passwords`.
    """
    try:
        return await _signed_in(services, name, password, address)
    except Refused as refusal:
        # Whoever watches the log may shut the address out. The name is not told: people put passwords into that field.
        log.warning("sign-in-refused code=%s %s", refusal.code, attempts.of_address(address))
        raise


async def _signed_in(services: Services, name: str, password: str, address: str) -> tuple[Account, str]:
    of_account, of_address = attempts.of_account(name), attempts.of_address(address)
    settings, now_s = services.settings, services.now_s()

    def count(rows: Rows) -> Account | None:
        # Counted before it is known how it ends, so that a hundred guesses at once are a hundred.
        attempts.take(rows, of_address, limit_of_address(settings), now_s)
        attempts.take(rows, of_account, limit_of_account(settings), now_s)
        return rows.get(Account, name)

    found = await services.write(count)
    phc = None if found is None or found.disabled else found.password_phc
    if not await services.passwords.matches(phc, password):
        raise _refused()
    renewed = await services.passwords.phc_of(password) if services.passwords.outdated(phc or "") else None

    def begin(rows: Rows) -> tuple[Account, str]:
        account = rows.get(Account, name)
        # While the password was compared, the account may have been disabled or got another one.
        if account is None or account.disabled or account.password_phc != phc:
            raise _refused()
        if renewed is not None:
            rows.put(replace(account, password_phc=renewed))
        attempts.forget(rows, of_account)
        attempts.give_back(rows, of_address)
        return account, start_session(rows, account, "password", now_s)

    return await services.write(begin)


def _refused() -> Refused:
    return Refused("refused-login", "Account and password do not belong together: try again.")
