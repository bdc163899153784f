"""The pages as one application: routes, and errors as pages say them. Nothing of it is in the API's description."""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from surefoot.server.pages import (
    accounts,
    assets,
    audit,
    fleet,
    incidents,
    keys,
    me,
    new_rollout,
    releases,
    robot,
    robot_install,
    robots,
    rollout,
    rollout_changes,
    search,
    sign_in,
)
from surefoot.server.pages.errors import error_response
from surefoot.server.pages.live import LOOK_S, Looks
from surefoot.server.pages.snapshots import Snapshots
from surefoot.server.problems import unknown_path
from surefoot.server.services import Services
from surefoot.wire.errors import Refused, SurefootError

# Of two routes that fit, the first answers: whole words stand before ids.
PAGES = (
    assets,
    sign_in,
    fleet,
    new_rollout,
    rollout,
    rollout_changes,
    robots,
    robot,
    robot_install,
    incidents,
    releases,
    keys,
    audit,
    accounts,
    me,
    search,
)


def make_pages_app(services: Services) -> FastAPI:
    """Return the pages; `PagesGate` stands before them."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.services = services
    app.state.snapshots = Snapshots(services)
    # Where the engine looks more often than that, somebody wants to see it at once.
    app.state.looks = Looks(min(LOOK_S, services.settings.tick_s))
    for page in PAGES:
        app.include_router(page.router, default_response_class=HTMLResponse)
    app.add_exception_handler(SurefootError, error_response)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, error_response)
    return app


def _on_validation_error(request: Request, error: Exception) -> Response:
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": "malformed"}
    where = ".".join(str(part) for part in first["loc"])
    return error_response(
        request, Refused("refused-request-format", f"The address is wrong at {where}: {first['msg']}.")
    )


def _on_http_error(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405:
        return error_response(
            request, Refused("refused-method", "This address does not take that: go back and reload.")
        )
    return error_response(request, unknown_path())
