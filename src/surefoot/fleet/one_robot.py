"""Rollouts for one robot alone: when none begins, and where they stand among those for the whole of its sku."""

from collections.abc import Iterable

from surefoot.fleet.model import Assignment, Facts, Lacking, Release, Robot, Rollout, RolloutState
from surefoot.fleet.pins import Pin
from surefoot.fleet.ports import Rows
from surefoot.wire.errors import Refused

# At its end such a rollout leaves the robot to the others, where those bring more.
_ENDED = (RolloutState.FINISHED, RolloutState.HALTED)


def require_installable(rows: Rows, robot_id: str, release: Release, *, force: bool) -> None:
    """Refuse a rollout for one robot that could never offer it the release, or has nothing to do.

    Raises:
        Refused: `not-found-robot`, `refused-sku-mismatch`, `refused-pin-state` where a person pinned the robot,
            `refused-robot-state` where it runs the release already, and `force` is not set, or a newer version.
    """
    robot = rows.robot(robot_id)
    if robot is None:
        raise Refused("not-found-robot", f"The fleet has no robot {robot_id}: look at the list of robots.")
    if release.sku != robot.sku:
        detail = f"Release {release.release_id} is for {release.sku}, robot {robot_id} is a {robot.sku}: name another."
        raise Refused("refused-sku-mismatch", detail)
    pin = rows.get(Pin, robot_id)
    if pin is not None and pin.release_id != release.release_id:
        detail = f"{pin.pinned_by} pinned robot {robot_id} ({pin.reason}): unpin it first, or leave it where it is."
        raise Refused("refused-pin-state", detail)
    _require_change(robot, rows.facts(robot_id), release, force=force)


def _require_change(robot: Robot, facts: Facts | None, release: Release, *, force: bool) -> None:
    running = None if facts is None else facts.running_version
    if running is not None and running > release.version:
        detail = f"Robot {robot.robot_id} runs {running}, newer than {release.version}: recall leads robots back."
        raise Refused("refused-robot-state", detail)
    if facts is not None and facts.report.running.digest == release.digest and not force:
        detail = f"Robot {robot.robot_id} runs {release.version} already: with --force it installs it once more."
        raise Refused("refused-robot-state", detail)


def in_order(rows: Rows, robot: Robot, current: Assignment | None, for_all: list[Rollout]) -> list[Rollout]:
    """Return the sku's rollouts `for_all` with those for the robot alone among them, the newest first.

    Of the latter those that have finished have nothing more to do, unless the robot's assignment is of one.
    """
    current_id = None if current is None else current.rollout_id
    own = [
        rollout
        for rollout in rows.find(Rollout, newest_first=True, sku=robot.sku, only_robot_id=robot.robot_id)
        if rollout.state is not RolloutState.FINISHED or rollout.rollout_id == current_id
    ]
    ordered: list[Rollout] = []
    for rollout in own:
        newer = _newer(rows, rollout)
        ordered += [*(other for other in for_all if other.rollout_id in newer), rollout]
        for_all = [other for other in for_all if other.rollout_id not in newer]
    return ordered + for_all


def left_to_others(rows: Rows, rollout: Rollout) -> Release | None:
    """Return the release of a rollout that leaves its one robot to older ones that bring more, None if it does not."""
    lets_go = rollout.only_robot_id is not None and rollout.state in _ENDED
    return rows.get(Release, rollout.release_id) if lets_go else None


def overtaken_by(rows: Rows, rollout: Rollout) -> str | None:
    """Return the newer rollout that took the one robot that this one is for, which has nothing more to do then."""
    newest = None if rollout.only_robot_id is None else rows.newest_assignment(rollout.only_robot_id)
    if newest is None or newest.rollout_id == rollout.rollout_id:
        return None
    # Of all newer ones there may be thousands, and each of them is asked this.
    found = rows.find(Rollout, limit=1, after=rollout.rollout_id, rollout_id=newest.rollout_id)
    return newest.rollout_id if found else None


def robots_without(rows: Rows, rollout: Rollout, after: str) -> Iterable[Lacking]:
    """Return the robots that a rollout is for and that have no assignment from it, in order of id behind this one."""
    robot_id = rollout.only_robot_id
    if robot_id is None:
        return rows.robots_without(rollout.rollout_id, rollout.sku, after)
    is_there = robot_id > after and rows.robot(robot_id) is not None
    if not is_there or rows.assignment_for(rollout.rollout_id, robot_id) is not None:
        return ()
    facts, newest = rows.facts(robot_id), rows.newest_assignment(robot_id)
    running = None if facts is None else facts.report.running
    return (
        Lacking(
            robot_id=robot_id,
            heard_at_s=None if facts is None else facts.heard_at_s,
            running_version=None if running is None else running.version,
            running_digest=None if running is None else running.digest,
            newest_rollout_id=None if newest is None else newest.rollout_id,
        ),
    )


def _newer(rows: Rows, rollout: Rollout) -> set[str]:
    found = rows.find(Rollout, after=rollout.rollout_id, sku=rollout.sku, only_robot_id=None)
    return {newer.rollout_id for newer in found}
