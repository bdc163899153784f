"""Sessions of browsers: a random cookie, known to the server by its SHA-256, and what keeps other sites off it."""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import urlsplit

from surefoot.fleet import audit
from surefoot.fleet.access import Account, Session
from surefoot.fleet.accounts import permissions_of
from surefoot.fleet.ports import Rows
from surefoot.server.operators.permissions import Actor, How
from surefoot.server.settings import ServerSettings
from surefoot.server.tokens import Known, new_token, token_sha256
from surefoot.wire.errors import Refused

# Browsers take the prefix only with Secure, Path=/ and no Domain: neither another host nor plain HTTP can set it.
COOKIE = "__Host-surefoot-session"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# A use is written down when the last one written down is older than this.
USED_EVERY_S = 60.0
# Who begins more than this many at once loses the oldest.
SESSIONS_MAX = 20


def start_session(rows: Rows, account: Account, way: str, now_s: float) -> str:
    """Begin a session in a transaction and return its cookie, which is not kept."""
    for old in rows.find(Session, newest_first=True, account=account.name)[SESSIONS_MAX - 1 :]:
        rows.drop(Session, old.cookie_sha256)
    cookie = new_token()
    rows.put(Session(cookie_sha256=token_sha256(cookie), account=account.name, started_at_s=now_s, used_at_s=now_s))
    audit.record(rows, account.name, "session.start", account.name, None, {"by": way}, None, now_s)
    return cookie


def session_holder(rows: Rows, cookie: str, settings: ServerSettings, now_s: float) -> Known:
    """Return who has a session; `Refused` (`refused-session`) when it has ended."""
    session = rows.get(Session, token_sha256(cookie))
    account = None if session is None else rows.get(Account, session.account)
    if session is None or account is None or account.disabled or _has_ended(session, settings, now_s):
        raise Refused("refused-session", "Your session has ended: sign in again.")
    actor = Actor(name=account.name, role=account.role, how=How.SESSION, permissions=permissions_of(account))
    return Known(actor=actor, note_use=now_s - session.used_at_s >= USED_EVERY_S)


def end_session(rows: Rows, cookie: str) -> None:
    """End a session."""
    rows.drop(Session, token_sha256(cookie))


def csrf_token(cookie: str) -> str:
    """Return what a page must send with every change: it follows from the cookie, which other sites cannot read."""
    return sha256(b"csrf:" + cookie.encode()).hexdigest()


def check_csrf(cookie: str, headers: Mapping[bytes, bytes], public_url: str) -> None:
    """Refuse a change that another site's page may have asked for; `Refused` (`refused-csrf`)."""
    sent = headers.get(CSRF_HEADER.encode(), b"").decode("latin-1")
    if not hmac.compare_digest(sent.encode(), csrf_token(cookie).encode()):
        detail = "The change lacks the session's X-CSRF-Token: take it from GET /api/v1/session."
        raise Refused("refused-csrf", detail)
    check_origin(headers, public_url, required=True)


def check_origin(headers: Mapping[bytes, bytes], public_url: str, *, required: bool) -> None:
    """Refuse what another site's page sent; `Refused` (`refused-csrf`)."""
    origin = headers.get(b"origin")
    if origin is None and not required:
        return
    host = headers.get(b"host", b"").decode("latin-1")
    public = urlsplit(public_url)
    if (origin or b"").decode("latin-1") not in {f"https://{host}", f"{public.scheme}://{public.netloc}"}:
        raise Refused("refused-csrf", "Another site's page asked for this change: do it on the server's own page.")


def cookie_of(headers: Mapping[bytes, bytes], name: str = COOKIE) -> str | None:
    """Return a cookie that a request carries, or None."""
    for part in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        found, _, value = part.strip().partition("=")
        if found == name and value:
            return value
    return None


def set_cookie(value: str, name: str = COOKIE, *, max_age_s: int | None = None) -> str:
    """Return the Set-Cookie header that keeps a secret until the browser closes or `max_age_s` have passed."""
    until = "" if max_age_s is None else f"; Max-Age={max_age_s}"
    return f"{name}={value}; Path=/; HttpOnly; Secure; SameSite=Lax{until}"


def drop_cookie(name: str = COOKIE) -> str:
    """Return the Set-Cookie header that takes a cookie away."""
    return set_cookie("", name, max_age_s=0)


def _has_ended(session: Session, settings: ServerSettings, now_s: float) -> bool:
    idle_s, age_s = now_s - session.used_at_s, now_s - session.started_at_s
    return idle_s >= settings.session_idle_s or age_s >= settings.session_s
