"""The number that tells every process of a server that answers it remembers may have changed.

It is counted up in the transaction of each write that could turn "nothing for you" into something else, for any robot.
"""

from dataclasses import dataclass, replace
from typing import Any

from surefoot.fleet.enrolment import RobotCertificate
from surefoot.fleet.model import Assignment, Release, Robot, Rollout
from surefoot.fleet.pins import Pin
from surefoot.fleet.ports import Rows

CHECKS = "checks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """How often what `name` stands for has changed."""

    name: str
    number: int


def generation(rows: Rows) -> int:
    """Return the number as this transaction sees it."""
    known = rows.get(Generation, CHECKS)
    return 0 if known is None else known.number


def begin_generation(rows: Rows) -> int:
    """Count up, and return the new number."""
    number = generation(rows) + 1
    rows.put(Generation(name=CHECKS, number=number))
    return number


def matters(before: Any, after: Any) -> bool:
    """Whether a row written from `before` to `after` (None: no row) may change what another check is answered.

    A robot or a certificate that is new has not been answered yet, and an engine that only looked at a rollout opened
    no door.
    """
    match after if after is not None else before:
        case Rollout():
            return before is None or after is None or _door_of(before) != _door_of(after)
        case Robot():
            return before is not None and before != after
        case RobotCertificate():
            return after is None
        case Release() | Assignment() | Pin():
            return bool(before != after)
        case _:
            return False


def _door_of(rollout: Rollout) -> Rollout:
    return replace(rollout, looked_at_s=0.0, watched_since_s=0.0, soaked_s=0.0, reason="")
