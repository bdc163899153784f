"""The walk through the robots that lack a rollout's release: what keeps each from it, said by one rule for all who ask.

The engine counts whom it waits for, people see who waits and why, and over MQTT those are called that would be taken.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

from surefoot.fleet.doors import held_for
from surefoot.fleet.keys import signers_of
from surefoot.fleet.model import Facts, Lacking, Release, Rollout
from surefoot.fleet.one_robot import overtaken_by, robots_without
from surefoot.fleet.pins import kept_from
from surefoot.fleet.ports import Rows
from surefoot.fleet.way_back import release_before
from surefoot.rollout.door import Door, kept_out, refusal_by_version

# More robots than this nobody asks one by one which keys they trust: those who do not are what remains in the end.
KEYS_ASKED_MAX = 2000
# A newer rollout has the robot; or nobody asks about it, as on the way back about who does not run what was recalled.
NEWER, ELSEWHERE = "newer-rollout", "elsewhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked: whether maintenance windows (`by_the_clock`) and trusted keys (`by_the_key`) count, and of whom.

    The walk goes through the ids in order, begins behind `after`, and ends after `looked_at_max` robots. `only` are the
    robots that are meant, None for all of the sku.
    """

    by_the_clock: bool = False
    by_the_key: bool = False
    only: Collection[str] | None = None
    after: str = ""
    looked_at_max: int | None = None


ALL = Asked()


def lacking(
    rows: Rows, rollout: Rollout, release: Release, now_s: float, door: Door, asked: Asked = ALL
) -> Iterator[tuple[Lacking, str | None]]:
    """Yield robots without an assignment from the rollout, each with what keeps it from one now, None for nothing.

    `door` is the rollout's, as the asker takes it to be (`fleet.doors.door_of`, `open_door`); `now_s` in Unix seconds.
    """
    recalled = None if rollout.rolls_back is None else rows.get(Release, rollout.rolls_back)
    kept = kept_from(rows, release.release_id) if rollout.rolls_back is None else frozenset()
    has_windows = asked.by_the_clock and bool(rollout.plan.maintenance_windows)
    newer, keys_asked = _newer(rows, rollout), 0 if asked.by_the_key else KEYS_ASKED_MAX
    for robot in islice(robots_without(rows, rollout, asked.after), asked.looked_at_max):
        robot_id = robot.robot_id
        if asked.only is not None and robot_id not in asked.only:
            yield robot, ELSEWHERE
        elif robot.newest_rollout_id in newer:
            yield robot, NEWER
        elif recalled is not None and robot.running_digest != recalled.digest:
            yield robot, ELSEWHERE
        else:
            code = kept_out(door, robot_id, is_pinned=robot_id in kept)
            if code is None:
                # The way back leads downwards.
                code = refusal_by_version(door, None if recalled is not None else robot.version)
            if code is None and keys_asked < KEYS_ASKED_MAX and not is_unheard(rollout, robot, now_s):
                keys_asked += 1
                facts = rows.facts(robot_id)
                own = release if recalled is None else release_before(rows, facts, release)
                code = None if trusts(facts, own) else "untrusted-key"
            if code is None and has_windows:
                code = held_for(rows, rollout, release, robot_id, now_s)
            yield robot, code


def trusts(facts: Facts | None, release: Release) -> bool:
    """Whether a robot trusts the keys that signed a release, or does not say which it trusts."""
    trusted = () if facts is None else facts.report.trusted_keys
    return not trusted or signers_of(release).issubset(trusted)


def is_unheard(rollout: Rollout, robot: Lacking, now_s: float) -> bool:
    """Whether a robot has said nothing for longer than the plan's silence deadline, or never."""
    return robot.heard_at_s is None or now_s - robot.heard_at_s > rollout.plan.silence_deadline_s


def _newer(rows: Rows, rollout: Rollout) -> Collection[str | None]:
    """Return the newer rollouts, as far as they may have a robot that this one is for."""
    if rollout.only_robot_id is not None:
        taker = overtaken_by(rows, rollout)
        return () if taker is None else (taker,)
    return {known.rollout_id for known in rows.find(Rollout, after=rollout.rollout_id, sku=rollout.sku)}
