"""Which rollout takes a robot next, and the named refusal when none does."""

from dataclasses import dataclass

from surefoot.fleet.model import Assignment, Release, Robot, Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.rollout.door import Door, refusal
from surefoot.wire.version import Version

CLOSED_BY = {RolloutState.PAUSED: "paused", RolloutState.HALTED: "halted"}


def count_places_taken(rows: Rows, rollout: Rollout) -> int:
    """Count the places of the plan's capacity that are taken.

    A finished rollout counts none: nobody looks at it any more, so who fell silent there would keep its place for ever.
    """
    return 0 if rollout.state is RolloutState.FINISHED else rows.count_open(rollout.rollout_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """A rollout with its release, and its door as every robot meets it at this moment."""

    rollout: Rollout
    release: Release
    door: Door


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The newest rollout that would take the robot now, or why none would (`wire.codes.NAMED_REFUSALS`)."""

    entrance: Entrance | None
    refusal: str | None


class Doors:
    """The doors of all rollouts, each looked at once; good for one transaction."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._rollouts: dict[str, list[Rollout]] = {}
        self._entrances: dict[str, Entrance | None] = {}

    def find(self, robot: Robot, current: Assignment | None, running: Version | None) -> Found:
        """Look for a rollout newer than the robot's current assignment, the newest first."""
        refused = None
        for rollout in self._of(robot.sku):
            if current is not None and current.rollout_id == rollout.rollout_id:
                return Found(entrance=None, refusal=refused)
            entrance = self._entrance(rollout)
            if entrance is None:
                continue
            why = refusal(entrance.door, robot.robot_id, running)
            if why is None:
                return Found(entrance=entrance, refusal=None)
            refused = refused or why
        return Found(entrance=None, refusal=refused or "no-rollout")

    def _of(self, sku: str) -> list[Rollout]:
        if sku not in self._rollouts:
            self._rollouts[sku] = self._rows.find(Rollout, newest_first=True, sku=sku)
        return self._rollouts[sku]

    def _entrance(self, rollout: Rollout) -> Entrance | None:
        if rollout.rollout_id not in self._entrances:
            release = self._rows.get(Release, rollout.release_id)
            self._entrances[rollout.rollout_id] = (
                None
                if release is None
                else Entrance(rollout=rollout, release=release, door=self._door(rollout, release))
            )
        return self._entrances[rollout.rollout_id]

    def _door(self, rollout: Rollout, release: Release) -> Door:
        return Door(
            plan=rollout.plan,
            salt=rollout.salt,
            phase=rollout.phase,
            closed_by=CLOSED_BY.get(rollout.state),
            version=release.version,
            open_assignments=count_places_taken(self._rows, rollout),
        )
