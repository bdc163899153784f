"""A robot's certificate request (PKCS#10), held to what the fleet CA signs: its own name, and a strong key."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from surefoot.wire import limits
from surefoot.wire.errors import Refused

RSA_BITS_MIN, RSA_BITS_MAX = 2048, 4096


def parse_request(pem: str) -> tuple[str, CertificatePublicKeyTypes]:
    """Return the robot id and the public key of a request that was signed with that key.

    Raises:
        Refused: `refused-csr-format`, `refused-csr`.
    """
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = request.public_key()
        # Judged first: checking a signature by a key of some other kind takes whoever asks for it no time, and us much.
        strong = _is_strong(key)
        signed = strong and request.is_signature_valid
        names = [name.value for name in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise Refused("refused-csr-format", "The certificate request cannot be read: send PKCS#10 in PEM.") from None
    if not strong:
        raise Refused("refused-csr", "The request's key is neither ECDSA P-256 nor RSA of 2048 bits: make another.")
    if not signed:
        raise Refused("refused-csr", "The certificate request is not signed with its own key: make it anew.")
    if len(names) != 1 or not isinstance(names[0], str) or not 0 < len(names[0]) <= limits.ROBOT_ID_CHARS_MAX:
        raise Refused("refused-csr", "The request's common name is not one robot id: make it anew.")
    return names[0], key


def _is_strong(key: object) -> bool:
    match key:
        case ec.EllipticCurvePublicKey():
            return isinstance(key.curve, ec.SECP256R1)
        case rsa.RSAPublicKey():
            return RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX
        case _:
            return False
