"""What the fleet keeps of each robot's health: sums and first events, enough for gates and triggers to judge by.

Messages are folded into one row per robot when they arrive, so what looks at all robots reads rows and no events.
A robot counts for one rollout at a time, the newest of its sku, and in it as one of the others until it is offered the
release, then for nothing until its update has settled, and from then on for the release.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from surefoot.fleet.health_sums import NO_QUARTER, NOTHING, Quarter, Totals
from surefoot.rollout.metrics import Metric


class Arm(StrEnum):
    """What a robot's words count for in its rollout."""

    OTHERS = "others"
    SETTLING = "settling"
    UPDATED = "updated"


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A robot's place in the rollout that it counts for, "" for none; times are Unix seconds.

    `stratum` is the version it ran and how much of the day it is on when its place began at `since_s`. It was offered
    the release at `offered_at_s` and speaks for it from `settles_at_s` on. `first_s` tells when it first had an event
    that counts. `arm` is what the sums of the open quarter of an hour belong to.
    """

    rollout_id: str = ""
    stratum: str = ""
    since_s: float = 0.0
    offered_at_s: float | None = None
    settles_at_s: float | None = None
    arm: Arm = Arm.OTHERS
    first_s: dict[Metric, float] = msgspec.field(default_factory=dict)

    def arm_at(self, at_s: float) -> Arm:
        """Return what words of this time count for."""
        if self.offered_at_s is None:
            return Arm.OTHERS
        return Arm.UPDATED if self.settles_at_s is not None and self.settles_at_s <= at_s else Arm.SETTLING


class Sums(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a robot told: before its rollout, in it as one of the others, and for the release.

    `since_update` counts from the update on, settled or not. `quarter` is the open quarter of an hour of its arm, and
    `quarter_before` the last one that is complete.
    """

    before: Totals = NOTHING
    others: Totals = NOTHING
    updated: Totals = NOTHING
    since_update: Totals = NOTHING
    quarter: Quarter = NO_QUARTER
    quarter_before: Quarter = NO_QUARTER


class Signs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What tells messages and events apart; times are Unix seconds.

    (`epoch`, `boot`, `number`) is the newest window, or report, that was counted. The robot runs the release of
    `updated_by` since `updated_at_s`, in boot `updated_boot` first. `reboots_s` are its last restarts, of which
    `reboots_told` came since its last window. It is online since `online_since_s`; its newest window came at
    `told_at_s`, the time that its windows tell of ends at `told_until_s`; the newest with diagnostics in it came at
    `diagnostics_at_s`, and `untold_s` is how long the windows without any were together since. `absence_s` is the
    longest that it was not heard of lately, found at `absence_at_s`.
    """

    epoch: str = ""
    past_epoch: str = ""
    boot: int = -1
    number: int = -1
    updated_by: str = ""
    updated_at_s: float | None = None
    updated_boot: int = -1
    reboots_s: tuple[float, ...] = ()
    reboots_told: int = 0
    online_since_s: float | None = None
    told_at_s: float | None = None
    told_until_s: float | None = None
    diagnostics_at_s: float | None = None
    untold_s: float = 0.0
    absence_s: float = 0.0
    absence_at_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotHealth:
    """Everything that gates and triggers know of one robot."""

    robot_id: str
    sku: str
    place: Place = field(default_factory=Place)
    sums: Sums = field(default_factory=Sums)
    signs: Signs = field(default_factory=Signs)
