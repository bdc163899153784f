"""The steps of a key rotation, each checked and each one transaction; taken again, a step changes nothing."""

from dataclasses import dataclass, replace

from surefoot.fleet import audit
from surefoot.fleet.adoption import Adoption, adoption
from surefoot.fleet.keys import find_key, trust_key
from surefoot.fleet.metadata import roles_naming
from surefoot.fleet.model import Key, KeyState
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollouts import halt_for_key, require_reason
from surefoot.fleet.rotation import (
    Exclusion,
    Rotation,
    RotationAction,
    RotationStep,
    find_rotation,
    require_allowed,
    rotation_of,
)
from surefoot.trust.keys import PublicKey
from surefoot.wire.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationProgress:
    """A rotation with its keys, who has the new one, and the roles in which the metadata still names the old one."""

    rotation: Rotation
    old_key: Key
    new_key: Key | None
    adoption: Adoption
    root_names_old: tuple[str, ...]


def progress(rows: Rows, rotation_id: str, now_s: float) -> RotationProgress:
    """Return where a rotation stands; `Refused` (`not-found-rotation`)."""
    rotation = find_rotation(rows, rotation_id)
    return RotationProgress(
        rotation=rotation,
        old_key=find_key(rows, rotation.old_key_id),
        new_key=None if rotation.new_key_id is None else find_key(rows, rotation.new_key_id),
        adoption=adoption(rows, rotation, now_s),
        root_names_old=roles_naming(rows, rotation.old_key_id),
    )


def begin_rotation(rows: Rows, rotation_id: str, key_id: str, reason: str, who: str, now_s: float) -> Rotation:
    """Revoke a key: it signs nothing new, and whatever it signed halts; return the rotation, as it is if there is one.

    Raises:
        Refused: `not-found-key`, `refused-reason-missing`, `refused-key-revoked` when its rotation has ended.
    """
    key, known = find_key(rows, key_id), rotation_of(rows, key_id)
    if known is not None and known.is_open:
        return known
    require_reason(reason)
    if key.state not in (KeyState.ACTIVE, KeyState.RETIRING):
        raise Refused("refused-key-revoked", f"Key {short_id(key)} is {key.state} already: there is nothing to rotate.")
    retiring = replace(key, state=KeyState.RETIRING)
    rotation = Rotation(
        rotation_id=rotation_id,
        old_key_id=key_id,
        new_key_id=None,
        step=RotationStep.GENERATE,
        reason=reason,
        started_by=who,
        started_at_s=now_s,
    )
    rows.put(retiring)
    rows.put(rotation)
    halted = halt_for_key(rows, key_id, f"Its key {short_id(key)} is rotated: {reason}", now_s, who)
    told = {"rotation_id": rotation_id, "state": retiring.state, "halted": [one.rollout_id for one in halted]}
    audit.record(rows, who, "rotation.begin", key_id, {"state": key.state}, told, reason, now_s)
    return rotation


def name_new_key(rows: Rows, rotation_id: str, name: str, der: bytes, who: str, now_s: float) -> Rotation:
    """Register the new key; another one only where the first is compromised in its turn.

    Raises:
        Refused: `not-found-rotation`, `refused-rotation-state`, `refused-key-format`, and `refused-key-revoked` for the
            old key itself or any other that is not active.
    """
    rotation = find_rotation(rows, rotation_id)
    key_id = PublicKey.from_der(der).key_id
    if rotation.new_key_id == key_id:
        return rotation
    require_allowed(rotation, RotationAction.NAME_KEY)
    named = None if rotation.new_key_id is None else find_key(rows, rotation.new_key_id)
    if named is not None and named.state is KeyState.ACTIVE:
        detail = f"The rotation has the new key {short_id(named)}: go on with it, or rotate that one first."
        raise Refused("refused-rotation-state", detail)
    key = trust_key(rows, name, der, now_s)
    # What brought a key that is no good any more is no transition release any more.
    moved = replace(rotation, new_key_id=key.key_id, step=RotationStep.TRANSITION, transitions=())
    return record_move(rows, "rotation.name-key", rotation, moved, who, None, now_s)


