"""Templates: what every page shares, and how times, sizes and statuses read."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from surefoot.server.operators.permissions import Actor, Permission
from surefoot.server.operators.sessions import csrf_token
from surefoot.server.pages import words
from surefoot.server.pages.assets import asset_url
from surefoot.server.pages.gate_part import metric_name

TEMPLATES = Path(__file__).parent / "templates"
SHORT_CHARS = 12


def render(request: Request, template: str, *, title: str, http_status: int = 200, **values: Any) -> HTMLResponse:
    """Return a whole page."""
    state = request.scope.get("state", {})
    actor, cookie = state.get("actor"), state.get("cookie")
    values |= {
        "title": title,
        "actor": actor,
        "may": may(actor),
        "actor_permissions": permissions_of(actor),
        "csrf_token": csrf_token(cookie) if cookie else "",
        "path": request.url.path,
        "now_s": _now_s(request),
    }
    return HTMLResponse(ENVIRONMENT.get_template(template).render(values), status_code=http_status)


def render_part(request: Request, template: str, **values: Any) -> str:
    """Return a part of a page, for what is renewed in place."""
    actor = request.scope["state"]["actor"]
    values |= {"may": may(actor), "actor_permissions": permissions_of(actor), "now_s": _now_s(request)}
    return ENVIRONMENT.get_template(template).render(values)


def warm_up() -> None:
    """Compile every template, so that nobody waits for it page by page; people sign in meanwhile."""
    for name in ENVIRONMENT.list_templates():
        ENVIRONMENT.get_template(name)


def may(actor: Actor | None) -> Mapping[str, bool]:
    """Return what the actor may do, by the permission's word, for what a page offers."""
    return {one.value: actor is not None and one in actor.permissions for one in Permission}


def permissions_of(actor: Actor | None) -> frozenset[Permission]:
    """Return the actor's permissions, none for nobody."""
    return frozenset() if actor is None else actor.permissions


def _now_s(request: Request) -> float:
    return float(request.app.state.services.now_s()) if "app" in request.scope else 0.0


def time_element(at_s: float | None) -> Markup:
    """Return a moment as an element that the page's script turns into the viewer's zone; UTC stays on hover."""
    if at_s is None:
        return Markup('<span class="none">never</span>')
    at = datetime.fromtimestamp(at_s, UTC)
    return Markup('<time datetime="{}" title="{} UTC">{} UTC</time>').format(
        at.strftime("%Y-%m-%dT%H:%M:%SZ"), at.strftime("%Y-%m-%d %H:%M:%S"), at.strftime("%Y-%m-%d %H:%M")
    )


def ago_element(at_s: float | None, now_s: float) -> Markup:
    """Return how long ago a moment was; the moment itself stays on hover."""
    if at_s is None:
        return Markup('<span class="none">never</span>')
    at = datetime.fromtimestamp(at_s, UTC)
    return Markup('<time datetime="{}" title="{} UTC" data-ago>{} ago</time>').format(
        at.strftime("%Y-%m-%dT%H:%M:%SZ"), at.strftime("%Y-%m-%d %H:%M:%S"), words.duration(max(0.0, now_s - at_s))
    )


def short(text: str | None) -> Markup:
    """Return the beginning of a digest or id, with the whole of it on hover."""
    if not text:
        return Markup('<span class="none">none</span>')
    if len(text) <= SHORT_CHARS + 1:
        return Markup("<code>{}</code>").format(text)
    return Markup('<code title="{}">{}…</code>').format(text, text[:SHORT_CHARS])


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "time": time_element,
        "short": short,
        "duration": words.duration,
        "percent": words.percent,
        "number": words.number,
        "size": words.size,
    }
    made.globals |= {
        "ago": ago_element,
        "asset": asset_url,
        "status_words": words.STATUS,
        "state_words": words.STATE,
        "key_words": words.KEY,
        "standing_words": words.STANDING,
        "refusal_words": words.refusal,
        "plural": words.plural,
        "metric_name": metric_name,
    }
    return made


ENVIRONMENT = _environment()
