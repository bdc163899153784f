"""The fleet CA, the server's certificate and those of robots; CA and server use ECDSA P-256, made at first start.

Robots trust `ca.pem`. Everything here can be killed between any two writes: a key without its certificate gets one at
the next start, and `server.pem` holds key and chain in one file, so that they always fit each other.
"""

import hmac
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from surefoot.server.files import PRIVATE, PUBLIC, write_atomically
from surefoot.wire.errors import Damaged

CA_LIFE = timedelta(days=3650)
# Where they are in the data directory.
CERTIFICATES_FOLDER = "tls"
ROBOT_LIFE = timedelta(days=365)
SERVER_LIFE = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
# Robots start with clocks that run behind.
BACKDATED = timedelta(days=1)

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatePaths:
    """Where the certificates are: `ca` for clients to trust, `server` with the server's private key and chain."""

    ca: Path
    server: Path


class FleetCa:
    """The fleet's certificate authority, which `ensure_certificates` made in this folder.

    Raises:
        Damaged: `damaged-fleet-ca` when its files cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._key, self.certificate = _load_ca(folder / "ca.key", folder / "ca.pem")

    @property
    def pem(self) -> bytes:
        """The CA's certificate, for those who are to trust it."""
        return _certificate_pem(self.certificate)

    def issue_to_robot(self, robot_id: str, key: CertificatePublicKeyTypes, now: datetime) -> x509.Certificate:
        """Return a certificate by which a server knows the robot with this public key."""
        life = min(ROBOT_LIFE, self.certificate.not_valid_after_utc - now)
        return (
            _builder(_name(robot_id), self.certificate.subject, key, self._key.public_key(), now, life)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def secret_name(self, purpose: str) -> str:
        """Return a word for this purpose that nobody can know who has not got the CA's key."""
        secret = self._key.private_numbers().private_value.to_bytes(32, "big")
        return hmac.digest(secret, purpose.encode(), "sha256").hex()[:32]

    def revocation_list(self, serials: Iterable[int], at: datetime) -> bytes:
        """Return a list (PEM) of certificates that are not to be believed; it is good as long as the CA is."""
        issuer = self.certificate
        builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject)
        builder = builder.last_update(at).next_update(issuer.not_valid_after_utc)
        for serial in serials:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


def certificate_paths(folder: Path) -> CertificatePaths:
    """Return where `ensure_certificates` keeps the certificates of this folder."""
    return CertificatePaths(ca=folder / "ca.pem", server=folder / "server.pem")


def ensure_certificates(folder: Path, hosts: Iterable[str], now: datetime) -> CertificatePaths:
    """Return valid certificates, making or renewing what is missing, near its end, or lacks one of the hosts.

    Raises:
        Damaged: `damaged-fleet-ca` when the CA's files cannot be used.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    paths = certificate_paths(folder)
    names = {_alternative_name(host) for host in hosts if _is_host(host)}
    ca_key, ca = _ensure_ca(folder / "ca.key", paths.ca, now)
    if not _still_good(paths.server, ca, names, now):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _issue_server(key, names, ca_key, ca, now)
        write_atomically(paths.server, _pem(key) + _certificate_pem(certificate) + _certificate_pem(ca), PRIVATE)
    return paths


def _ensure_ca(key_path: Path, path: Path, now: datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    if path.exists() and not key_path.exists():
        raise Damaged("damaged-fleet-ca", f"{key_path} is missing: restore it from a backup.")
    # The key goes first: a certificate is only ever there together with its key.
    if not key_path.exists():
        write_atomically(key_path, _pem(ec.generate_private_key(ec.SECP256R1())), PRIVATE)
    if not path.exists():
        write_atomically(path, _certificate_pem(_issue_ca(_load_key(key_path), now)), PUBLIC)
    return _load_ca(key_path, path)


def _load_key(key_path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(key_path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise Damaged("damaged-fleet-ca", f"{key_path} cannot be read: restore it from a backup.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Damaged("damaged-fleet-ca", f"{key_path} is not an elliptic-curve key: restore it from a backup.")
    return key


def _load_ca(key_path: Path, path: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = _load_key(key_path)
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Damaged("damaged-fleet-ca", f"{path} cannot be read: restore it from a backup.") from error
    if certificate.public_key() != key.public_key():
        raise Damaged("damaged-fleet-ca", f"{key_path} is not the key of {path.name}: restore both from a backup.")
    return key, certificate


def _still_good(path: Path, ca: x509.Certificate, names: set[x509.GeneralName], now: datetime) -> bool:
    if not path.exists():
        return False
    try:
        certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
        load_pem_private_key(path.read_bytes(), password=None)
        certificate.verify_directly_issued_by(ca)
        present = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:  # noqa: BLE001 - whatever is wrong with it, a new one costs nothing
        return False
    return certificate.not_valid_after_utc - now > RENEW_BEFORE and names <= set(present)


def _issue_ca(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = _name("Surefoot fleet CA")
    return (
        _builder(name, name, key.public_key(), key.public_key(), now, CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _issue_server(
    key: ec.EllipticCurvePrivateKey,
    names: set[x509.GeneralName],
    ca_key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    now: datetime,
) -> x509.Certificate:
    life = min(SERVER_LIFE, ca.not_valid_after_utc - now)
    return (
        _builder(_name("Surefoot server"), ca.subject, key.public_key(), ca_key.public_key(), now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(sorted(names, key=repr)), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: CertificatePublicKeyTypes,
    issuer_key: ec.EllipticCurvePublicKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _is_host(host: str) -> bool:
    return _is_address(host) or _HOST_NAME.fullmatch(host) is not None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _alternative_name(host: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(host)) if _is_address(host) else x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
