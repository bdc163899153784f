"""The API's description as a page that a person reads: made here from the document, without any script."""

import json
from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from surefoot.server.devices.openapi import device_description

STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font:14px/1.4 ui-monospace,monospace}
details{border:1px solid #8886;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}
summary b{display:inline-block;min-width:4.5rem}
table{border-collapse:collapse;margin:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.2rem 1.2rem .2rem 0}
"""
_STYLE_SHA256 = b64encode(sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_SHA256}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter()


@router.get("/docs", include_in_schema=False)
async def get_docs(request: Request) -> HTMLResponse:
    """Show the description of the API as a page."""
    return HTMLResponse(page(request.app.openapi()), headers={"content-security-policy": POLICY})


@router.get("/device-openapi.json", include_in_schema=False)
async def get_device_description() -> dict[str, Any]:
    """Describe what robots call."""
    return device_description()


def page(document: dict[str, Any]) -> str:
    """Return the page for an OpenAPI document."""
    operations: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = operation.get("tags", ["other"])[0]
            operations.setdefault(tag, []).append(_operation(path, method, operation))
    schemas = document.get("components", {}).get("schemas", {})
    info = document["info"]
    title = escape(f"{info['title']} API {info['version']}")
    return "\n".join(
        [
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<style>{STYLE}</style></head><body><main><h1>{title}</h1>",
            f"<p>{escape(info.get('description', ''))}</p>",
            f'<p>OpenAPI {escape(document["openapi"])}: <a href="openapi.json">openapi.json</a>.</p>',
            '<p>What robots call: <a href="device-openapi.json">device-openapi.json</a>.</p>',
            *(f"<h2>{escape(tag)}</h2>{''.join(found)}" for tag, found in operations.items()),
            "<h2>Objects</h2>",
            *(_schema(name, schema) for name, schema in sorted(schemas.items())),
            "</main></body></html>",
        ]
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    needs = operation.get("x-permission")
    parameters = [
        (parameter["name"], f"{parameter['in']}, {_type(parameter.get('schema', {}))}")
        for parameter in operation.get("parameters", [])
    ]
    takes = [("body", _content(operation.get("requestBody", {})))] if "requestBody" in operation else []
    answers = [(status, _content(answer) or _last(answer)) for status, answer in operation["responses"].items()]
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code></summary>"
        f"<p>{escape(operation.get('description', ''))}</p>"
        + (f"<p>Needs the permission <code>{escape(needs)}</code>.</p>" if needs else "")
        + _table("Takes", [*parameters, *takes])
        + _table("Answers", answers)
        + "</details>"
    )


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", []))
    rows = [
        (field, _type(of) + ("" if field in required else ", optional"))
        for field, of in schema.get("properties", {}).items()
    ]
    body = _table("Fields", rows) if rows else f"<pre>{escape(json.dumps(schema.get('enum', {})))}</pre>"
    return (
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<p>{escape(schema.get('description', ''))}</p>{body}</details>"
    )


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    cells = "".join(f"<tr><td><code>{escape(name)}</code></td><td>{text}</td></tr>" for name, text in rows)
    return f"<table><tr><th>{title}</th><th></th></tr>{cells}</table>"


def _content(described: dict[str, Any]) -> str:
    kinds = described.get("content", {})
    return "; ".join(f"{escape(kind)} {_type(of.get('schema', {}))}".strip() for kind, of in kinds.items())


def _last(answer: dict[str, Any]) -> str:
    if "$ref" in answer:
        return '<a href="#Problem">Problem</a>'
    return escape(answer.get("description", ""))


def _type(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": reference}:
            name = escape(str(reference).rsplit("/", 1)[-1])
            return f'<a href="#{name}">{name}</a>'
        case {"anyOf": several}:
            return " or ".join(map(_type, several))
        case {"type": "array", "items": items}:
            return f"array of {_type(items)}"
        case _:
            return escape(str(schema.get("type", "")))
