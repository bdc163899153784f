"""What a key rotation remembers, and which step allows what.

A rotation leads a signing key from active to destroyed. All else that it needs to know, who has the new key and whether
the metadata still names the old one, is asked anew each time.
"""

from dataclasses import dataclass
from enum import StrEnum

from surefoot.fleet.ports import Rows
from surefoot.wire.errors import Refused


class RotationStep(StrEnum):
    """What a rotation does next. The old key was revoked when the rotation began."""

    GENERATE = "generate"
    TRANSITION = "transition"
    VERIFY = "verify"
    DESTROY = "destroy"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class RotationAction(StrEnum):
    """What can be done to a rotation."""

    NAME_KEY = "name the new key"
    PUBLISH = "publish a transition release"
    EXCLUDE = "exclude a robot"
    VERIFY = "verify the adoption"
    DESTROY = "mark the old key destroyed"
    CANCEL = "cancel the rotation"


_TO_BE_ADOPTED = (RotationStep.TRANSITION, RotationStep.VERIFY, RotationStep.DESTROY)
# At which steps what is allowed. A key or a release is named later again where the first one turned out bad.
TABLE: dict[RotationAction, tuple[RotationStep, ...]] = {
    RotationAction.NAME_KEY: (RotationStep.GENERATE, *_TO_BE_ADOPTED),
    RotationAction.PUBLISH: _TO_BE_ADOPTED,
    RotationAction.EXCLUDE: _TO_BE_ADOPTED,
    RotationAction.VERIFY: _TO_BE_ADOPTED,
    RotationAction.DESTROY: (RotationStep.DESTROY,),
    RotationAction.CANCEL: (RotationStep.GENERATE, RotationStep.TRANSITION),
}
ENDED = (RotationStep.FINISHED, RotationStep.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionRelease:
    """The release by which robots of a sku get the new key."""

    sku: str
    release_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """A robot that the rotation does not wait for."""

    robot_id: str
    reason: str
    who: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """One key on its way out. `ended_from` is the network address from which somebody ended it; times are Unix seconds.

    There is never a second rotation of a key: none of its later states leads back.
    """

    rotation_id: str
    old_key_id: str
    new_key_id: str | None
    step: RotationStep
    reason: str
    started_by: str
    started_at_s: float
    transitions: tuple[TransitionRelease, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    ended_by: str | None = None
    ended_at_s: float | None = None
    ended_from: str | None = None
    ended_reason: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is something left to do."""
        return self.step not in ENDED

    def transition_of(self, sku: str) -> str | None:
        """Return the id of a sku's transition release, or None."""
        return next((transition.release_id for transition in self.transitions if transition.sku == sku), None)


def find_rotation(rows: Rows, rotation_id: str) -> Rotation:
    """Return a rotation; `Refused` (`not-found-rotation`)."""
    rotation = rows.get(Rotation, rotation_id)
    if rotation is None:
        raise Refused("not-found-rotation", f"There is no rotation {rotation_id}: list the rotations.")
    return rotation


def rotation_of(rows: Rows, old_key_id: str) -> Rotation | None:
    """Return the rotation of a key, or None when there was never one."""
    return next(iter(rows.find(Rotation, limit=1, old_key_id=old_key_id)), None)


def require_allowed(rotation: Rotation, action: RotationAction) -> None:
    """Raise `Refused` (`refused-rotation-state`) unless the table allows the action at this step."""
    if rotation.step not in TABLE[action]:
        detail = f"The rotation stands at {rotation.step}, where nobody can {action}: see what it waits for."
        raise Refused("refused-rotation-state", detail)
