"""How robots come by credentials and lose them: one-time codes, certificates, and the end of both.

Of a code and of a token only the SHA-256 is kept, of a certificate the SHA-256 of its DER bytes. A certificate counts
while its row is there: enrolling a robot again or revoking it drops the rows of its earlier ones.

What stands for a revoked robot's token begins with `REVOKED`, as no SHA-256 does: its factory's certificate, which
nobody can take back, lets it in no more until it enrolled with a code.
"""

from dataclasses import dataclass, replace

from surefoot.fleet.broker_access import Superseded, end_certificate, end_token
from surefoot.fleet.model import HistoryEntry, Robot, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.robots import check_names
from surefoot.wire.errors import Refused

REVOKED = "revoked:"
# How an update ends; a robot that loses its credentials leaves it as it is.
_ENDED = (Status.INSTALLED, Status.ROLLED_BACK, Status.REFUSED, Status.DRIFTED, Status.SILENT, Status.SUPERSEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentCode:
    """Leave for one robot to enrol once, until `expires_at_s` (Unix seconds)."""

    code_sha256: str
    robot_id: str
    sku: str
    made_at_s: float
    expires_at_s: float
    used_at_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotCertificate:
    """A certificate the fleet CA issued and that still counts, until `expires_at_s` (Unix seconds).

    `serial` is its number in hex digits; of the earliest certificates it was not kept. `superseded` are the robot's
    certificates that were renewed and have not expired: brokers still believe them, and must not when the robot's
    credentials end.
    """

    certificate_sha256: str
    robot_id: str
    issued_at_s: float
    expires_at_s: float
    serial: str | None = None
    superseded: tuple[Superseded, ...] = ()


def make_code(
    rows: Rows, code_sha256: str, robot_id: str, sku: str, expires_at_s: float, now_s: float
) -> EnrolmentCode:
    """Store a new code; the robot's earlier ones end with it.

    Raises:
        Refused: `refused-robot-id`; `refused-sku-mismatch` when the robot is enrolled under another sku.
    """
    check_names(robot_id, sku)
    _check_sku(rows.robot(robot_id), robot_id, sku)
    for earlier in rows.find(EnrolmentCode, robot_id=robot_id):
        rows.drop(EnrolmentCode, earlier.code_sha256)
    code = EnrolmentCode(
        code_sha256=code_sha256, robot_id=robot_id, sku=sku, made_at_s=now_s, expires_at_s=expires_at_s
    )
    rows.put(code)
    return code


def usable_code(rows: Rows, code_sha256: str, robot_id: str, now_s: float) -> EnrolmentCode:
    """Return the code if this robot may use it now; `Refused` (`refused-enrolment-code`) says no more than that."""
    code = rows.get(EnrolmentCode, code_sha256)
    if code is None or code.robot_id != robot_id or code.used_at_s is not None or now_s >= code.expires_at_s:
        detail = "The code is unknown, used, expired or another robot's: ask an operator for a new one."
        raise Refused("refused-enrolment-code", detail)
    return code


def enrol_by_code(
    rows: Rows, code_sha256: str, certificate: RobotCertificate, unused_token_sha256: str, now_s: float
) -> Robot:
    """Use the code up and let this certificate be the robot's only credential.

    `unused_token_sha256` is of a token that nobody holds: the robot's earlier token ends here.

    Raises:
        Refused: `refused-enrolment-code`, `refused-sku-mismatch`.
    """
    code = usable_code(rows, code_sha256, certificate.robot_id, now_s)
    _check_sku(rows.robot(code.robot_id), code.robot_id, code.sku)
    rows.put(replace(code, used_at_s=now_s))
    return _admit(rows, certificate, code.sku, unused_token_sha256, now_s)


def enrol_by_factory(rows: Rows, certificate: RobotCertificate, unused_token_sha256: str, now_s: float) -> Robot:
    """Let this certificate be the only credential of a robot that proved itself with its factory's certificate.

    Raises:
        Refused: `not-found-robot` unless an operator made the robot known before; `refused-certificate` when it was
            revoked since.
    """
    known = rows.robot(certificate.robot_id)
    if known is None:
        raise Refused("not-found-robot", f"The fleet has no robot {certificate.robot_id}: add it first.")
    if known.token_sha256.startswith(REVOKED):
        raise unknown_certificate()
    return _admit(rows, certificate, known.sku, unused_token_sha256, now_s)


def renew(rows: Rows, presented: str, certificate: RobotCertificate, now_s: float) -> Robot:
    """Add a certificate to a robot that asked for it with the one it has; of all earlier ones only that one stays.

    It stays because the answer may get lost: a robot must never be left without a certificate that counts.

    Raises:
        Refused: `refused-certificate`, `refused-robot-mismatch`.
    """
    robot = robot_by_certificate(rows, presented, now_s)
    if robot is None:
        raise unknown_certificate()
    check_speaks_for_itself(robot.robot_id, certificate.robot_id)
    lasting = _lasting_certificates(rows, robot.robot_id, now_s)
    for known in rows.find(RobotCertificate, robot_id=robot.robot_id):
        if known.certificate_sha256 != presented:
            rows.drop(RobotCertificate, known.certificate_sha256)
    lasting.pop(presented)
    rows.put(replace(certificate, superseded=tuple(lasting.values())))
    _tell(rows, robot.robot_id, "Its certificate was renewed.", now_s)
    return robot


def revoke(rows: Rows, robot_id: str, unused_token_sha256: str, now_s: float) -> Robot:
    """End every credential of a robot, and every code made for it; `Refused` (`not-found-robot`)."""
    robot = rows.robot(robot_id)
    if robot is None:
        raise Refused("not-found-robot", f"The fleet has no robot {robot_id}: look at the list of robots.")
    _end_credentials(rows, robot, now_s)
    for code in rows.find(EnrolmentCode, robot_id=robot_id):
        rows.drop(EnrolmentCode, code.code_sha256)
    robot = replace(robot, token_sha256=REVOKED + unused_token_sha256[len(REVOKED) :])
    rows.put_robot(robot)
    _let_go(rows, robot_id, now_s)
    _tell(rows, robot_id, "Its credentials were revoked.", now_s)
    return robot


def is_revoked(rows: Rows, robot_id: str) -> bool:
    """Whether this robot's credentials were revoked, and it has not enrolled since."""
    robot = rows.robot(robot_id)
    return robot is not None and robot.token_sha256.startswith(REVOKED)


def _let_go(rows: Rows, robot_id: str, now_s: float) -> None:
    """End an update that nobody will hear the end of: it must neither hold a place nor count against its release."""
    newest = rows.newest_assignment(robot_id)
    if newest is not None and (newest.is_open or newest.status not in _ENDED):
        rows.put_assignment(replace(newest, status=Status.SUPERSEDED, code=None, status_since_s=now_s, is_open=False))


def robot_by_certificate(rows: Rows, certificate_sha256: str, now_s: float) -> Robot | None:
    """Return the robot whose certificate has this SHA-256, if that still counts."""
    certificate = rows.get(RobotCertificate, certificate_sha256)
    if certificate is None or now_s >= certificate.expires_at_s:
        return None
    return rows.robot(certificate.robot_id)


def unknown_certificate() -> Refused:
    """Return the refusal of a certificate that does not count; it says no more than that."""
    return Refused("refused-certificate", "The certificate is expired, revoked or nobody's: enrol the robot again.")


def check_speaks_for_itself(robot_id: str, named: str) -> None:
    """Raise `Refused` (`refused-robot-mismatch`) when a robot's request names another robot."""
    if named != robot_id:
        raise Refused("refused-robot-mismatch", f"Robot {robot_id} asked for {named}: each robot speaks for itself.")


def _admit(rows: Rows, certificate: RobotCertificate, sku: str, unused_token_sha256: str, now_s: float) -> Robot:
    known = rows.robot(certificate.robot_id)
    enrolled_at_s = now_s if known is None else known.enrolled_at_s
    robot = Robot(robot_id=certificate.robot_id, sku=sku, token_sha256=unused_token_sha256, enrolled_at_s=enrolled_at_s)
    if known is not None:
        _end_credentials(rows, known, now_s)
    rows.put_robot(robot)
    rows.put(certificate)
    _tell(rows, robot.robot_id, "It enrolled with a certificate; earlier credentials ended.", now_s)
    return robot


def _end_credentials(rows: Rows, robot: Robot, now_s: float) -> None:
    for lasting in _lasting_certificates(rows, robot.robot_id, now_s).values():
        end_certificate(rows, robot.robot_id, lasting, now_s)
    for known in rows.find(RobotCertificate, robot_id=robot.robot_id):
        rows.drop(RobotCertificate, known.certificate_sha256)
    if not robot.token_sha256.startswith(REVOKED):
        end_token(rows, robot.robot_id, robot.token_sha256, now_s)


def _lasting_certificates(rows: Rows, robot_id: str, now_s: float) -> dict[str, Superseded]:
    """Return all of a robot's certificates that have not expired, those that were renewed too."""
    lasting: dict[str, Superseded] = {}
    for known in rows.find(RobotCertificate, robot_id=robot_id):
        own = Superseded(
            certificate_sha256=known.certificate_sha256, serial=known.serial, expires_at_s=known.expires_at_s
        )
        lasting |= {each.certificate_sha256: each for each in (*known.superseded, own) if now_s < each.expires_at_s}
    return lasting


def _check_sku(known: Robot | None, robot_id: str, sku: str) -> None:
    if known is not None and known.sku != sku:
        detail = f"Robot {robot_id} is enrolled as {known.sku}, not {sku}: correct one of them."
        raise Refused("refused-sku-mismatch", detail)


def _tell(rows: Rows, robot_id: str, text: str, now_s: float) -> None:
    rows.add_history(HistoryEntry(robot_id=robot_id, at_s=now_s, kind="enrolment", text=text))
