"""The page of both HTTP planes: the operators' from its OpenAPI description, the robots' from its routes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from scripts.docs_markdown import code, page, table

from surefoot.server import problems
from surefoot.server.devices.openapi import device_description
from surefoot.server.operators.api import make_operator_app
from surefoot.server.services import Services
from surefoot.wire import limits

_NO_SERVICES = cast(Services, SimpleNamespace(settings=SimpleNamespace(data_dir=Path())))


def http() -> str:
    """Return the page."""
    api = make_operator_app(_NO_SERVICES).openapi()
    robots = device_description()
    schemas: dict[str, Any] = api["components"]["schemas"]
    own = sorted(name for name in schemas if not name.endswith("ValidationError"))
    return page(
        "HTTP",
        "HTTPS only, TLS 1.2 or newer. Two planes: robots speak to `/v1/…`, operators to `/api/v1/…`. Both prove who "
        "they are with `Authorization: Bearer TOKEN`; a robot's token opens nothing of the operators', and the other "
        "way round. Every error is RFC 9457 `application/problem+json` with its stable [code](codes.md).",
        "## Device plane",
        f"The OpenAPI {robots['openapi']} description is served at `/api/v1/device-openapi.json`.",
        table(("method", "path", "what it does", "takes", "gives"), _routes(robots)),
        f"A report has at most {limits.REPORT_BYTES_MAX} bytes. Its fields, and those of the answer, are in "
        "[Formats on the wire](wire.md).",
        "## Operator plane",
        f"{api['info']['description']} The first token is in `operator.token` in the server's data "
        f"directory. The OpenAPI {api['openapi']} description is served at `/api/v1/openapi.json`, and for people at "
        "`/api/v1/docs`.",
        table(("method", "path", "what it does", "takes", "gives"), _routes(api)),
        "## Objects of the operator plane",
        *(block for name in own for block in _schema(name, schemas[name])),
        "## Status of a refusal",
        "First match wins: by code, by how the code begins or ends, by who must act.",
        table(("code", "status"), _statuses()),
    )


def _routes(api: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for path, methods in api["paths"].items():
        for method, route in methods.items():
            body = route.get("requestBody", {}).get("content", {})
            query = [code(f"?{entry['name']}") for entry in route.get("parameters", []) if entry["in"] == "query"]
            takes = ", ".join([*query, *map(_content, body.items())])
            rows.append((method.upper(), code(path), route["description"], takes, _gives(route["responses"])))
    return rows


def _gives(responses: dict[str, Any]) -> str:
    good = [(status, answer) for status, answer in responses.items() if status.startswith(("2", "3"))]
    contents = [(status, list(answer.get("content", {}).items())) for status, answer in good]
    return "; ".join(", ".join(map(_content, content)) or status for status, content in contents)


def _content(content: tuple[str, dict[str, Any]]) -> str:
    media_type, described = content
    return _type(described["schema"]) if "schema" in described else code(media_type)


def _schema(name: str, schema: dict[str, Any]) -> list[str]:
    description = " ".join(schema.get("description", "").split())
    blocks = [f"### {name}", description]
    if "enum" in schema:
        return [block for block in [*blocks, ", ".join(map(code, schema["enum"]))] if block]
    required = schema.get("required", [])
    rows = [
        (code(field), _type(of), "" if field in required else "optional")
        for field, of in schema.get("properties", {}).items()
    ]
    return [*blocks, table(("field", "type", ""), rows)]


def _type(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": reference}:
            name = str(reference).rsplit("/", 1)[-1]
            return f"[{name}](#{name.lower()})"
        case {"anyOf": several}:
            return " or ".join(map(_type, several))
        case {"type": "array", "items": items}:
            return f"array of {_type(items)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"object of {_type(values)}"
        case {"const": value} | {"default": value, "enum": [_]}:
            return code(value)
        case _:
            return str(schema.get("type", "any"))


def _statuses() -> list[tuple[str, int]]:
    return [
        *((code(name), status) for name, status in problems.STATUS_BY_CODE.items()),
        *((code(f"{prefix}…"), status) for prefix, status in problems.STATUS_BY_PREFIX.items()),
        *((code(f"…{suffix}"), status) for suffix, status in problems.STATUS_BY_SUFFIX.items()),
        *((f"any other {kind.__name__}", status) for kind, status in problems.STATUS_BY_CLASS.items()),
    ]
