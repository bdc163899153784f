"""Pins: robots that a person holds where they are, whatever rollouts bring."""

from dataclasses import dataclass

from surefoot.fleet.model import HistoryEntry, Release
from surefoot.fleet.ports import Rows
from surefoot.wire.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A robot that is offered nothing but the release named, or nothing at all; who wants that, why, and since when."""

    robot_id: str
    release_id: str | None
    reason: str
    pinned_by: str
    pinned_at_s: float


def pin_robot(rows: Rows, robot_id: str, release_id: str | None, reason: str, now_s: float, who: str) -> Pin:
    """Pin a robot, in place of the pin it may have.

    Raises:
        Refused: `not-found-robot`, `not-found-release`, `refused-sku-mismatch`, `refused-reason-missing`.
    """
    robot = rows.robot(robot_id)
    if robot is None:
        raise Refused("not-found-robot", f"The fleet has no robot {robot_id}: look at the list of robots.")
    if not reason.strip():
        raise Refused("refused-reason-missing", "A pin needs a reason: say why, for whoever wonders later.")
    release = None if release_id is None else rows.get(Release, release_id)
    if release_id is not None and release is None:
        raise Refused("not-found-release", f"There is no release {release_id}: list the releases.")
    if release is not None and release.sku != robot.sku:
        detail = f"Release {release_id} is for {release.sku}, robot {robot_id} is a {robot.sku}: name another release."
        raise Refused("refused-sku-mismatch", detail)
    pin = Pin(robot_id=robot_id, release_id=release_id, reason=reason, pinned_by=who, pinned_at_s=now_s)
    rows.put(pin)
    to = "where it is" if release is None else f"to {release.version}"
    rows.add_history(HistoryEntry(robot_id=robot_id, at_s=now_s, kind="pinned", text=f"Pinned {to}: {reason}"))
    return pin


def unpin_robot(rows: Rows, robot_id: str, now_s: float) -> Pin:
    """Let rollouts reach the robot again; return the pin it had; `Refused` (`not-found-pin`)."""
    pin = rows.get(Pin, robot_id)
    if pin is None:
        raise Refused("not-found-pin", f"Robot {robot_id} is not pinned: list the pins.")
    rows.drop(Pin, robot_id)
    rows.add_history(HistoryEntry(robot_id=robot_id, at_s=now_s, kind="pinned", text="Not pinned any more."))
    return pin


def is_kept_from(rows: Rows, robot_id: str, release_id: str) -> bool:
    """Whether a pin keeps the robot from this release."""
    pin = rows.get(Pin, robot_id)
    return pin is not None and pin.release_id != release_id


def kept_from(rows: Rows, release_id: str) -> frozenset[str]:
    """Return the ids of all robots that a pin keeps from this release."""
    return frozenset(pin.robot_id for pin in rows.find(Pin) if pin.release_id != release_id)
