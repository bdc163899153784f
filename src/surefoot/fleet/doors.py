"""Which rollout takes a robot next, and the named refusal when none does.

Of several rollouts of one sku the newest open door wins: newest first, each is asked, and the first that would take the
robot now does. A robot that has an assignment is asked only by rollouts newer than that. What is closed, full or meant
for others lets the older ones have their turn, so a release that is held up does not keep robots from the one before.
"""

from dataclasses import dataclass, replace
from functools import partial

from surefoot.fleet.alarms import open_alarm
from surefoot.fleet.keys import is_barred, signers_of
from surefoot.fleet.model import Assignment, Release, Robot, Rollout, RolloutState
from surefoot.fleet.one_robot import in_order, left_to_others
from surefoot.fleet.pins import is_kept_from
from surefoot.fleet.ports import Rows
from surefoot.fleet.rotation import Rotation
from surefoot.fleet.way_back import release_before, runs
from surefoot.fleet.zones import week_min
from surefoot.rollout.door import Door, refusal
from surefoot.rollout.maintenance import wait_min
from surefoot.wire.formats import ROBO
from surefoot.wire.version import Version

CLOSED_BY = {RolloutState.PAUSED: "paused", RolloutState.HALTED: "halted"}


# Rollouts of one sku read at once; the walk ends at the newest finished one, which takes everyone.
FEW = 4


def closed_by(rows: Rows, rollout: Rollout, release: Release) -> str | None:
    """Return the named refusal under which a rollout offers this release to nobody, or None."""
    if release.recalled_at_s is not None:
        return "halted"
    if rollout.state is RolloutState.RUNNING and open_alarm(rows, rollout.rollout_id) is not None:
        # A trigger fired: nobody is offered the release until the engine has halted the rollout.
        return "halted"
    return CLOSED_BY.get(rollout.state) or ("key-revoked" if is_barred(rows, release) else None)


def is_wave_full(rows: Rows, rollout: Rollout) -> bool:
    """Whether the ramp lets nobody else be offered the rollout's release until the engine looks again."""
    return rollout.offers_max is not None and rows.count_offered(rollout.rollout_id) >= rollout.offers_max


def door_of(rows: Rows, rollout: Rollout, release: Release) -> Door:
    """Return the rollout's door for this release as it is now."""
    return replace(
        open_door(rollout, release),
        closed_by=closed_by(rows, rollout, release),
        open_assignments=rows.count_open(rollout.rollout_id),
        is_wave_full=is_wave_full(rows, rollout),
    )


def open_door(rollout: Rollout, release: Release) -> Door:
    """Return the door as if nothing but its plan and its open phase kept robots out."""
    return Door(
        plan=rollout.plan,
        salt=rollout.salt,
        phase=rollout.phase,
        closed_by=None,
        version=release.version,
        open_assignments=0,
    )


def held_for(rows: Rows, rollout: Rollout, release: Release, robot_id: str, now_s: float) -> str | None:
    """Return the named refusal under which one robot, of all that the rollout has, is offered nothing now, or None.

    What leads robots back from a recalled release goes before all that people arranged for quieter times.
    """
    if rollout.rolls_back is not None:
        return None
    if robot_id in rollout.plan.exclude:
        return "excluded"
    if is_kept_from(rows, robot_id, release.release_id):
        return "pinned"
    return "outside-window" if _is_outside(rows, rollout, robot_id, now_s) else None


def depends_on_time(rows: Rows, robot: Robot) -> bool:
    """Whether a robot that gets nothing now may get something later without anything being written."""
    find = partial(rows.find, Rollout, sku=robot.sku)
    running = [one for only in (None, robot.robot_id) for one in find(only_robot_id=only, state=RolloutState.RUNNING)]
    # The newest finished one goes on to take robots that join late.
    finished = find(newest_first=True, limit=FEW, state=RolloutState.FINISHED, only_robot_id=None)
    return any(rollout.plan.maintenance_windows for rollout in (*running, *finished))


