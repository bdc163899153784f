"""Keys, certificate requests and certificate authorities for tests of enrolment."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from server_bench import NOW_S

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
NOW = datetime.fromtimestamp(NOW_S, UTC)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def name_of(*common_names: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common_names])


def csr(robot_id: str, key: Key | None = None, *more_names: str) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(name_of(robot_id, *more_names))
    return builder.sign(key or new_key(), hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def private_pem(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class OtherCa:
    """A certificate authority that is not the fleet's."""

    def __init__(self) -> None:
        self._key = new_key()
        self._name = name_of("Another CA")
        self.certificate = self._issue(self._name, self._key, NOW + timedelta(days=10), is_ca=True)
        self.pem = self.certificate.public_bytes(Encoding.PEM)

    def issue(self, robot_id: str, *, until: datetime = NOW + timedelta(days=1), key: Key | None = None) -> str:
        issued = self._issue(name_of(robot_id), key or new_key(), until, is_ca=False)
        return issued.public_bytes(Encoding.PEM).decode()

    def _issue(self, subject: x509.Name, key: Key, until: datetime, *, is_ca: bool) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=9000))
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
