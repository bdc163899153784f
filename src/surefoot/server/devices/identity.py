"""Who a robot is: known by a bearer token or by a certificate of the fleet CA, and by nothing else.

A request with an Authorization header counts by its token, any other by its certificate. A certificate comes with the
connection, or in a configured header from a configured proxy; from anywhere else that header means nothing.
"""

import hashlib
import ipaddress
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.types import Scope

from surefoot.fleet.enrolment import RobotCertificate, robot_by_certificate, unknown_certificate
from surefoot.fleet.model import Robot
from surefoot.fleet.ports import Rows
from surefoot.server.services import Services
from surefoot.server.settings import networks_of
from surefoot.server.tokens import bearer_sha256, unknown_token

FOREVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A robot that proved who it is; `certificate_sha256` is of the certificate it did so with, if it was one."""

    robot: Robot
    certificate_sha256: str | None
    valid_until_s: float


class IdentityGate:
    """Finds the robot behind a request, or refuses it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        settings = services.settings
        self._known: OrderedDict[bytes, Identity] = OrderedDict()
        self._header = settings.proxy_certificate_header.lower().encode()
        self._proxies = tuple(ipaddress.ip_network(network) for network in networks_of(settings.proxy_addresses))

    @property
    def believes_proxies(self) -> bool:
        """Whether the certificate of a connection may be a proxy's instead of a robot's."""
        return bool(self._header)

    async def identify(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Identity:
        """Return who asks; nothing is written for that, so that strangers do not queue up before the writer.

        Raises:
            Refused: `refused-token`, `refused-certificate`.
        """
        certificate_sha256 = self._certificate_sha256(scope, headers)
        if certificate_sha256 is None:
            sha256 = bearer_sha256(headers.get(b"authorization"))
            robot = await self._services.read(lambda rows: rows.robot_by_token(sha256))
            if robot is None:
                raise unknown_token()
            return Identity(robot=robot, certificate_sha256=None, valid_until_s=FOREVER)
        now_s = self._services.now_s()

        def work(rows: Rows) -> tuple[Robot | None, RobotCertificate | None]:
            return robot_by_certificate(rows, certificate_sha256, now_s), rows.get(RobotCertificate, certificate_sha256)

        robot, row = await self._services.read(work)
        if robot is None or row is None:
            raise unknown_certificate()
        return Identity(robot=robot, certificate_sha256=certificate_sha256, valid_until_s=row.expires_at_s)

    async def recognise(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Identity:
        """Return who asks as `identify` does, from memory if it asked before: to be confirmed by `confirm`."""
        credential = credential_of(headers, self._certificate_sha256(scope, headers))
        known = None if credential is None else self._known.get(credential)
        if known is not None:
            return known
        identity = await self.identify(scope, headers)
        if credential is not None:
            while len(self._known) >= self._services.settings.poll_cache_robots:
                self._known.popitem(last=False)
            self._known[credential] = identity
        return identity

    def _certificate_sha256(self, scope: Scope, headers: Mapping[bytes, bytes]) -> str | None:
        if b"authorization" in headers:
            return None
        certificate = self.client_certificate(scope, headers)
        return None if certificate is None else certificate_sha256_of(certificate)

    def client_certificate(self, scope: Scope, headers: Mapping[bytes, bytes]) -> x509.Certificate | None:
        """Return the certificate that came with the connection or from a proxy; None when there is none."""
        if self._header and self._is_proxy(scope):
            return _parse(unquote_to_bytes(headers.get(self._header, b"")))
        chain = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain", [])
        return _parse(chain[0].encode()) if chain else None

    def _is_proxy(self, scope: Scope) -> bool:
        try:
            address = ipaddress.ip_address((scope.get("client") or ("",))[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._proxies)


def confirm(rows: Rows, identity: Identity, now_s: float) -> Robot:
    """Return the robot as it is now, in the transaction that acts for it.

    Raises:
        Refused: `refused-token`, `refused-certificate` when what it proved itself with ended since.
    """
    if identity.certificate_sha256 is not None:
        robot = robot_by_certificate(rows, identity.certificate_sha256, now_s)
        if robot is None:
            raise unknown_certificate()
        return robot
    robot = rows.robot(identity.robot.robot_id)
    if robot is None or robot.token_sha256 != identity.robot.token_sha256:
        raise unknown_token()
    return robot


def _parse(pem: bytes) -> x509.Certificate | None:
    # Whether the fleet CA issued it shows by its SHA-256, which is kept of those it issued and of no other.
    if not pem.strip():
        return None
    try:
        return x509.load_pem_x509_certificate(pem)
    except (ValueError, x509.InvalidVersion):
        raise unknown_certificate() from None


def certificate_sha256_of(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the certificate's DER bytes, as hex digits."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def credential_of(
    headers: list[tuple[bytes, bytes]] | Mapping[bytes, bytes], certificate_sha256: str | None
) -> bytes | None:
    """Return what a poll cache knows a robot by: a hash of its token, or of its certificate; None without either."""
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        if name == b"authorization":
            return hashlib.sha256(value).digest()
    return None if certificate_sha256 is None else certificate_sha256.encode()
