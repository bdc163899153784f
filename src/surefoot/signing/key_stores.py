"""Signers whose private key lies elsewhere: on a PKCS#11 token, in a cloud's key management, in HashiCorp Vault.

Each is one of securesystemslib's signers but Vault's, and its library comes with an extra of Surefoot. The key is asked
for its public half once, when it is opened; what goes out to be signed is a SHA-256, never the image.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qs

from securesystemslib.exceptions import UnsupportedAlgorithmError, UnsupportedLibraryError
from securesystemslib.signer import (
    AWSSigner,
    AzureSigner,
    GCPSigner,
    HSMSigner,
    Key,
    SecretsHandler,
    Signature,
    Signer,
)

from surefoot.signing.vault_signer import VaultSigner
from surefoot.wire.errors import Refused

AskSecret = Callable[[str], str]

# securesystemslib prints what a cloud answered, by a handler of its own; the refusal says it once, without what may be
# secret in it.
logging.getLogger("securesystemslib").handlers[:] = [logging.NullHandler()]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStore:
    """One scheme: the extra that brings its library, the module to look for, and how a key in it is opened.

    `errors` are the classes, `module:name`, that its library raises.
    """

    extra: str
    module: str
    errors: tuple[str, ...]
    open: Callable[[str, AskSecret | None], Signer]


class RefusingSigner(Signer):
    """A signer of a key store, which raises our errors in the place of its library's."""

    def __init__(self, scheme: str, signer: Signer) -> None:
        self._scheme = scheme
        self._signer = signer

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> "RefusingSigner":
        """Open a signer; the public key must be the one that the store names."""
        scheme, _, rest = priv_key_uri.partition(":")
        signer = open_key_store(scheme, rest, secrets_handler)
        if signer.public_key != public_key:
            raise Refused("refused-signer", f"The key of {scheme}: is not the one expected: name the right one.")
        return signer

    @property
    def public_key(self) -> Key:
        """The key that verifies what this signs."""
        return self._signer.public_key

    def sign(self, payload: bytes) -> Signature:
        """Sign these bytes.

        Raises:
            Refused: `refused-signer`, `refused-passphrase`.
        """
        with _refusals(self._scheme):
            return self._signer.sign(payload)


def open_key_store(scheme: str, rest: str, ask_secret: AskSecret | None) -> RefusingSigner:
    """Open the key that `scheme:rest` names.

    Raises:
        Refused: `refused-signer-scheme`; `refused-signer-package` when the store's library is not installed;
            `refused-signer` when the store cannot be reached, has no such key or may not use it; `refused-passphrase`
            for a PIN that is wrong or that nobody can be asked for.
    """
    store = KEY_STORES.get(scheme)
    if store is None:
        known = ", ".join(["file:", *(f"{name}:" for name in KEY_STORES)])
        raise Refused("refused-signer-scheme", f"There is no signer for {scheme}: URIs: use one of {known}")
    with _refusals(scheme):
        return RefusingSigner(scheme, store.open(rest, ask_secret))


def _open_hsm(rest: str, ask_secret: AskSecret | None) -> Signer:
    path, _, query = rest.partition("?")
    label = parse_qs(query).get("label", [None])[0]
    if "PYKCS11LIB" not in os.environ:
        raise Refused("refused-signer", "PYKCS11LIB is not set: name the token's PKCS#11 module with it.")
    if path and not path.isdecimal():
        raise ValueError("write hsm:KEY_NUMBER?label=TOKEN_LABEL")
    key_number = int(path) if path else HSMSigner.SCHEME_KEYID
    ask_pin = _asked_once(ask_secret, f"PIN of the token {label}: " if label else "PIN of the token: ")
    _, public_key = HSMSigner.import_(key_number, label, ask_pin)
    return HSMSigner(key_number, public_key, ask_pin, label)


def _open_awskms(rest: str, _ask_secret: AskSecret | None) -> Signer:
    _, public_key = AWSSigner.import_(rest)
    return AWSSigner(rest, public_key)


def _open_gcpkms(rest: str, _ask_secret: AskSecret | None) -> Signer:
    _, public_key = GCPSigner.import_(rest)
    return GCPSigner(rest, public_key)


def _open_azurekms(rest: str, _ask_secret: AskSecret | None) -> Signer:
    host, *path = rest.removeprefix("//").split("/")
    if len(path) not in (2, 3) or path[0] != "keys":
        raise ValueError("write azurekms://VAULT.vault.azure.net/keys/NAME")
    uri, public_key = AzureSigner.import_(host.partition(".")[0], path[1])
    if len(path) == 3 and not uri.endswith(f"/{path[2]}"):
        raise ValueError(f"version {path[2]} of the key is not its newest")
    return AzureSigner.from_priv_key_uri(uri, public_key)


def _open_vault(rest: str, _ask_secret: AskSecret | None) -> Signer:
    return VaultSigner(rest)


KEY_STORES = {
    "hsm": KeyStore(extra="hsm", module="pkcs11", errors=("pkcs11.exceptions:PKCS11Error",), open=_open_hsm),
    "awskms": KeyStore(
        extra="awskms",
        module="boto3",
        errors=("botocore.exceptions:BotoCoreError", "botocore.exceptions:ClientError"),
        open=_open_awskms,
    ),
    "gcpkms": KeyStore(
        extra="gcpkms",
        module="google.cloud.kms",
        errors=("google.api_core.exceptions:GoogleAPIError", "google.auth.exceptions:GoogleAuthError"),
        open=_open_gcpkms,
    ),
    "azurekms": KeyStore(
        extra="azurekms",
        module="azure.keyvault.keys",
        errors=("azure.core.exceptions:AzureError",),
        open=_open_azurekms,
    ),
    "vault": KeyStore(
        extra="vault",
        module="hvac",
        errors=("hvac.exceptions:VaultError", "requests.exceptions:RequestException"),
        open=_open_vault,
    ),
}


@contextmanager
def _refusals(scheme: str) -> Iterator[None]:
    """Turn what the store's library raises into a refusal that names the kind of error, never its text.

    Cloud libraries put whole requests into their errors, with what authenticates them.
    """
    store = KEY_STORES[scheme]
    if not _is_installed(store.module):
        detail = f"{scheme}: needs a package that is not installed: run pip install 'surefoot[{store.extra}]'."
        raise Refused("refused-signer-package", detail)
    errors = tuple(getattr(import_module(module), name) for module, name in (text.split(":") for text in store.errors))
    try:
        yield
    except (UnsupportedAlgorithmError, UnsupportedLibraryError, ValueError, KeyError) as error:
        # securesystemslib's own words, and ours.
        raise Refused("refused-signer", f"The {scheme}: URI cannot be used: {error}.") from error
    except errors as error:
        kind = _kind_of(error)
        if kind.startswith("Pin"):
            raise Refused("refused-passphrase", f"The token does not take this PIN ({kind}): try again.") from None
        raise Refused("refused-signer", f"{scheme}: does not let this key be used ({kind}): check it there.") from None


def _kind_of(error: Any) -> str:
    """Return the error's kind; AWS has one class for many."""
    answer = getattr(error, "response", None)
    code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
    return str(code or type(error).__name__)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a parent of it is missing
        return False


def _asked_once(ask_secret: AskSecret | None, prompt: str) -> SecretsHandler:
    """Return what hands out the PIN at every signature and asks a person for it once."""
    known: list[str] = []

    def answer(_what: str) -> str:
        if ask_secret is None:
            raise Refused("refused-passphrase", "The token wants its PIN: run this where it can be asked for.")
        if not known:
            known.append(ask_secret(prompt))
        return known[0]

    return answer
