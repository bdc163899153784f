"""Whether a rollout's door is open for one robot now, and the named refusal when it is not."""

from dataclasses import dataclass

from surefoot.rollout.membership import phase_of
from surefoot.rollout.plan import Plan
from surefoot.wire.version import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A rollout as one robot meets it.

    `closed_by` is the named refusal of a paused or halted rollout; `open_assignments` counts offers too; `is_wave_full`
    tells that the ramp lets nobody else be offered the release now.
    """

    plan: Plan
    salt: bytes
    phase: int
    closed_by: str | None
    version: Version
    open_assignments: int
    is_wave_full: bool = False


def refusal(door: Door, robot_id: str, running_version: Version | None, *, is_pinned: bool = False) -> str | None:
    """Return why the robot gets no assignment from this rollout now, or None when it does.

    `is_pinned` tells that a person keeps the robot from the release. Maintenance windows are not looked at: whoever
    knows where the robot stands asks `rollout.maintenance` once everything else lets it in.
    """
    return kept_out(door, robot_id, is_pinned=is_pinned) or refusal_by_version(door, running_version)


def kept_out(door: Door, robot_id: str, *, is_pinned: bool = False) -> str | None:
    """Return the part of `refusal` that does not need to know what the robot runs."""
    if door.closed_by is not None:
        return door.closed_by
    if robot_id in door.plan.exclude:
        return "excluded"
    if is_pinned:
        return "pinned"
    if phase_of(door.plan, door.salt, robot_id) > door.phase:
        return "phase-closed"
    return None


def refusal_by_version(door: Door, running_version: Version | None) -> str | None:
    """Return the rest of `refusal`."""
    if running_version is not None and running_version > door.version:
        return "newer-version"
    if door.is_wave_full:
        return "wave-full"
    if door.open_assignments >= door.plan.capacity:
        return "at-capacity"
    return None
