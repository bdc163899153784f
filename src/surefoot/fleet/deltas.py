"""Deltas: which are worth making for the robots in the field, which there are, and which one an offer names.

Nothing here is believed by a robot: it judges what a delta makes by the signature of the release, like a full download.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from surefoot.fleet.model import Release, Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.wire.delta import FORMAT
from surefoot.wire.errors import Refused
from surefoot.wire.formats import ROBO
from surefoot.wire.manifest import parse_manifest
from surefoot.wire.offer import Delta
from surefoot.wire.report import CONFIRMED, Report

# Of the full file. Above this a robot saves little, and a delta cannot go on where it broke off.
SHARE_MAX = 0.7
# Recalled releases and those that nobody is brought to any more need none.
_GOING_OUT = (RolloutState.RUNNING, RolloutState.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltDelta:
    """What came of building the delta from the image `source_digest` to a release.

    `sha256` and `size_bytes` are of its file; `sha256` is None where that was too large to be of use, and is not kept.
    """

    delta_id: str
    release_id: str
    source_digest: str
    sha256: str | None
    size_bytes: int
    built_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A delta that somebody should build: from a release that robots run, to the one they are going to get."""

    source: Release
    target: Release

    @property
    def delta_id(self) -> str:
        """The key of what is built."""
        return delta_id(self.target.release_id, self.source.digest)


def delta_id(release_id: str, source_digest: str) -> str:
    """Return the key under which the delta from an image to a release is kept."""
    return f"{release_id}/{source_digest}"


def due(rows: Rows, per_release_max: int) -> list[Wanted]:
    """Return the deltas to build, in order: to the newest release first, and from what most robots run.

    Deltas lead to the newest release of each sku and to those that are being rolled out. They come from the images that
    a release's manifest names; where it names none, from at most `per_release_max` lower releases that robots run which
    say that they can apply deltas. Zero turns all of it off.
    """
    if per_release_max <= 0:
        return []
    releases = [release for release in rows.find(Release, newest_first=True) if release.format == ROBO]
    wanted = []
    for target in _targets(rows, releases):
        runs = rows.count_delta_sources(target.sku)
        lower = [release for release in releases if release.sku == target.sku and release.digest != target.digest]
        named = _named_sources(target)
        if named:
            sources = [release for release in lower if release.digest in named]
        else:
            sources = [release for release in lower if release.version < target.version and release.digest in runs]
        by_digest = {release.digest: release for release in sources}
        most_first = sorted(by_digest.values(), key=lambda release: -runs.get(release.digest, 0))
        chosen = most_first if named else most_first[:per_release_max]
        wanted += [Wanted(source=source, target=target) for source in chosen]
    return [want for want in wanted if rows.get(BuiltDelta, want.delta_id) is None]


def is_wanted(rows: Rows, want: Wanted) -> bool:
    """Whether a delta is still to be built: it is not there, and its release was not recalled meanwhile."""
    target = rows.get(Release, want.target.release_id)
    is_offered = target is not None and target.recalled_at_s is None
    return is_offered and rows.get(BuiltDelta, want.delta_id) is None


def is_useful(want: Wanted, size_bytes: int) -> bool:
    """Whether a delta of this size spares robots enough of the full file."""
    return size_bytes <= want.target.size_bytes * SHARE_MAX


def keep(rows: Rows, want: Wanted, sha256: str, size_bytes: int, now_s: float) -> BuiltDelta | None:
    """Record what was built; a useful one, whose file must be stored by now, is offered from here on.

    Returns:
        The record, or None where it is not wanted any more.
    """
    if not is_wanted(rows, want):
        return None
    built = BuiltDelta(
        delta_id=want.delta_id,
        release_id=want.target.release_id,
        source_digest=want.source.digest,
        sha256=sha256 if is_useful(want, size_bytes) else None,
        size_bytes=size_bytes,
        built_at_s=now_s,
    )
    rows.put(built)
    return built


def delta_for(rows: Rows, release: Release, report: Report, public_url: str) -> Delta | None:
    """Return the delta that leads a robot from what it reports to a release, None where it has to take the full file.

    An image on trial is no source: the bootloader may take it back at any moment.
    """
    running = report.running
    if FORMAT not in report.accepts or running.state != CONFIRMED or running.digest is None:
        return None
    built = rows.get(BuiltDelta, delta_id(release.release_id, running.digest))
    if built is None or built.sha256 is None:
        return None
    return Delta(
        url=f"{public_url}/v1/images/{built.sha256}",
        sha256=built.sha256,
        size_bytes=built.size_bytes,
        source_digest=built.source_digest,
    )


def releases_behind(rows: Rows, sha256: str) -> list[Release]:
    """Return the releases that a file brings robots to, as their full image or as a delta; none for any other file."""
    full = rows.find(Release, sha256=sha256)
    if full:
        return full
    found = (rows.get(Release, built.release_id) for built in rows.find(BuiltDelta, sha256=sha256))
    return [release for release in found if release is not None]


def files_of(rows: Rows, release_id: str) -> list[str]:
    """Return the SHA-256 of each delta that robots are offered to a release."""
    built = rows.find(BuiltDelta, release_id=release_id)
    return [delta.sha256 for delta in built if delta.sha256 is not None]


def count_offered(rows: Rows) -> Counter[str]:
    """Count the deltas that robots are offered, by the release they lead to."""
    return Counter(delta.release_id for delta in rows.find(BuiltDelta) if delta.sha256 is not None)


def _targets(rows: Rows, releases: list[Release]) -> Iterator[Release]:
    """Yield the releases that deltas lead to, the newest first; `releases` has the newest first."""
    rollouts = [rollout for state in _GOING_OUT for rollout in rows.find(Rollout, state=state)]
    # What leads back from a recall is another release for each robot, and in no time for deltas.
    going_out = {rollout.release_id for rollout in rollouts if rollout.rolls_back is None}
    seen: set[str] = set()
    for release in releases:
        if release.recalled_at_s is None:
            if release.sku not in seen or release.release_id in going_out:
                yield release
            seen.add(release.sku)


def _named_sources(release: Release) -> tuple[str, ...]:
    with suppress(Refused):
        return parse_manifest(release.manifest.payload).delta_sources
    return ()
