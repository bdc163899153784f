"""`POST /v1/enrol`: a certificate for a robot that shows a one-time code, its present certificate, or its factory's."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from starlette.types import Receive, Scope

from surefoot.fleet.enrolment import (
    RobotCertificate,
    check_speaks_for_itself,
    enrol_by_code,
    enrol_by_factory,
    renew,
    robot_by_certificate,
    unknown_certificate,
    usable_code,
)
from surefoot.fleet.model import Robot
from surefoot.fleet.ports import Rows
from surefoot.server.asgi import Response, json_response, read_body
from surefoot.server.certificates import FleetCa
from surefoot.server.devices.enrolment_request import parse_request
from surefoot.server.devices.identity import IdentityGate, certificate_sha256_of
from surefoot.server.services import Services
from surefoot.server.tokens import new_token, token_sha256
from surefoot.wire.errors import Misuse, Refused
from surefoot.wire.fields import Fields, encode_object, parse_object

BODY_BYTES_MAX = 16 * 1024
CODE_CHARS_MAX = 128
CSR_CHARS_MAX = 8 * 1024
CODE = "refused-enrolment-format"


class Enrolment:
    """Issues certificates to robots."""

    def __init__(self, services: Services, gate: IdentityGate) -> None:
        self._services = services
        self._gate = gate
        self._factories = _factory_cas(services.settings.factory_ca)

    async def respond(self, scope: Scope, receive: Receive, headers: Mapping[bytes, bytes]) -> Response:
        """Answer a request with `csr` and, unless a certificate speaks for the robot, `code`.

        Nothing is written before code or certificate are believed, and what it was proved with is looked at again in
        the transaction that uses it: of two requests with one code, one gets a certificate.

        Raises:
            Refused: `refused-enrolment-format`, `refused-enrolment-code`, `refused-csr-format`, `refused-csr`,
                `refused-certificate`, `refused-robot-mismatch`, `refused-sku-mismatch`, `not-found-robot`.
        """
        services = self._services
        if services.ca is None:
            raise Misuse("misuse-server", "The server was put together without a certificate authority.")
        shown = self._gate.client_certificate(scope, headers)
        body = await read_body(headers, receive, BODY_BYTES_MAX, services.settings.body_timeout_s)
        fields = Fields(parse_object(body, CODE, BODY_BYTES_MAX), CODE, "enrolment")
        robot_id, key = parse_request(fields.text("csr", CSR_CHARS_MAX))
        code_sha256 = token_sha256(fields.text("code", CODE_CHARS_MAX)) if fields.has("code") else None
        now_s = services.now_s()
        by_factory = shown is not None and self._is_from_factory(shown, now_s)

        def check(rows: Rows) -> None:
            if code_sha256 is not None:
                usable_code(rows, code_sha256, robot_id, now_s)
            elif shown is None:
                raise Refused("refused-enrolment-code", "Neither a code nor a certificate came: send one of them.")
            elif by_factory:
                check_speaks_for_itself(_common_name(shown), robot_id)
            else:
                known = robot_by_certificate(rows, certificate_sha256_of(shown), now_s)
                if known is None:
                    raise unknown_certificate()
                check_speaks_for_itself(known.robot_id, robot_id)

        await services.read(check)
        now = datetime.fromtimestamp(now_s, UTC)
        issued = await asyncio.to_thread(services.ca.issue_to_robot, robot_id, key, now)
        row = RobotCertificate(
            certificate_sha256=certificate_sha256_of(issued),
            robot_id=robot_id,
            issued_at_s=now_s,
            expires_at_s=issued.not_valid_after_utc.timestamp(),
            serial=f"{issued.serial_number:x}",
        )
        nobodys = token_sha256(new_token())

        def work(rows: Rows) -> Robot:
            check(rows)
            if code_sha256 is not None:
                return enrol_by_code(rows, code_sha256, row, nobodys, now_s)
            if shown is None or by_factory:
                return enrol_by_factory(rows, row, nobodys, now_s)
            return renew(rows, certificate_sha256_of(shown), row, now_s)

        return _answer(await services.write(work), issued, services.ca, row)

    def _is_from_factory(self, certificate: x509.Certificate, now_s: float) -> bool:
        now = datetime.fromtimestamp(now_s, UTC)
        valid = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
        return valid and any(_issued(ca, certificate) for ca in self._factories)


def _answer(robot: Robot, issued: x509.Certificate, ca: FleetCa, row: RobotCertificate) -> Response:
    chain = issued.public_bytes(Encoding.PEM) + ca.pem
    return json_response(
        encode_object(
            {
                "robot_id": robot.robot_id,
                "sku": robot.sku,
                "certificate_chain": chain.decode(),
                "expires_at_s": int(row.expires_at_s),
            }
        )
    )


def _factory_cas(path: Path | None) -> tuple[x509.Certificate, ...]:
    return () if path is None else tuple(x509.load_pem_x509_certificates(path.read_bytes()))


def _issued(ca: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else ""
