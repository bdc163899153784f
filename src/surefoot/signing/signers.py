"""Signers by URI, and the making of key files.

A signer takes the bytes themselves and returns raw `r || s` over their SHA-256: the form robots verify. Underneath is
always one of securesystemslib's signers, which TUF metadata is signed with too.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import CryptoSigner, SSlibKey
from securesystemslib.signer import Signer as TufSigner

from surefoot.signing.files import read_file, write_new_file
from surefoot.trust.keys import PublicKey
from surefoot.wire.errors import Refused

# Two letters at least: a bare path may begin with the letter of a Windows drive.
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):(.*)", re.DOTALL)

AskSecret = Callable[[str], str]


class Signer(Protocol):
    """Something that holds a private key, or reaches one, and signs with it."""

    @property
    def public_key(self) -> PublicKey:
        """The key that verifies what this signs."""

    @property
    def tuf_signer(self) -> TufSigner:
        """The same key as securesystemslib has it: what python-tuf signs metadata with."""

    def sign(self, data: bytes) -> bytes:
        """Sign these bytes with ECDSA P-256 over their SHA-256; return 64 bytes, raw `r || s` big-endian."""


class TufBackedSigner:
    """Signs with one of securesystemslib's signers, whose key must be an ECDSA P-256 key.

    Raises:
        Refused: `refused-key-format` for any other key.
    """

    def __init__(self, tuf_signer: TufSigner) -> None:
        self.tuf_signer = tuf_signer
        self.public_key = _public_key_of(tuf_signer)

    def sign(self, data: bytes) -> bytes:
        """Sign these bytes with ECDSA P-256 over their SHA-256; return 64 bytes, raw `r || s` big-endian.

        Raises:
            Refused: `refused-signature` when the signer's own public key does not verify what it signed, and what
                reaching the private key refuses.
        """
        signature = self.tuf_signer.sign(data)
        try:
            # A key store may name a public key that does not belong to the private key it used.
            self.tuf_signer.public_key.verify_signature(signature, data)
        except UnverifiedSignatureError:
            detail = f"Key {self.public_key.short_id} does not verify what its signer signed: name the right key."
            raise Refused("refused-signature", detail) from None
        r, s = utils.decode_dss_signature(bytes.fromhex(signature.signature))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class FileSigner(TufBackedSigner):
    """Signs with a private key held in memory, read from a file."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey) -> None:
        super().__init__(CryptoSigner(private_key))


def open_signer(uri: str, ask_secret: AskSecret | None = None) -> Signer:
    """Open the signer that this URI names: a file (`file:key.pem`, or just its path) or a key store.

    Args:
        uri: where the private key is; `key_stores` lists the schemes besides `file:`.
        ask_secret: called with a prompt for the passphrase of an encrypted key or the PIN of a token; None when there
            is nobody to ask.

    Raises:
        Refused: `refused-signer-scheme`, `refused-file-unreadable`, `refused-key-format`, `refused-passphrase`,
            `refused-signer-package`, `refused-signer`.
    """
    match = _SCHEME.fullmatch(uri)
    scheme, rest = match.groups() if match else ("file", uri)
    if scheme == "file":
        return FileSigner(_read_private_key(Path(rest), ask_secret))
    # Imported here, as most keys are files and the clouds' libraries take their time.
    from surefoot.signing.key_stores import open_key_store  # noqa: PLC0415

    return TufBackedSigner(open_key_store(scheme, rest, ask_secret))


def new_key(path: Path, passphrase: str | None = None) -> PublicKey:
    """Make a key pair and return its public half.

    The private key becomes the file `path` (PKCS#8 PEM, mode 0600), the public one `path` + `.pub.der` (DER).

    Raises:
        Refused: `refused-file-exists` when either file is there already: a key is never overwritten.
            `refused-file-unwritable`; `refused-passphrase` when the passphrase is empty.
    """
    if passphrase == "":
        raise Refused("refused-passphrase", "An empty passphrase protects nothing: give one, or none at all.")
    public_path = Path(f"{path}.pub.der")
    if os.path.lexists(public_path):
        raise Refused(
            "refused-file-exists", f"{public_path} exists, and a key is never overwritten: choose another name."
        )
    private_key = ec.generate_private_key(ec.SECP256R1())
    encryption = (
        serialization.NoEncryption()
        if passphrase is None
        else serialization.BestAvailableEncryption(passphrase.encode())
    )
    pem = private_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    public_key = _public_key(private_key.public_key())
    write_new_file(path, pem, 0o600)
    write_new_file(public_path, public_key.der, 0o644)
    return public_key


def load_public_key(path: Path) -> PublicKey:
    """Read a public key file as openssl writes it, DER or PEM.

    Raises:
        Refused: `refused-file-unreadable`, `refused-key-format`.
    """
    data = read_file(path)
    if not data.lstrip().startswith(b"-----BEGIN"):
        return PublicKey.from_der(data)
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise _not_a_key(path, "no public key in PEM or DER") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _not_a_key(path, "no ECDSA P-256 key")
    return _public_key(key)


def _read_private_key(path: Path, ask_passphrase: AskSecret | None) -> ec.EllipticCurvePrivateKey:
    pem = read_file(path)
    try:
        key = serialization.load_pem_private_key(pem, None)
    except TypeError:  # how `cryptography` says that the key is encrypted
        key = _decrypt(path, pem, ask_passphrase)
    except (ValueError, UnsupportedAlgorithm):
        raise _not_a_key(path, "no private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _not_a_key(path, "no ECDSA P-256 key")
    return key


def _decrypt(path: Path, pem: bytes, ask_passphrase: AskSecret | None) -> PrivateKeyTypes:
    if ask_passphrase is None:
        raise Refused("refused-passphrase", f"{path} is encrypted: run this where its passphrase can be asked for.")
    try:
        return serialization.load_pem_private_key(pem, ask_passphrase(f"Passphrase for {path}: ").encode())
    except (TypeError, ValueError):
        raise Refused("refused-passphrase", f"This passphrase does not open {path}: try again.") from None


def _public_key(key: ec.EllipticCurvePublicKey) -> PublicKey:
    numbers = key.public_numbers()
    return PublicKey.from_xy(numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big"))


def _public_key_of(tuf_signer: TufSigner) -> PublicKey:
    key = tuf_signer.public_key
    if not isinstance(key, SSlibKey) or key.scheme != "ecdsa-sha2-nistp256":
        raise Refused("refused-key-format", f"The signer's key is for {key.scheme}, not ECDSA P-256: name another one.")
    loaded = serialization.load_pem_public_key(key.keyval["public"].encode())
    if not isinstance(loaded, ec.EllipticCurvePublicKey) or not isinstance(loaded.curve, ec.SECP256R1):
        raise Refused("refused-key-format", "The signer's key is not an ECDSA P-256 key: name another one.")
    return _public_key(loaded)


def _not_a_key(path: Path, what: str) -> Refused:
    remedy = "make one with `openssl ecparam -name prime256v1 -genkey -noout`"
    return Refused("refused-key-format", f"{path} holds {what}: {remedy}.")
