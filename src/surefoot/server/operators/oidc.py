"""OpenID Connect: what is said to the identity provider, and when its answer is believed.

Authorization code with PKCE and nonce. The id token counts only when the provider's own published key signed it, for
this client, in this sign-in, and not long ago.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from authlib.common.urls import add_params_to_uri  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from surefoot.fleet.access import Role, SignIn
from surefoot.server.settings import ServerSettings
from surefoot.wire.errors import Interrupted, Refused

TIMEOUT_S = 10.0
LEEWAY_S = 60
CALLBACK_PATH = "/api/v1/session/oidc/callback"
# Signatures that need the provider's private key: with an HMAC, this server's own secret could sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
# Everybody who can sign in at all.
ANYONE = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the provider says it is: `subject` is unique and lasting, `name` is for people."""

    subject: str
    name: str
    role: Role | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProvider:
    """One provider, and this server as its client."""

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_url: str
    scope: str
    name_claim: str
    groups_claim: str
    roles: tuple[tuple[str, Role], ...]
    tls: ssl.SSLContext

    async def authorization_url(self, state: str, sign_in: SignIn) -> str:
        """Return where to send the browser; `Interrupted` (`interrupted-sign-in`) when the provider does not answer."""
        async with self._http() as http:
            metadata = await self._metadata(http)
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_url,
            "scope": self.scope,
            "state": state,
            "nonce": sign_in.nonce,
            "code_challenge": create_s256_code_challenge(sign_in.code_verifier),
            "code_challenge_method": "S256",
        }
        return str(add_params_to_uri(_https(metadata, "authorization_endpoint"), list(parameters.items())))

    async def identity(self, code: str, sign_in: SignIn, now_s: float) -> Identity:
        """Exchange the code for an id token and return whom it names.

        Raises:
            Refused: `refused-sign-in` when the provider refuses the code, its token does not hold, or it names an
                account by a mail address that anyone could have claimed.
            Interrupted: `interrupted-sign-in`.
        """
        async with self._http() as http:
            metadata = await self._metadata(http)
            id_token = await self._id_token(http, metadata, code, sign_in.code_verifier)
            keys = await _json(http.get(_https(metadata, "jwks_uri")))
        claims = self._believed(id_token, keys, sign_in.nonce, now_s)
        name = claims.get(self.name_claim) or claims["sub"]
        # Some providers say it as a word.
        if self.name_claim == "email" and str(claims.get("email_verified", True)).lower() == "false":
            detail = "Your identity provider has not verified your mail address: have it verified there, then sign in."
            raise Refused("refused-sign-in", detail)
        return Identity(subject=f"{self.issuer} {claims['sub']}", name=str(name), role=self._role(claims))

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(verify=self.tls, timeout=TIMEOUT_S, follow_redirects=False)

    async def _metadata(self, http: httpx.AsyncClient) -> dict[str, Any]:
        metadata = await _json(http.get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"))
        if metadata.get("issuer") != self.issuer:
            raise _unclear("it calls itself by another name than oidc_issuer")
        return metadata

    async def _id_token(self, http: httpx.AsyncClient, metadata: Mapping[str, Any], code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_url,
            "code_verifier": verifier,
        }
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        auth: httpx.Auth | None = None
        if self.client_secret is None:
            form |= {"client_id": self.client_id}
        elif "client_secret_basic" in methods:
            auth = httpx.BasicAuth(self.client_id, self.client_secret)
        else:
            form |= {"client_id": self.client_id, "client_secret": self.client_secret}
        answer = await _json(
            http.post(_https(metadata, "token_endpoint"), data=form, auth=auth or httpx.USE_CLIENT_DEFAULT)
        )
        return str(answer.get("id_token", ""))

    def _believed(self, id_token: str, keys: dict[str, Any], nonce: str, now_s: float) -> Mapping[str, Any]:
        try:
            token = jwt.decode(id_token, KeySet.import_key_set(keys), algorithms=ALGORITHMS)  # type: ignore[arg-type]
            claims = CodeIDToken(
                token.claims,
                token.header,
                {
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": self.client_id},
                    "sub": {"essential": True},
                },
                {"nonce": nonce, "client_id": self.client_id},
            )
            claims.validate(now=int(now_s), leeway=LEEWAY_S)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            # The kind alone: the text may quote the token.
            raise Refused("refused-sign-in", f"The id token does not hold ({type(error).__name__}): {_AGAIN}") from None
        return dict(claims)

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        held = claims.get(self.groups_claim)
        groups = {held} if isinstance(held, str) else set(map(str, held)) if isinstance(held, list) else set()
        return next((role for group, role in self.roles if group in groups or group == ANYONE), None)


_AGAIN = "begin again at GET /api/v1/session/oidc."


def identity_provider(settings: ServerSettings, public_url: str) -> IdentityProvider | None:
    """Return the provider that the settings name, or None.

    Raises:
        Refused: `refused-settings` naming what is missing or wrong.
    """
    if settings.oidc_issuer is None:
        return None
    if settings.oidc_client_id is None:
        raise Refused("refused-settings", "The setting oidc_issuer needs oidc_client_id: set both.")
    return IdentityProvider(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=_secret(settings),
        redirect_url=public_url + CALLBACK_PATH,
        scope=settings.oidc_scope,
        name_claim=settings.oidc_name_claim,
        groups_claim=settings.oidc_groups_claim,
        roles=parse_roles(settings.oidc_roles),
        tls=_trust(settings),
    )


def parse_roles(text: str) -> tuple[tuple[str, Role], ...]:
    """Return roles by group from `group=role,group=role`; `Refused` (`refused-settings`)."""
    pairs = [part.rpartition("=") for part in text.split(",") if part.strip()]
    try:
        return tuple((group.strip(), Role(role.strip())) for group, _, role in pairs)
    except ValueError:
        detail = f"The setting oidc_roles is wrong: write group=role,group=role with roles of {', '.join(Role)}."
        raise Refused("refused-settings", detail) from None


def _secret(settings: ServerSettings) -> str | None:
    if settings.oidc_client_secret is not None:
        return settings.oidc_client_secret.get_secret_value()
    if settings.oidc_client_secret_file is None:
        return None
    try:
        return settings.oidc_client_secret_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Refused("refused-settings", "The setting oidc_client_secret_file names no readable file.") from None


def _trust(settings: ServerSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.oidc_ca)
    except (OSError, ssl.SSLError):
        raise Refused("refused-settings", "The setting oidc_ca names no file with certificates in PEM.") from None


async def _json(asked: Any) -> dict[str, Any]:
    try:
        answer = await asked
    except httpx.TransportError as error:
        raise _unclear(type(error).__name__) from error
    if 400 <= answer.status_code < 500:
        raise Refused("refused-sign-in", f"The identity provider answered {answer.status_code}: {_AGAIN}")
    try:
        value = answer.json() if answer.is_success else None
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _unclear(f"status {answer.status_code}")
    return value


def _https(metadata: Mapping[str, Any], name: str) -> str:
    url = metadata.get(name)
    if not isinstance(url, str) or not url.startswith("https://"):
        raise _unclear(f"it names no {name} with https")
    return url


def _unclear(why: str) -> Interrupted:
    return Interrupted("interrupted-sign-in", f"The identity provider does not answer as it should ({why}): try again.")
