"""What operators call: the framework application with its OpenAPI description, and errors as problem documents."""

from functools import partial
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from surefoot.server import health
from surefoot.server.asgi import to_starlette
from surefoot.server.operators import accounts as operator_accounts
from surefoot.server.operators import audit as operator_audit
from surefoot.server.operators import broker as operator_broker
from surefoot.server.operators import enrolment as enrolment_api
from surefoot.server.operators import incidents as operator_incidents
from surefoot.server.operators import keys as operator_keys
from surefoot.server.operators import metadata as metadata_api
from surefoot.server.operators import metrics as metrics_api
from surefoot.server.operators import openapi_page
from surefoot.server.operators import pins as operator_pins
from surefoot.server.operators import recall as operator_recall
from surefoot.server.operators import releases as operator_releases
from surefoot.server.operators import robots as operator_robots
from surefoot.server.operators import rollouts as operator_rollouts
from surefoot.server.operators import rotations as operator_rotations
from surefoot.server.operators import sign_in_api as operator_sessions
from surefoot.server.operators import tokens as operator_tokens
from surefoot.server.operators import webhooks as operator_webhooks
from surefoot.server.operators.openapi import allowed_methods, describe
from surefoot.server.operators.uploads import Uploads
from surefoot.server.problems import problem_of, problem_response, unknown_path, wrong_method
from surefoot.server.services import Services
from surefoot.wire.errors import Refused, SurefootError

PREFIX = "/api/v1"
DESCRIPTION = "Robots, keys, images, releases and rollouts of one fleet. Every error is RFC 9457 problem details."


def make_operator_app(services: Services) -> FastAPI:
    """Return the operator plane. Its pages of documentation are off: they would load scripts from the internet."""
    app = FastAPI(
        title="Surefoot",
        version="1",
        description=DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.services = services
    app.include_router(health.router)
    app.include_router(metrics_api.metrics_router)
    app.state.readiness = health.Readiness()
    app.state.uploads = Uploads(services.settings.data_dir)
    for router in (
        operator_robots.router,
        operator_pins.router,
        operator_broker.router,
        operator_keys.router,
        operator_rotations.router,
        enrolment_api.router,
        operator_releases.router,
        operator_rollouts.router,
        operator_recall.router,
        operator_incidents.router,
        operator_webhooks.router,
        metrics_api.router,
        metadata_api.router,
        operator_accounts.router,
        operator_tokens.router,
        operator_sessions.router,
        operator_audit.router,
        openapi_page.router,
    ):
        app.include_router(router, prefix=PREFIX)
    app.openapi = partial(describe, app)  # type: ignore[method-assign]
    app.add_exception_handler(SurefootError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_error)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def _on_error(request: Request, error: Exception) -> Response:
    return to_starlette(problem_of(error, f"{request.method} {request.url.path}"))


def _on_validation_error(_request: Request, error: Exception) -> Response:
    # Never the value: it may be the secret that was put into the wrong field.
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": "malformed"}
    where = ".".join(str(part) for part in first["loc"])
    refused = Refused("refused-request-format", f"The request is malformed at {where}: {first['msg']}.")
    return to_starlette(problem_response(refused))


def _on_http_error(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.NOT_FOUND:
        return to_starlette(problem_response(unknown_path()))
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return to_starlette(wrong_method(", ".join(allowed_methods(request.app, request.url.path))))
    return to_starlette(problem_response(Refused("refused-request-format", "The request cannot be read: correct it.")))
