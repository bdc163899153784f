"""Key rotations as operators send and get them."""

from typing import Self

from pydantic import Field

from surefoot.fleet.adoption import RobotStanding, Standing
from surefoot.fleet.rotation import Exclusion, RotationStep
from surefoot.fleet.rotation_steps import RotationProgress
from surefoot.server.operators.models import Model
from surefoot.server.operators.robot_models import KeyOut

# The counts tell of all; names are shown in order of id, and the next ones once these have adopted.
ROBOTS_SHOWN = 1000


class RotationIn(Model):
    """The key to revoke and replace, by its whole id, and why."""

    key_id: str = Field(max_length=64)
    reason: str = Field(default="", max_length=500)


class ExclusionIn(Model):
    """A robot that the rotation does not wait for, and why."""

    robot_id: str
    reason: str = Field(default="", max_length=500)


class TransitionOut(Model):
    """The transition release of a sku."""

    sku: str
    release_id: str


class ExclusionOut(Model):
    """A robot that the rotation does not wait for."""

    robot_id: str
    reason: str
    who: str
    at_s: float

    @classmethod
    def of(cls, exclusion: Exclusion) -> Self:
        """Show an exclusion."""
        return cls(**{name: getattr(exclusion, name) for name in cls.model_fields})


class RobotStandingOut(Model):
    """A robot that has not adopted the new key; `trusted_keys` are the ids of the keys that it named last."""

    robot_id: str
    sku: str
    standing: Standing
    heard_at_s: float | None
    trusted_keys: list[str]

    @classmethod
    def of(cls, robot: RobotStanding) -> Self:
        """Show a robot."""
        return cls(
            **{name: getattr(robot, name) for name in cls.model_fields if name != "trusted_keys"},
            trusted_keys=list(robot.trusted_keys),
        )


class RotationOut(Model):
    """A rotation: its step is what comes next.

    `counts` are all robots by their standing, `behind` the first of those that have not adopted the new key;
    `lacking_skus` have such robots and no transition release. `root_names_old` are the roles in which the metadata's
    root still names the old key.
    """

    rotation_id: str
    step: RotationStep
    reason: str
    started_by: str
    started_at_s: float
    ended_by: str | None
    ended_at_s: float | None
    ended_from: str | None
    ended_reason: str | None
    old_key: KeyOut
    new_key: KeyOut | None
    transitions: list[TransitionOut]
    lacking_skus: list[str]
    counts: dict[Standing, int]
    behind: list[RobotStandingOut]
    exclusions: list[ExclusionOut]
    root_names_old: list[str]

    @classmethod
    def of(cls, progress: RotationProgress) -> Self:
        """Show a rotation's progress."""
        rotation = progress.rotation
        plain = ("rotation_id", "step", "reason", "started_by", "started_at_s")
        ends = ("ended_by", "ended_at_s", "ended_from", "ended_reason")
        return cls(
            old_key=KeyOut.of(progress.old_key),
            new_key=None if progress.new_key is None else KeyOut.of(progress.new_key),
            transitions=[TransitionOut(sku=one.sku, release_id=one.release_id) for one in rotation.transitions],
            lacking_skus=list(progress.adoption.lacking_skus),
            counts=progress.adoption.counts,
            behind=[RobotStandingOut.of(robot) for robot in progress.adoption.behind[:ROBOTS_SHOWN]],
            exclusions=[ExclusionOut.of(exclusion) for exclusion in rotation.exclusions],
            root_names_old=list(progress.root_names_old),
            **{name: getattr(rotation, name) for name in (*plain, *ends)},
        )


class RotationsOut(Model):
    """All rotations, newest first."""

    rotations: list[RotationOut]
