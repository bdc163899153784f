"""What people decide beside a plan, and who waits, as operators send and get it."""

from typing import Self

from pydantic import Field

from surefoot.fleet.approvals import Approval
from surefoot.fleet.pins import Pin
from surefoot.fleet.waiting import Group, Waiting
from surefoot.fleet.zones import ZONE_CHARS_MAX
from surefoot.server.operators.models import Model
from surefoot.wire import limits


class ApprovalIn(Model):
    """The phase that may open, by its name, or null for the next that waits for a word; and why."""

    phase: str | None = Field(default=None, max_length=limits.NAME_CHARS_MAX)
    reason: str = Field(default="", max_length=500)


class ApprovalOut(Model):
    """Who let a phase open, why and when; `phase` is its index."""

    phase: int
    approved_by: str
    reason: str
    approved_at_s: float

    @classmethod
    def of(cls, approval: Approval) -> Self:
        """Show an approval."""
        return cls(**{name: getattr(approval, name) for name in cls.model_fields})


class GroupOut(Model):
    """So many robots that wait for the same reason, some of them by name."""

    code: str
    why: str
    robots: int
    robot_ids: list[str]

    @classmethod
    def of(cls, group: Group) -> Self:
        """Show a group."""
        return cls(code=group.code, why=group.why, robots=group.robots, robot_ids=list(group.robot_ids))


class WaitingOut(Model):
    """Who waits in a rollout, the largest group first; `is_complete` unless the fleet is too large to be counted.

    `without_offer` counts the robots that the rollout still has to reach; the others in the groups have an offer.
    """

    groups: list[GroupOut]
    without_offer: int
    is_complete: bool

    @classmethod
    def of(cls, waiting: Waiting) -> Self:
        """Show who waits."""
        return cls(
            groups=[GroupOut.of(group) for group in waiting.groups],
            without_offer=waiting.without_offer,
            is_complete=waiting.is_complete,
        )


class InstallIn(Model):
    """The release that one robot is to install, why, and whether it does so though it runs that already."""

    release_id: str
    reason: str = Field(max_length=500)
    force: bool = False


class PinIn(Model):
    """The only release that the robot may be offered, null for none; and why."""

    release_id: str | None = None
    reason: str = Field(default="", max_length=500)


class PinOut(Model):
    """A pinned robot."""

    robot_id: str
    release_id: str | None
    reason: str
    pinned_by: str
    pinned_at_s: float

    @classmethod
    def of(cls, pin: Pin) -> Self:
        """Show a pin."""
        return cls(**{name: getattr(pin, name) for name in cls.model_fields})


class PinsOut(Model):
    """All pins, oldest first."""

    pins: list[PinOut]


class ZoneModel(Model):
    """A robot's time zone, such as `Europe/Berlin`."""

    zone: str = Field(max_length=ZONE_CHARS_MAX)
