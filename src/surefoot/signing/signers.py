"""Signers by URI, and the making of key files.

What is signed is a SHA-256 digest that the caller computed, and what comes back is raw `r || s`: the form robots
verify. securesystemslib's `CryptoSigner` hashes its payload itself and returns DER, so files are opened with
`cryptography` directly.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from surefoot.trust.keys import PublicKey
from surefoot.wire.errors import Misuse, Refused

# Two letters at least: a bare path may begin with the letter of a Windows drive.
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):(.*)", re.DOTALL)
_PREHASHED = ec.ECDSA(utils.Prehashed(hashes.SHA256()))


class Signer(Protocol):
    """Something that holds a private key, or reaches one, and signs with it."""

    @property
    def public_key(self) -> PublicKey:
        """The key that verifies what this signs."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a SHA-256 digest (32 bytes) as it is; return 64 bytes, raw `r || s` big-endian."""


class FileSigner:
    """Signs with a private key held in memory, read from a file."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey) -> None:
        self._private_key = private_key
        self._public_key = _public_key(private_key.public_key())

    @property
    def public_key(self) -> PublicKey:
        """The key that verifies what this signs."""
        return self._public_key

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a SHA-256 digest (32 bytes) as it is; return 64 bytes, raw `r || s` big-endian."""
        if len(digest) != 32:
            raise Misuse("misuse-digest", f"A SHA-256 digest has 32 bytes, not {len(digest)}.")
        r, s = utils.decode_dss_signature(self._private_key.sign(digest, _PREHASHED))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def open_signer(uri: str, ask_passphrase: Callable[[str], str] | None = None) -> Signer:
    """Open the signer that this URI names: `file:key.pem`, or just the path of the file.

    Args:
        uri: where the private key is.
        ask_passphrase: called with a prompt when the key is encrypted; None when there is nobody to ask.

    Raises:
        Refused: `refused-signer-scheme`, `refused-file-unreadable`, `refused-key-format`, `refused-passphrase`.
    """
    match = _SCHEME.fullmatch(uri)
    scheme, rest = match.groups() if match else ("file", uri)
    opener = _OPENERS.get(scheme)
    if opener is None:
        known = ", ".join(f"{name}:" for name in _OPENERS)
        raise Refused("refused-signer-scheme", f"There is no signer for {scheme}: URIs: use one of {known}")
    return opener(rest, ask_passphrase)


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
        raise _exists(public_path)
    private_key = ec.generate_private_key(ec.SECP256R1())
    encryption = (
        serialization.NoEncryption()
        if passphrase is None
        else serialization.BestAvailableEncryption(passphrase.encode())
    )
    pem = private_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    public_key = _public_key(private_key.public_key())
    _write_new(path, pem, 0o600)
    _write_new(public_path, public_key.der, 0o644)
    return public_key


def load_public_key(path: Path) -> PublicKey:
    """Read a public key file as openssl writes it, DER or PEM.

    Raises:
        Refused: `refused-file-unreadable`, `refused-key-format`.
    """
    data = _read(path)
    if not data.lstrip().startswith(b"-----BEGIN"):
        return PublicKey.from_der(data)
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise _not_a_key(path, "no public key in PEM or DER") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _not_a_key(path, "no ECDSA P-256 key")
    return _public_key(key)


def _open_file(rest: str, ask_passphrase: Callable[[str], str] | None) -> Signer:
    path = Path(rest)
    pem = _read(path)
    try:
        key = serialization.load_pem_private_key(pem, None)
    except TypeError:  # how `cryptography` says that the key is encrypted
        key = _decrypt(path, pem, ask_passphrase)
    except (ValueError, UnsupportedAlgorithm):
        raise _not_a_key(path, "no private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _not_a_key(path, "no ECDSA P-256 key")
    return FileSigner(key)


def _decrypt(path: Path, pem: bytes, ask_passphrase: Callable[[str], str] | None) -> PrivateKeyTypes:
    if ask_passphrase is None:
        raise Refused("refused-passphrase", f"{path} is encrypted: run this where its passphrase can be asked for.")
    try:
        return serialization.load_pem_private_key(pem, ask_passphrase(f"Passphrase for {path}: ").encode())
    except (TypeError, ValueError):
        raise Refused("refused-passphrase", f"This passphrase does not open {path}: try again.") from None


_OPENERS = {"file": _open_file}


def _public_key(key: ec.EllipticCurvePublicKey) -> PublicKey:
    numbers = key.public_numbers()
    return PublicKey.from_xy(numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused("refused-file-unreadable", f"Cannot read {path}: {error.strerror}.") from error


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        # O_EXCL decides existence and creation in one step, and the mode holds from the first byte.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise Refused("refused-file-unwritable", f"Cannot write {path}: {error.strerror}.") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)  # half a key would only stand in the way of the next attempt
        raise Refused("refused-file-unwritable", f"Cannot write {path}: {error.strerror}.") from error


def _exists(path: Path) -> Refused:
    return Refused("refused-file-exists", f"{path} exists, and a key is never overwritten: choose another name.")


def _not_a_key(path: Path, what: str) -> Refused:
    remedy = "make one with `openssl ecparam -name prime256v1 -genkey -noout`"
    return Refused("refused-key-format", f"{path} holds {what}: {remedy}.")
