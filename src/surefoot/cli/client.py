"""The operator API, as the commands call it.

Where the server is and how to prove who asks comes from options, the environment, or the server's data directory, in
that order; on the server's own machine the directory is enough.
"""

import json
import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from surefoot.shell.files import read_file
from surefoot.wire.errors import Interrupted, Refused

SERVER_FILE = "server.json"
TOKEN_FILE = "operator.token"  # noqa: S105  # the name of a file
CA_FILE = "tls/ca.pem"

_TIMEOUT_S = 60.0
_PAGE_ROWS = 500
# What RFC 6750 lets a bearer token be made of.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class OperatorClient:
    """One operator's connection to one server; every answer that is no success raises."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def get(self, path: str, **query: str | int) -> Any:
        """Return the answer to a question; raise `Refused` or `Interrupted` with the server's code."""
        return self._ask("GET", path, params=query)

    def get_all(self, path: str, key: str, **query: str | int) -> list[Any]:
        """Return the rows of every page of a list, from the arrays named `key`."""
        rows: list[Any] = []
        cursor: str | None = None
        while True:
            after: dict[str, str] = {} if cursor is None else {"after": cursor}
            page = self.get(path, limit=_PAGE_ROWS, **query, **after)
            rows += page[key]
            cursor = page["next_after"]
            if cursor is None:
                return rows

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Ask for a change and return what came of it; raise `Refused` or `Interrupted` with the server's code."""
        return self._ask("POST", path, json=body)

    def delete(self, path: str) -> Any:
        """Take something away and return what is left; raise `Refused` or `Interrupted` with the server's code."""
        return self._ask("DELETE", path)

    def put_bytes(self, path: str, data: bytes) -> Any:
        """Upload a file; raise `Refused` or `Interrupted` with the server's code."""
        return self._ask("PUT", path, content=data, headers={"Content-Type": "application/octet-stream"})

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        try:
            response = self._http.request(method, path, **request)
        except httpx.TransportError as error:
            raise _transport_error(self._http.base_url, error) from error
        if not response.is_success:
            raise _problem(response)
        try:
            return response.json() if response.content else None
        except ValueError:
            raise _unclear(response) from None


def url_part(text: str) -> str:
    """Return a name that a person typed as one segment of a path."""
    return quote(text, safe="")


@contextmanager
def connect(*, server: str | None, token_file: Path | None, ca: Path | None, data: Path) -> Iterator[OperatorClient]:
    """Open a client for the server that options, environment and data directory name.

    Raises:
        Interrupted: `server-unreachable` when no server was ever started there.
        Refused: `refused-server-url`, `refused-token-missing`, `refused-file-unreadable`, `refused-certificate-file`.
    """
    url = _parse_url(server or _running_server(data))
    token = _token(token_file, data)
    with _http(url, ca, data) as http:
        http.headers["Authorization"] = f"Bearer {token}"
        yield OperatorClient(http)


@contextmanager
def connect_with_password(
    account: str, password: str, *, server: str | None, ca: Path | None, data: Path
) -> Iterator[OperatorClient]:
    """Open a client that has signed in with a password, and sign out in the end; raise as `connect`."""
    url = _parse_url(server or _running_server(data))
    with _http(url, ca, data) as http:
        operator = OperatorClient(http)
        session = operator.post("/api/v1/session/password", {"account": account, "password": password})
        http.headers["X-CSRF-Token"] = session["csrf_token"]
        http.headers["Origin"] = str(url.copy_with(raw_path=b"/")).rstrip("/")
        try:
            yield operator
        finally:
            operator.delete("/api/v1/session")


def _http(url: httpx.URL, ca: Path | None, data: Path) -> httpx.Client:
    return httpx.Client(
        base_url=url,
        headers={"Accept": "application/json"},
        verify=_trust(ca, data),
        timeout=_TIMEOUT_S,
        # A proxy cannot reach this machine's own loopback.
        trust_env=url.host not in _LOOPBACK,
    )


def _parse_url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    # Anything but HTTPS would carry the token unprotected.
    if url.scheme != "https" or not url.host:
        raise Refused("refused-server-url", f"{text} is no address of a server: write https://HOST:PORT.")
    return url


def _running_server(data: Path) -> str:
    path = data / SERVER_FILE
    if not path.exists():
        raise Interrupted(
            "server-unreachable",
            f"No server runs on {data}: start one with `surefoot up --data {data}`, or name one with --server.",
        )
    try:
        return str(json.loads(read_file(path))["url"])
    except (ValueError, KeyError, TypeError) as error:
        raise Refused("refused-file-unreadable", f"{path} does not say where the server is: use --server.") from error


def _token(token_file: Path | None, data: Path) -> str:
    if token_file is None and (given := os.environ.get("SUREFOOT_TOKEN")):
        return _check_token(given, "SUREFOOT_TOKEN")
    path = token_file or data / TOKEN_FILE
    if token_file is None and not path.exists():
        raise Refused(
            "refused-token-missing",
            f"There is no operator token in {data}: give one with --token-file or SUREFOOT_TOKEN.",
        )
    return _check_token(read_file(path).decode("ascii", "replace"), str(path))


def _check_token(text: str, where: str) -> str:
    token = text.strip()
    if not _TOKEN.fullmatch(token):
        raise Refused("refused-token-missing", f"{where} holds no token: give one with --token-file.")
    return token


def _trust(ca: Path | None, data: Path) -> ssl.SSLContext:
    own = data / CA_FILE
    path = ca or (own if own.exists() else None)
    if path is None:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=read_file(path).decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise Refused("refused-certificate-file", f"{path} is no certificate in PEM: name one with --ca.") from error


def _transport_error(url: httpx.URL, error: httpx.TransportError) -> Refused | Interrupted:
    cause = error.__cause__ or error.__context__ or error
    while cause.__cause__ is not None or cause.__context__ is not None:
        cause = cause.__cause__ or cause.__context__ or cause
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Refused(
            "refused-server-certificate",
            f"{url} shows a certificate that is not trusted ({cause.verify_message}): name its CA with --ca.",
        )
    if isinstance(error, httpx.TimeoutException):
        return Interrupted("server-unreachable", f"{url} did not answer within {_TIMEOUT_S:g} s: try again.")
    return Interrupted(
        "server-unreachable", f"There is no answer from {url} ({error}): start the server with `surefoot up`."
    )


def _problem(response: httpx.Response) -> Refused | Interrupted:
    """Return the error that an RFC 9457 answer tells of; its `type` ends in the stable code."""
    try:
        problem = response.json()
        code = re.split("[/:#]", problem["type"])[-1]
        detail = str(problem.get("detail") or problem["title"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return _unclear(response)
    return Interrupted(code, detail) if response.status_code >= 500 else Refused(code, detail)


def _unclear(response: httpx.Response) -> Interrupted:
    return Interrupted(
        "server-answer",
        f"{response.url.host} answered {response.status_code} in a way no Surefoot server does: check the address.",
    )