def _is_outside(rows: Rows, rollout: Rollout, robot_id: str, now_s: float) -> bool:
    windows = rollout.plan.maintenance_windows
    if not windows:
        return False
    # Where nobody knows what time it is there, it is not the time.
    there_min = week_min(rows, robot_id, now_s)
    return there_min is None or wait_min(windows, there_min) > 0


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
    """The doors of all rollouts, each looked at once; good for one transaction.

    `formats` are those (`wire.formats`) that the robots who ask can install; Surefoot's own agent takes one.
    """

    def __init__(self, rows: Rows, now_s: float, formats: tuple[str, ...] = (ROBO,)) -> None:
        self._rows = rows
        self._now_s = now_s
        self._formats = formats
        self._rollouts: dict[str, list[Rollout]] = {}
        self._entrances: dict[str, Entrance | None] = {}

    def find(
        self, robot: Robot, current: Assignment | None, running: Version | None, trusted: tuple[str, ...] = ()
    ) -> Found:
        """Look for a rollout newer than the robot's current assignment, the newest first.

        A robot that is being led back may go on to any release above the recalled one, whichever rollout came first, as
        may one that was updated alone to any above that.
        `trusted` are the ids of the keys that the robot says it trusts, none where it does not say.
        """
        rollouts = in_order(self._rows, robot, current, self._of(robot.sku))
        found = self._look(rollouts, robot, current, running, trusted)
        if found.refusal != "untrusted-key":
            return found
        # What the robot needs first may lie behind a finished rollout that takes all others.
        late = self._look(self._transitions(robot.sku), robot, current, running, trusted)
        return found if late.entrance is None else late

    def _look(
        self,
        rollouts: list[Rollout],
        robot: Robot,
        current: Assignment | None,
        running: Version | None,
        trusted: tuple[str, ...],
    ) -> Found:
        refused = None
        above: Version | None = None
        for rollout in rollouts:
            if current is not None and current.rollout_id == rollout.rollout_id:
                left = self._recalled(rollout) or left_to_others(self._rows, rollout)
                if left is None:
                    break
                above = left.version
                continue
            entrance = self._entrance(rollout)
            if entrance is None or (above is not None and not self._goes_on(entrance, robot, above)):
                continue
            version = running
            if rollout.rolls_back is not None:
                back = self._way_back(entrance, robot)
                if back is None:
                    continue
                # It leads downwards, for whoever runs what was recalled.
                entrance, version = back, None
            why = self._unfit(entrance.release, trusted) or self._shut(entrance, robot.robot_id, version)
            if why is None:
                return Found(entrance=entrance, refusal=None)
            refused = refused or why
        nothing = None if current is not None else "no-rollout"
        return Found(entrance=None, refusal=refused or nothing)

    def _goes_on(self, entrance: Entrance, robot: Robot, above: Version) -> bool:
        is_above = entrance.release.version > above
        return is_above and self._rows.assignment_for(entrance.rollout.rollout_id, robot.robot_id) is None

    def _shut(self, entrance: Entrance, robot_id: str, running: Version | None) -> str | None:
        """Return why the rollout does not take the robot now; what one robot costs a look is asked last."""
        why = refusal(entrance.door, robot_id, running)
        if why in (None, "wave-full", "at-capacity"):
            return held_for(self._rows, entrance.rollout, entrance.release, robot_id, self._now_s) or why
        return why

    def _unfit(self, release: Release, trusted: tuple[str, ...]) -> str | None:
        """Return why a robot could not install a release, whatever its rollout allows."""
        if release.format not in self._formats:
            return "wrong-format"
        # It would refuse, and that refusal be its last word on the rollout.
        return "untrusted-key" if trusted and not signers_of(release).issubset(trusted) else None

    def _transitions(self, sku: str) -> list[Rollout]:
        """Return the rollouts of a sku's transition releases, the newest first."""
        ids = [rotation.transition_of(sku) for rotation in self._rows.find(Rotation, newest_first=True)]
        return [
            rollout
            for release_id in ids
            if release_id is not None
            for rollout in self._rows.find(Rollout, newest_first=True, release_id=release_id, only_robot_id=None)
        ]

    def _of(self, sku: str) -> list[Rollout]:
        if sku not in self._rollouts:
            self._rollouts[sku] = self._find(sku)
        return self._rollouts[sku]

    def _find(self, sku: str) -> list[Rollout]:
        """Return those for all robots that may take one, the newest first, without reading every finished one."""
        nearer: list[Rollout] = []
        find = partial(self._rows.find, Rollout, newest_first=True, sku=sku, only_robot_id=None)
        while page := find(limit=FEW, after=nearer[-1].rollout_id if nearer else None):
            for rollout in page:
                nearer.append(rollout)
                if rollout.state is RolloutState.FINISHED and rollout.rolls_back is None:
                    running = find(state=RolloutState.RUNNING)
                    return nearer + [other for other in running if other not in nearer]
        return nearer

    def _way_back(self, entrance: Entrance, robot: Robot) -> Entrance | None:
        """Return the entrance to what the robot ran before, or None when it does not run what was recalled."""
        recalled, facts = self._recalled(entrance.rollout), self._rows.facts(robot.robot_id)
        if recalled is None or not runs(facts, recalled):
            return None
        # It was led back once, and is past that.
        if self._rows.assignment_for(entrance.rollout.rollout_id, robot.robot_id) is not None:
            return None
        release = release_before(self._rows, facts, entrance.release)
        return replace(entrance, release=release, door=door_of(self._rows, entrance.rollout, release))

    def _recalled(self, rollout: Rollout) -> Release | None:
        return None if rollout.rolls_back is None else self._rows.get(Release, rollout.rolls_back)

    def _entrance(self, rollout: Rollout) -> Entrance | None:
        if rollout.rollout_id not in self._entrances:
            release = self._rows.get(Release, rollout.release_id)
            self._entrances[rollout.rollout_id] = (
                None
                if release is None
                else Entrance(rollout=rollout, release=release, door=door_of(self._rows, rollout, release))
            )
        return self._entrances[rollout.rollout_id]
