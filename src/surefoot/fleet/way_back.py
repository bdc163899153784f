"""Which release a robot goes back to when the one it runs is recalled: what it ran before."""

from surefoot.fleet.keys import is_barred
from surefoot.fleet.model import Facts, Release
from surefoot.fleet.ports import Rows


def runs(facts: Facts | None, release: Release) -> bool:
    """Whether the robot says that it runs this release's image."""
    return facts is not None and facts.report.running.digest == release.digest


def release_before(rows: Rows, facts: Facts | None, fallback: Release) -> Release:
    """Return the release whose image stands in the robot's spare slot, or else the fallback."""
    spare = None if facts is None else facts.report.spare
    if spare is None or spare.digest is None:
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


def _is_usable(rows: Rows, release: Release) -> bool:
    return release.recalled_at_s is None and not is_barred(rows, release)
