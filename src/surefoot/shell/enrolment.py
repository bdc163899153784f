"""A companion's side of enrolment: its key is made here and never leaves; what comes back is a certificate for it."""

import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from surefoot.shell.files import replace_file
from surefoot.shell.https import TIMEOUT_S, https_parts, tls_context
from surefoot.shell.problems import error_of
from surefoot.wire import limits
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.fields import Fields, parse_object

ANSWER_BYTES_MAX = 64 * 1024
CODE = "refused-answer-format"


def enrol(server_url: str, ca_file: Path | None, robot_id: str, code: str | None, certificate_file: Path) -> int:
    """Get a certificate and keep it, with its private key, in one file that only its owner reads.

    The file is replaced as a whole and only at the end: power can fail at any moment, and the robot still has either
    what it had or what it got.

    Args:
        server_url: Such as `https://updates.example:8443`.
        ca_file: The certificates that may vouch for the server, in PEM; None for the system's.
        robot_id: The robot's id, as it was invited.
        code: The one-time code; None to renew with the certificate that is in the file.
        certificate_file: Where the robot's key and certificate chain are, or will be.

    Returns:
        Until when the certificate is good, in Unix seconds.

    Raises:
        Interrupted: `server-unreachable`, `interrupted-storage`.
        Refused: The server's code; `refused-url`, `refused-answer-format`, `refused-certificate-file`.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, robot_id)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    body = {"csr": request.public_bytes(Encoding.PEM).decode()} | ({} if code is None else {"code": code})
    # A code speaks for the robot alone: an old certificate beside it could only contradict it.
    tls = tls_context(ca_file, certificate_file if code is None else None)
    answer = Fields(_ask(server_url, tls, body), CODE, "enrolment")
    chain = answer.text("certificate_chain", ANSWER_BYTES_MAX)
    try:
        certificate = x509.load_pem_x509_certificate(chain.encode())
    except ValueError:
        raise Refused(CODE, "The server's answer holds no certificate: check what stands in between.") from None
    if certificate.public_key() != key.public_key():
        raise Refused(CODE, "The server's certificate is not for this robot's key: check what stands in between.")
    own = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    replace_file(certificate_file, own + chain.encode(), 0o600)
    return int(certificate.not_valid_after_utc.timestamp())


def _ask(server_url: str, tls: ssl.SSLContext, body: Mapping[str, str]) -> dict[str, Any]:
    host, port, base = https_parts(server_url)
    connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=tls)
    try:
        connection.request("POST", f"{base}/v1/enrol", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        received = response.read(ANSWER_BYTES_MAX + 1)
    except (OSError, http.client.HTTPException) as error:
        raise Interrupted("server-unreachable", f"{urlsplit(server_url).netloc} does not answer ({error}).") from error
    finally:
        connection.close()
    if response.status == 200:
        return parse_object(received, CODE, ANSWER_BYTES_MAX)
    raise error_of(received[: limits.ANSWER_BYTES_MAX], response.status)
