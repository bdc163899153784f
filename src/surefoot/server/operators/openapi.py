"""The description of the operator plane: what the framework reads off the routes, and what only we know.

That is the problem documents each route may answer with, the two ways to prove who asks, and the permission it needs.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from surefoot.server.operators.gate import OPEN_PATHS, PREFIX
from surefoot.server.operators.permissions import Needs, Permission
from surefoot.server.problems import TITLES

SECURITY_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token, or for a start the one in operator.token in the server's data directory.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-surefoot-session",
        "description": "A session; every change also needs X-CSRF-Token, which GET /api/v1/session tells.",
    },
}
# What any change may meet: its sender, its body, the state of what it changes, or nobody to write it down.
_OF_CHANGES = (400, 404, 408, 409, 413, 422)
_OF_QUESTIONS = (400, 404)
# Where something can be guessed.
_LIMITED = ("/session", "/password")


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = document.setdefault("components", {})
        components["securitySchemes"] = SECURITY_SCHEMES
        for name in ("HTTPValidationError", "ValidationError"):
            components.get("schemas", {}).pop(name, None)
        problems = problem_components()
        components["schemas"] = {**components.get("schemas", {}), **problems["schemas"]}
        components["responses"] = problems["responses"]
        needed = {(path, method): permission for path, method, permission in permissions(app)}
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _complete(operation, path, method.upper(), needed.get((path, method.upper())))
        app.openapi_schema = document
    return app.openapi_schema


def problem_components() -> dict[str, Any]:
    """Return the components for answers that are problem documents, by status."""
    return {
        "schemas": {"Problem": _problem_schema()},
        "responses": {str(status): _problem(title) for status, title in TITLES.items()},
    }


def permissions(app: FastAPI) -> Iterator[tuple[str, str, Permission | None]]:
    """Yield path, method and needed permission of every route."""
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        if dependant is not None and route.path is not None:
            for method in sorted(route.methods or ()):
                yield route.path, method, _needed(dependant)


def allowed_methods(app: FastAPI, path: str) -> list[str]:
    """Return the methods that some route takes on this path; the framework would name those of the first alone."""
    fitting = (route for route in iter_route_contexts(app.routes) if route.path_regex.match(path))
    return sorted({method for route in fitting for method in route.methods or ()})


def _needed(dependant: Dependant) -> Permission | None:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Needs):
            return dependency.call.permission
        found = _needed(dependency)
        if found is not None:
            return found
    return None


def _complete(operation: dict[str, Any], path: str, method: str, permission: Permission | None) -> None:
    responses = operation["responses"]
    for status in [key for key in responses if key.startswith(("4", "5"))]:
        del responses[status]
    statuses = {503, *(_OF_QUESTIONS if method == "GET" else _OF_CHANGES)}
    if path.startswith(PREFIX) and path not in OPEN_PATHS:
        statuses |= {401, 403}
        operation["security"] = [{name: []} for name in SECURITY_SCHEMES]
    if any(part in path for part in _LIMITED):
        statuses |= {401, 403, 429}
    for status in sorted(statuses):
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    if permission is not None:
        operation["x-permission"] = permission.value


def _problem(title: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": title, "content": {"application/problem+json": {"schema": schema}}}


def _problem_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "RFC 9457 problem details; `type` ends in the stable `code`.",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string"},
        },
        "required": ["type", "title", "status", "detail", "code"],
    }
