"""Tables about how robots prove who they are, and what they took."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, Table, Text

from surefoot.fleet.broker_access import BrokerPassword, EndedCredential, Superseded
from surefoot.fleet.downloads import DownloadsOfDay, FileTaken
from surefoot.fleet.enrolment import EnrolmentCode, RobotCertificate
from surefoot.fleet.generation import Generation
from surefoot.store.columns import ID, as_json, metadata, nth


def _files_to_object(files: tuple[FileTaken, ...]) -> list[dict[str, Any]]:
    return [asdict(file) for file in files]


def _files_from_object(found: list[dict[str, Any]]) -> tuple[FileTaken, ...]:
    return tuple(FileTaken(**file) for file in found)


def _superseded_to_object(certificates: tuple[Superseded, ...]) -> list[dict[str, Any]]:
    return [asdict(certificate) for certificate in certificates]


def _superseded_from_object(found: list[dict[str, Any]]) -> tuple[Superseded, ...]:
    return tuple(Superseded(**certificate) for certificate in found)


enrolment_codes = Table(
    "enrolment_codes",
    metadata,
    nth(),
    Column("code_sha256", ID, nullable=False),
    # The robot need not be there yet: its code is made before it enrols.
    Column("robot_id", ID, nullable=False),
    Column("sku", ID, nullable=False),
    Column("made_at_s", Double, nullable=False),
    Column("expires_at_s", Double, nullable=False),
    Column("used_at_s", Double),
    Index("enrolment_codes_by_sha256", "code_sha256", unique=True),
    Index("enrolment_codes_by_robot", "robot_id"),
)

robot_certificates = Table(
    "robot_certificates",
    metadata,
    nth(),
    Column("certificate_sha256", ID, nullable=False),
    Column("robot_id", ID, ForeignKey("robots.robot_id"), nullable=False),
    Column("issued_at_s", Double, nullable=False),
    Column("expires_at_s", Double, nullable=False),
    Column("serial", ID),
    Column("superseded", as_json(_superseded_to_object, _superseded_from_object), nullable=False),
    Index("robot_certificates_by_sha256", "certificate_sha256", unique=True),
    Index("robot_certificates_by_robot", "robot_id"),
)

broker_passwords = Table(
    "broker_passwords",
    metadata,
    nth(),
    Column("token_sha256", ID, nullable=False),
    Column("robot_id", ID, ForeignKey("robots.robot_id"), nullable=False),
    Column("password_hash", Text, nullable=False),
    Index("broker_passwords_by_sha256", "token_sha256", unique=True),
)

ended_credentials = Table(
    "ended_credentials",
    metadata,
    nth(),
    Column("credential_sha256", ID, nullable=False),
    Column("robot_id", ID, ForeignKey("robots.robot_id"), nullable=False),
    Column("serial", ID),
    Column("ended_at_s", Double, nullable=False),
    Column("expires_at_s", Double),
    Index("ended_credentials_by_sha256", "credential_sha256", unique=True),
)

downloads = Table(
    "downloads",
    metadata,
    nth(),
    Column("robot_id", ID, ForeignKey("robots.robot_id"), nullable=False),
    Column("day", BigInteger, nullable=False),
    Column("files", as_json(_files_to_object, _files_from_object), nullable=False),
    Index("downloads_by_robot", "robot_id", unique=True),
)

generations = Table(
    "generations",
    metadata,
    nth(),
    Column("name", ID, nullable=False),
    Column("number", BigInteger, nullable=False),
    Index("generations_by_name", "name", unique=True),
)

TABLE_OF: dict[type, Table] = {
    EnrolmentCode: enrolment_codes,
    RobotCertificate: robot_certificates,
    BrokerPassword: broker_passwords,
    EndedCredential: ended_credentials,
    DownloadsOfDay: downloads,
    Generation: generations,
}
