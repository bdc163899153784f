"""Who has the new key: derived from what each robot said last, by name."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from surefoot.fleet.model import Release, RobotView
from surefoot.fleet.ports import Rows
from surefoot.fleet.rotation import Rotation
from surefoot.rollout.plan import default_plan

PAGE = 1000
# As long as a rollout waits for a robot where its plan says nothing else.
SILENT_S = default_plan().silence_deadline_s


class Standing(StrEnum):
    """How a robot stands to a rotation.

    `adopted` trusts the new key and not the old one any more. `straggler` does not, and `silent` neither and has not
    been heard of for a day, or ever. `excluded` is one of these two that an operator decided not to wait for.
    """

    ADOPTED = "adopted"
    STRAGGLER = "straggler"
    SILENT = "silent"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotStanding:
    """One robot with its standing; `trusted_keys` are the key ids that it named last."""

    robot_id: str
    sku: str
    standing: Standing
    heard_at_s: float | None
    trusted_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """All robots counted, and those by name that have not adopted the new key; `lacking_skus` await a transition."""

    counts: dict[Standing, int]
    behind: tuple[RobotStanding, ...]
    lacking_skus: tuple[str, ...]

    @property
    def waiting(self) -> int:
        """How many robots a rotation waits for."""
        return self.counts[Standing.STRAGGLER] + self.counts[Standing.SILENT]


def adoption(rows: Rows, rotation: Rotation, now_s: float) -> Adoption:
    """Look at every enrolled robot."""
    excluded = {exclusion.robot_id for exclusion in rotation.exclusions}
    counts: Counter[Standing] = Counter()
    behind = []
    for view in _views(rows):
        stands = _stand(rotation, view, excluded, now_s)
        counts[stands.standing] += 1
        if stands.standing is not Standing.ADOPTED:
            behind.append(stands)
    skus = sorted({robot.sku for robot in behind if robot.standing is not Standing.EXCLUDED})
    return Adoption(
        counts={standing: counts[standing] for standing in Standing},
        behind=tuple(behind),
        lacking_skus=tuple(sku for sku in skus if _lacks_transition(rows, rotation, sku)),
    )


def _views(rows: Rows) -> Iterator[RobotView]:
    after = ""
    while page := rows.robot_views(after, PAGE):
        yield from page
        after = page[-1].robot.robot_id


def _stand(rotation: Rotation, view: RobotView, excluded: set[str], now_s: float) -> RobotStanding:
    trusted = () if view.facts is None else view.facts.report.trusted_keys
    heard_at_s = None if view.facts is None else view.facts.heard_at_s
    if rotation.new_key_id in trusted and rotation.old_key_id not in trusted:
        standing = Standing.ADOPTED
    elif view.robot.robot_id in excluded:
        standing = Standing.EXCLUDED
    elif heard_at_s is None or now_s - heard_at_s > SILENT_S:
        standing = Standing.SILENT
    else:
        standing = Standing.STRAGGLER
    return RobotStanding(
        robot_id=view.robot.robot_id,
        sku=view.robot.sku,
        standing=standing,
        heard_at_s=heard_at_s,
        trusted_keys=trusted,
    )


def _lacks_transition(rows: Rows, rotation: Rotation, sku: str) -> bool:
    """Whether a sku has no transition release, or only one that was recalled."""
    release_id = rotation.transition_of(sku)
    release = None if release_id is None else rows.get(Release, release_id)
    return release is None or release.recalled_at_s is not None
