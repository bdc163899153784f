"""The description of the device plane, written by hand as its routes pass the framework by."""

from typing import Any

from surefoot.server.operators.openapi import problem_components
from surefoot.wire import limits

_NAME = {"type": "string", "minLength": 1, "maxLength": limits.NAME_CHARS_MAX}
_SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_JSON_OBJECT = {"application/json": {"schema": {"type": "object"}}}
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}}
_ETAG = {"ETag": {"schema": {"type": "string"}}}
_STEERING = {"Retry-After": {"description": "Seconds until the next check.", "schema": {"type": "integer"}}}
_CREDENTIALS: list[dict[str, list[str]]] = [{"token": []}, {"certificate": []}]
_NONE: list[dict[str, list[str]]] = []

# What each operation is for, by its id.
_DESCRIPTIONS = {
    "check": "Ask whether there is anything to install.",
    "check_with_report": "Report and ask in one round trip.",
    "report": "Report: facts in, order out.",
    "health": "Say how the robot was since the last time; a window that comes twice counts once.",
    "manifest": "The manifest of the sku's latest release, signed, the same for everyone.",
    "manifest_head": "Its size and ETag.",
    "metadata": "A document of the signed metadata, the same for everyone.",
    "metadata_head": "Its size and ETag.",
    "image": "The bytes of a published image; the ETag is the SHA-256 of the file.",
    "image_head": "Its size and ETag.",
    "target": "The same bytes under the name that the metadata gives them.",
    "target_head": "Its size and ETag.",
    "job_file": "The bytes of the slot that a job brings to a device made for AWS IoT; the address alone lets it in.",
    "job_file_head": "Their number and ETag.",
    "enrol": "Get a certificate for a one-time code, for the present certificate, or for the factory's.",
}

_UNKNOWN = (401, 503)
_OF_QUESTIONS = (400, *_UNKNOWN, 422)
_OF_REPORTS = (400, 401, 403, 408, 413, 422, 503)
_OF_DOWNLOADS = (401, 404, 410, 416, 429, 503)


def device_description() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of what robots call."""
    report = {"description": "A report of the robot.", "required": True, "content": _JSON_OBJECT}
    answers = {"200": _ok("What the server has taken, and its order.", _JSON_OBJECT)}
    window = {"description": "A health window of the robot.", "required": True, "content": _JSON_OBJECT}
    taken = {"204": _ok("The window is counted.")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Surefoot, device plane",
            "version": "1",
            "description": "What robots call. A robot proves itself by its token or certificate and speaks for itself.",
        },
        "paths": {
            "/v1/check": {
                "get": _operation("check", _CREDENTIALS, _check_answers(), _OF_QUESTIONS, _queries()),
                "post": _operation("check_with_report", _CREDENTIALS, answers, _OF_REPORTS, body=report),
            },
            "/v1/report": {"post": _operation("report", _CREDENTIALS, answers, _OF_REPORTS, body=report)},
            "/v1/health": {"post": _operation("health", _CREDENTIALS, taken, _OF_REPORTS, body=window)},
            "/v1/manifest/{sku}": _cached("manifest", [_in_path("sku", _NAME)]),
            "/v1/metadata/{name}": _cached("metadata", [_in_path("name", _NAME)]),
            "/v1/images/{sha256}": _download("image", [_in_path("sha256", _SHA256)]),
            "/v1/targets/{sku}/{name}": _download("target", [_in_path("sku", _NAME), _in_path("name", _NAME)]),
            "/v1/aws/files/{job_id}/{word}": _job_file(),
            "/v1/enrol": {"post": _enrolment()},
        },
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "The robot's token."},
                "certificate": {"type": "mutualTLS", "description": "A certificate of the fleet's CA."},
            },
            **problem_components(),
        },
    }


def _operation(
    name: str,
    security: list[dict[str, list[str]]],
    answers: dict[str, Any],
    problems: tuple[int, ...],
    parameters: list[dict[str, Any]] | None = None,
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    refusals = {str(status): {"$ref": f"#/components/responses/{status}"} for status in problems}
    operation: dict[str, Any] = {"operationId": name, "description": _DESCRIPTIONS[name], "security": security}
    return (
        operation
        | {"responses": {**answers, **refusals}}
        | ({"parameters": parameters} if parameters else {})
        | ({"requestBody": body} if body is not None else {})
    )


def _ok(description: str, content: dict[str, Any] | None = None, headers: dict[str, Any] | None = None) -> Any:
    return {
        "description": description,
        **({"content": content} if content else {}),
        **({"headers": headers} if headers else {}),
    }


def _in_path(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _queries() -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "required": True, "schema": _NAME} for name in ("sku", "version")]


def _check_answers() -> dict[str, Any]:
    return {
        "200": _ok("An offer.", _JSON_OBJECT, {**_STEERING, **_ETAG}),
        "204": _ok("Nothing to do.", headers=_STEERING),
        "304": _ok("The offer is the one whose ETag was sent.", headers=_STEERING),
    }


def _cached(name: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    """Describe a signed document that everyone may read and every cache may keep."""
    same = {"304": _ok("It is the one whose ETag was sent.", headers=_ETAG)}
    found = {"200": _ok("The signed document.", _JSON_OBJECT, _ETAG), **same}
    return {
        "get": _operation(name, _NONE, found, (404, 503), parameters),
        "head": _operation(
            f"{name}_head", _NONE, {"200": _ok("Its size.", headers=_ETAG), **same}, (404, 503), parameters
        ),
    }


def _download(name: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    """Describe an image's bytes: in ranges, resumed, and counted against the robot's downloads of the day."""
    ranges = [
        {"name": header, "in": "header", "required": False, "schema": {"type": "string"}}
        for header in ("Range", "If-Range")
    ]
    same = {"304": _ok("They are those whose ETag was sent.", headers=_ETAG)}
    found = {
        "200": _ok("All bytes.", _BYTES, _ETAG),
        "206": _ok("The range.", _BYTES, _ETAG),
        "307": _ok("They are elsewhere, at an address of this robot's own."),
        **same,
    }
    head = {"200": _ok("Their number.", headers=_ETAG), **same}
    return {
        "get": _operation(name, _CREDENTIALS, found, _OF_DOWNLOADS, [*parameters, *ranges]),
        "head": _operation(f"{name}_head", _CREDENTIALS, head, _OF_DOWNLOADS, parameters),
    }


def _job_file() -> dict[str, Any]:
    """Describe a job's file: as an image, but never elsewhere, and for whoever has the address."""
    described = _download("job_file", [_in_path("job_id", _NAME), _in_path("word", _NAME)])
    del described["get"]["responses"]["307"]
    for operation in described.values():
        operation["security"] = _NONE
        del operation["responses"]["401"], operation["responses"]["410"]
    return described


def _enrolment() -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            "csr": {"type": "string", "description": "PKCS#10 in PEM; its common name is the robot id."},
            "code": {"type": "string", "description": "One-time code; not needed where a certificate speaks."},
        },
        "required": ["csr"],
    }
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    answers = {"200": _ok("The certificate and its chain.", _JSON_OBJECT)}
    problems = (400, 401, 403, 404, 408, 413, 422, 503)
    return _operation("enrol", _NONE, answers, problems, body=body)
