"""The transition release: the last one of a sku that the old key signs, which brings robots the new one."""

from dataclasses import dataclass, replace

from surefoot.fleet.adoption import adoption
from surefoot.fleet.keys import find_key, ring_of, signers_of
from surefoot.fleet.model import Release
from surefoot.fleet.ports import Blobs, Rows
from surefoot.fleet.releases import publish
from surefoot.fleet.rotation import (
    Rotation,
    RotationAction,
    RotationStep,
    TransitionRelease,
    find_rotation,
    require_allowed,
)
from surefoot.fleet.rotation_steps import record_move, short_id
from surefoot.trust.rules import believe_manifest
from surefoot.wire.errors import Refused
from surefoot.wire.manifest import SignedManifest
from surefoot.wire.version import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A stored file to publish for a sku, with its signed manifest."""

    sku: str
    sha256: str
    manifest: SignedManifest


def publish_transition(
    rows: Rows, blobs: Blobs, rotation_id: str, release_id: str, offered: Submission, who: str, now_s: float
) -> Release:
    """Publish the last release of a sku that the old key signs; its manifest hands robots over to the new key alone.

    Another one for the same sku is published only once the first was recalled.

    Raises:
        Refused: `not-found-rotation`, `refused-rotation-state`, `refused-transition`, `refused-key-revoked`, and what
            publishing refuses.
    """
    rotation, sku = find_rotation(rows, rotation_id), offered.sku
    known = rows.get(Release, rotation.transition_of(sku) or "")
    if known is not None and known.sha256 == offered.sha256:
        return known
    require_allowed(rotation, RotationAction.PUBLISH)
    if known is not None and known.recalled_at_s is None:
        detail = f"{sku} has its transition release {known.release_id}: recall that before there can be another."
        raise Refused("refused-transition", detail)
    ring = ring_of((find_key(rows, rotation.old_key_id),))
    said = believe_manifest(offered.manifest, ring)
    new = find_key(rows, rotation.new_key_id or "")
    if said.trusted_keys != (new.public_key_xy,):
        detail = f"A transition release hands robots over to key {short_id(new)} and no other: make its manifest so."
        raise Refused("refused-transition", detail)
    _check_above_all(rows, rotation, sku, said.version)
    release = publish(rows, blobs, release_id, sku, offered.sha256, offered.manifest, now_s, ring=ring)
    others = tuple(transition for transition in rotation.transitions if transition.sku != sku)
    moved = replace(rotation, transitions=(*others, TransitionRelease(sku=sku, release_id=release_id)))
    if moved.step is RotationStep.TRANSITION:
        rows.put(moved)
        lacking = adoption(rows, moved, now_s).lacking_skus
        moved = replace(moved, step=RotationStep.TRANSITION if lacking else RotationStep.VERIFY)
    record_move(rows, "rotation.publish", rotation, moved, who, None, now_s)
    return release


def _check_above_all(rows: Rows, rotation: Rotation, sku: str, version: Version) -> None:
    """Refuse a version that robots in the field would not go up to."""
    signed = [release for release in rows.find(Release, sku=sku) if rotation.old_key_id in signers_of(release)]
    highest = max((release.version for release in signed), default=None)
    if highest is not None and not version > highest:
        detail = f"The old key signed {sku} {highest}: give the transition release a version above that."
        raise Refused("refused-transition", detail)