def exclude_robot(rows: Rows, rotation_id: str, robot_id: str, reason: str, who: str, now_s: float) -> Rotation:
    """Decide not to wait for a robot.

    Raises:
        Refused: `not-found-rotation`, `not-found-robot`, `refused-reason-missing`, `refused-rotation-state`.
    """
    rotation = find_rotation(rows, rotation_id)
    if robot_id in [exclusion.robot_id for exclusion in rotation.exclusions]:
        return rotation
    require_reason(reason)
    require_allowed(rotation, RotationAction.EXCLUDE)
    if rows.robot(robot_id) is None:
        raise Refused("not-found-robot", f"The fleet has no robot {robot_id}: look at who the rotation waits for.")
    exclusion = Exclusion(robot_id=robot_id, reason=reason, who=who, at_s=now_s)
    moved = replace(rotation, exclusions=(*rotation.exclusions, exclusion))
    return record_move(rows, "rotation.exclude", rotation, moved, who, reason, now_s)


def verify_adoption(rows: Rows, rotation_id: str, who: str, now_s: float) -> Rotation:
    """Go on to the destruction of the old key once no robot is waited for.

    Raises:
        Refused: `not-found-rotation`, `refused-rotation-state`, `refused-stragglers`, `refused-key-revoked`.
    """
    rotation = find_rotation(rows, rotation_id)
    if rotation.step in (RotationStep.DESTROY, RotationStep.FINISHED):
        return rotation
    require_allowed(rotation, RotationAction.VERIFY)
    _require_adopted(rows, rotation, now_s)
    return record_move(
        rows, "rotation.verify", rotation, replace(rotation, step=RotationStep.DESTROY), who, None, now_s
    )


def destroy_key(rows: Rows, rotation_id: str, who: str, where: str, now_s: float) -> Rotation:
    """Mark the old key destroyed, for ever; everything is looked at once more.

    Raises:
        Refused: `not-found-rotation`, `refused-rotation-state`, `refused-stragglers`, `refused-rotation-metadata`,
            `refused-key-revoked`.
    """
    rotation = find_rotation(rows, rotation_id)
    if rotation.step is RotationStep.FINISHED:
        return rotation
    require_allowed(rotation, RotationAction.DESTROY)
    _require_adopted(rows, rotation, now_s)
    roles = roles_naming(rows, rotation.old_key_id)
    if roles:
        detail = f"The metadata's root lets the old key sign {' and '.join(roles)}: run `surefoot trust replace-key`."
        raise Refused("refused-rotation-metadata", detail)
    return _end(rows, rotation, RotationStep.FINISHED, KeyState.DESTROYED, None, who, where, now_s)


def cancel_rotation(rows: Rows, rotation_id: str, reason: str, who: str, where: str, now_s: float) -> Rotation:
    """Give up before any transition release; the old key is revoked all the same, and brings robots no new one.

    Raises:
        Refused: `not-found-rotation`, `refused-rotation-state`, `refused-reason-missing`.
    """
    rotation = find_rotation(rows, rotation_id)
    if rotation.step is RotationStep.CANCELLED:
        return rotation
    require_reason(reason)
    require_allowed(rotation, RotationAction.CANCEL)
    if rotation.transitions:
        detail = "A transition release is published, and robots may have the new key: go on to the end."
        raise Refused("refused-rotation-state", detail)
    return _end(rows, rotation, RotationStep.CANCELLED, KeyState.REVOKED, reason, who, where, now_s)


def _require_adopted(rows: Rows, rotation: Rotation, now_s: float) -> None:
    new = rows.get(Key, rotation.new_key_id or "")
    if new is None or new.state is not KeyState.ACTIVE:
        raise Refused("refused-key-revoked", "The new key is not active any more: name another one.")
    found = adoption(rows, rotation, now_s)
    if found.waiting:
        detail = (
            f"{found.waiting} robots have not adopted key {short_id(new)}: bring it to them, or exclude them by name."
        )
        raise Refused("refused-stragglers", detail)


def _end(
    rows: Rows,
    rotation: Rotation,
    step: RotationStep,
    state: KeyState,
    reason: str | None,
    who: str,
    where: str,
    now_s: float,
) -> Rotation:
    rows.put(replace(find_key(rows, rotation.old_key_id), state=state))
    ended = replace(rotation, step=step, ended_by=who, ended_at_s=now_s, ended_from=where, ended_reason=reason)
    return record_move(rows, f"rotation.{step}", rotation, ended, who, reason, now_s)


def record_move(
    rows: Rows, action: str, before: Rotation, after: Rotation, who: str, reason: str | None, now_s: float
) -> Rotation:
    """Store where a rotation went, and who brought it there."""
    rows.put(after)
    audit.record(rows, who, action, after.old_key_id, before, after, reason, now_s)
    return after


def short_id(key: Key) -> str:
    """Return a key's id as people are shown it."""
    return PublicKey.from_xy(key.public_key_xy).short_id
