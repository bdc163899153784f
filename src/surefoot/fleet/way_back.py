"""Which release a robot goes back to when the one it runs is recalled: what it ran before, and who is back."""

from functools import partial

from surefoot.fleet.keys import is_barred
from surefoot.fleet.model import Facts, Release, Rollout, RolloutState, Status
from surefoot.fleet.ports import Rows


def runs(facts: Facts | None, release: Release) -> bool:
    """Whether the robot says that it runs this release's image."""
    return facts is not None and facts.report.running.digest == release.digest


def release_before(rows: Rows, facts: Facts | None, fallback: Release) -> Release:
    """Return the release whose image stands in the robot's spare slot, or else the fallback."""
    spare = None if facts is None else facts.report.spare
    if facts is None or spare is None or spare.digest in (None, facts.report.running.digest):
        return fallback
    held = rows.find(Release, newest_first=True, digest=spare.digest, sku=fallback.sku)
    return next((release for release in held if _is_usable(rows, release)), fallback)


def newest_below(rows: Rows, recalled: Release) -> Release | None:
    """Return the release to go back to where a robot does not tell: the stable one below, else the newest one below."""
    below = [
        release
        for release in rows.find(Release, sku=recalled.sku)
        if release.version < recalled.version and _is_usable(rows, release)
    ]
    return max(below, key=lambda release: (release.stable, release.version), default=None)


def way_back_of(rows: Rows, release: Release, only_robot_id: str | None = None) -> Rollout | None:
    """Return the rollout that may lead robots, or that one alone, back from a release, None where it takes a new one.

    Each robot is led back once by a rollout, so whoever the release reached since by a newer one needs another.
    """
    known = rows.find(Rollout, newest_first=True, limit=1, rolls_back=release.release_id, only_robot_id=only_robot_id)
    if not known or known[0].state is RolloutState.HALTED:
        return None
    since = partial(
        rows.find, Rollout, limit=1, after=known[0].rollout_id, release_id=release.release_id, rolls_back=None
    )
    # What others were brought alone says nothing of the one robot.
    newer = since() if only_robot_id is None else since(only_robot_id=None) + since(only_robot_id=only_robot_id)
    return None if newer else known[0]


def count_led_back(rows: Rows, rollout: Rollout) -> int:
    """Count the robots that ran a rollout's release and were led back from it; a person may have resumed it since."""
    if rollout.rolls_back is not None or not rows.find(Rollout, limit=1, rolls_back=rollout.release_id):
        return 0
    if rollout.only_robot_id is not None:
        return int(_is_led_back(rows, rollout, rollout.only_robot_id))
    newer: list[Rollout] = []
    for known in rows.find(Rollout, newest_first=True, sku=rollout.sku):
        if known.rollout_id == rollout.rollout_id:
            break
        newer.append(known)
    count = 0
    for known in reversed(newer):
        if known.rolls_back == rollout.release_id:
            count += rows.count_by_status(known.rollout_id).get(Status.INSTALLED, 0)
        elif known.release_id == rollout.release_id and known.rolls_back is None and known.only_robot_id is None:
            # What came later led back whom that one brought the release.
            break
    return count


def _is_led_back(rows: Rows, rollout: Rollout, robot_id: str) -> bool:
    ways = rows.find(Rollout, after=rollout.rollout_id, rolls_back=rollout.release_id)
    back = (rows.assignment_for(way_back.rollout_id, robot_id) for way_back in ways)
    return any(assignment is not None and assignment.status is Status.INSTALLED for assignment in back)


def _is_usable(rows: Rows, release: Release) -> bool:
    return release.recalled_at_s is None and not is_barred(rows, release)
