"""A small identity provider that speaks real OpenID Connect over real HTTPS, and can be told to lie."""

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from surefoot.server.certificates import ensure_certificates
from surefoot.server.tls import server_tls_context

CLIENT_ID = "surefoot-test"
CLIENT_SECRET = "secret of the client"


class Provider:
    """One user signs in at once, without being asked; `changes` go into every id token, None takes a claim out."""

    def __init__(self, folder: Path) -> None:
        paths = ensure_certificates(folder, ("127.0.0.1",), datetime.now(UTC))
        self.ca_path = folder / "ca.pem"
        self.user: dict[str, Any] = {"sub": "user-1", "email": "anna@example.test", "groups": ["engineers"]}
        self.changes: dict[str, Any] = {}
        self.key = ECKey.generate_key("P-256", {"kid": "key-1"})
        self.signing_key: Any = self.key
        self.algorithm = "ES256"
        self.named_issuer: str | None = None
        self.fails_with: int | None = None
        self.auth_methods = ["client_secret_basic"]
        self._codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.socket = server_tls_context(paths.server).wrap_socket(self._server.socket, server_side=True)
        self.issuer = f"https://127.0.0.1:{self._server.server_port}/realm"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def tls(self) -> ssl.SSLContext:
        """What a browser needs to trust it."""
        return ssl.create_default_context(cafile=str(self.ca_path))

    def metadata(self) -> dict[str, Any]:
        issuer = self.issuer
        return {
            "issuer": self.named_issuer or issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
            "token_endpoint_auth_methods_supported": self.auth_methods,
        }

    def authorize(self, asked: dict[str, str]) -> str:
        """Return where the browser goes back to."""
        assert asked["response_type"] == "code" and asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(8)
        self._codes[code] = asked
        query = {"code": code, "state": asked["state"], "iss": self.issuer}
        return f"{asked['redirect_uri']}?{urlencode(query)}"

    def exchange(self, form: dict[str, str], authorization: str | None) -> tuple[int, dict[str, Any]]:
        """Give an id token for a code, once, to the client that asked for it with the verifier it kept."""
        basic = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        posted = (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        if not (authorization == basic if "client_secret_basic" in self.auth_methods else posted):
            return 401, {"error": "invalid_client"}
        asked = self._codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        if (
            asked is None
            or form["redirect_uri"] != asked["redirect_uri"]
            or challenge.rstrip(b"=").decode() != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        return 200, {"id_token": self._id_token(asked["nonce"]), "access_token": "unused", "token_type": "Bearer"}

    def _id_token(self, nonce: str) -> str:
        now_s = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT_ID, "iat": now_s, "exp": now_s + 300, "nonce": nonce,
            **self.user, **self.changes,
        }  # fmt: skip
        told = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": "key-1"}
        if self.algorithm == "none":
            # By hand: no library signs like this any more.
            parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, told))
            return b".".join([*parts, b""]).decode()
        return jwt.encode(header, told, self.signing_key, algorithms=[self.algorithm])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                match parts.path.removeprefix("/realm"):
                    case "/.well-known/openid-configuration":
                        self._answer(provider.fails_with or 200, provider.metadata())
                    case "/keys":
                        self._answer(200, {"keys": [provider.key.as_dict(private=False)]})
                    case "/authorize":
                        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                        self.send_response(302)
                        self.send_header("Location", provider.authorize(asked))
                        self.send_header("Content-Length", "0")
                        self.end_headers()
                    case _:
                        self._answer(404, {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                self._answer(*provider.exchange(form, self.headers["Authorization"]))

            def _answer(self, status: int, value: dict[str, Any]) -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
                pass

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def shared_secret() -> OctKey:
    """Return the key with which a forger signs who knows only what is public."""
    return OctKey.import_key(b"what everybody knows and nobody should trust")
