"""Robots and keys as operators send and get them."""

import base64
from typing import Any, Self

from pydantic import Field

from surefoot.fleet.broker_access import PASSWORD_HASH
from surefoot.fleet.model import Assignment, Facts, HistoryEntry, Key, KeyState, Status
from surefoot.fleet.robots import RobotStatus
from surefoot.server.operators.models import Model
from surefoot.trust.keys import PublicKey
from surefoot.wire.errors import Refused
from surefoot.wire.report import report_to_object


class RobotIn(Model):
    """A robot to enrol; who brings the SHA-256 of a token of their own keeps the token to themselves.

    With the hash beside it the token serves as a password at the MQTT broker too.
    """

    robot_id: str
    sku: str
    token_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    broker_password_hash: str | None = Field(default=None, pattern=f"^{PASSWORD_HASH}$")


class EnrolledOut(Model):
    """A new robot; `token` is shown this once, and null when the operator brought their own."""

    robot_id: str
    sku: str
    token: str | None


class AssignmentOut(Model):
    """One release for one robot."""

    assignment_id: str
    rollout_id: str
    release_id: str
    attempt: int
    status: Status
    code: str | None
    assigned_at_s: float
    status_since_s: float
    installed_at_s: float | None

    @classmethod
    def of(cls, assignment: Assignment) -> Self:
        """Show an assignment."""
        return cls(**{name: getattr(assignment, name) for name in cls.model_fields})


class RobotOut(Model):
    """A robot, what it runs, what it should run, and the verdict on the difference."""

    robot_id: str
    sku: str
    enrolled_at_s: float
    heard_at_s: float | None
    status: Status
    code: str | None
    reason: str
    silent_since_s: float | None
    running_version: str | None
    running_digest: str | None
    running_state: str | None
    wanted_version: str | None
    wanted_digest: str | None
    version_floor: str | None
    assignment: AssignmentOut | None

    @classmethod
    def of(cls, status: RobotStatus) -> Self:
        """Show a robot's status."""
        return cls(**_robot_fields(status))


class HistoryOut(Model):
    """One thing that happened to a robot."""

    at_s: float
    kind: str
    text: str

    @classmethod
    def of(cls, entry: HistoryEntry) -> Self:
        """Show a history entry."""
        return cls(at_s=entry.at_s, kind=entry.kind, text=entry.text)


class RobotDetailOut(RobotOut):
    """A robot with its latest report, as it sent it, and its history, newest first.

    `no_offer` is the named refusal under which no rollout newer than its assignment takes it, null where none refuses.
    """

    no_offer: str | None
    report: dict[str, Any] | None
    history: list[HistoryOut]

    @classmethod
    def of(cls, status: RobotStatus) -> Self:
        """Show everything about a robot."""
        return cls(
            **_robot_fields(status),
            no_offer=status.no_offer,
            report=None if status.facts is None else report_to_object(status.facts.report),
            history=[HistoryOut.of(entry) for entry in status.history],
        )


class RobotsOut(Model):
    """A page of robots; `next_after` continues the list, null at its end."""

    robots: list[RobotOut]
    next_after: str | None


class KeyIn(Model):
    """A public key to trust: the base64 of its DER encoding."""

    name: str = Field(min_length=1, max_length=64)
    der_base64: str = Field(max_length=1024)

    def der(self) -> bytes:
        """Return the key's DER; `Refused` (`refused-key-format`)."""
        try:
            return base64.b64decode(self.der_base64, validate=True)
        except ValueError:
            raise Refused("refused-key-format", "der_base64 is not base64: encode the DER public key.") from None


class KeyOut(Model):
    """A trusted key."""

    key_id: str
    short_id: str
    name: str
    state: KeyState
    added_at_s: float
    der_base64: str

    @classmethod
    def of(cls, key: Key) -> Self:
        """Show a key."""
        public_key = PublicKey.from_xy(key.public_key_xy)
        return cls(
            key_id=key.key_id,
            short_id=public_key.short_id,
            name=key.name,
            state=key.state,
            added_at_s=key.added_at_s,
            der_base64=base64.b64encode(public_key.der).decode(),
        )


class KeysOut(Model):
    """All keys, oldest first."""

    keys: list[KeyOut]


def _robot_fields(status: RobotStatus) -> dict[str, Any]:
    facts: Facts | None = status.facts
    running = None if facts is None else facts.report.running
    return {
        "robot_id": status.robot.robot_id,
        "sku": status.robot.sku,
        "enrolled_at_s": status.robot.enrolled_at_s,
        "heard_at_s": None if facts is None else facts.heard_at_s,
        "status": status.verdict.status,
        "code": status.verdict.code,
        "reason": status.verdict.reason,
        "silent_since_s": status.verdict.silent_since_s,
        "running_version": None if running is None else running.version,
        "running_digest": None if running is None else running.digest,
        "running_state": None if running is None else running.state,
        "wanted_version": None if status.wanted_version is None else str(status.wanted_version),
        "wanted_digest": status.wanted_digest,
        "version_floor": None if facts is None else facts.report.version_floor,
        "assignment": None if status.assignment is None else AssignmentOut.of(status.assignment),
    }
