"""A signer for ECDSA P-256 keys in HashiCorp Vault's Transit engine.

securesystemslib's own opens Ed25519 keys only, which robots do not verify.
"""

import base64
import hashlib
from importlib import import_module

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.signer import Key, SecretsHandler, Signature, Signer, SSlibKey


class VaultSigner(Signer):
    """Signs with the newest version of a key; Vault is handed a SHA-256, never the image."""

    def __init__(self, name: str) -> None:
        # Finds VAULT_ADDR and VAULT_TOKEN in the environment.
        self._transit = import_module("hvac").Client().secrets.transit
        keys: dict[str, dict[str, str]] = self._transit.read_key(name)["data"]["keys"]
        self._name = name
        self._version = max(int(number) for number in keys)
        public_key = load_pem_public_key(keys[str(self._version)]["public_key"].encode())
        self._public_key = SSlibKey.from_crypto(public_key)

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> "VaultSigner":
        """Open `vault:NAME`."""
        del public_key, secrets_handler
        return cls(priv_key_uri.partition(":")[2])

    @property
    def public_key(self) -> Key:
        """The newest version of the key."""
        return self._public_key

    def sign(self, payload: bytes) -> Signature:
        """Sign the SHA-256 of these bytes."""
        answer = self._transit.sign_data(
            self._name,
            hash_input=base64.b64encode(hashlib.sha256(payload).digest()).decode(),
            key_version=self._version,
            hash_algorithm="sha2-256",
            prehashed=True,
            marshaling_algorithm="asn1",
        )
        encoded: str = answer["data"]["signature"].rpartition(":")[2]
        return Signature(self._public_key.keyid, base64.b64decode(encoded).hex())
