"""The signing keys the fleet accepts; only public halves ever come here."""

from collections.abc import Iterable

from surefoot.fleet.model import Key, KeyState, Release
from surefoot.fleet.ports import Rows
from surefoot.fleet.rotation import Rotation, rotation_of
from surefoot.trust.keys import KeyRing, PublicKey
from surefoot.wire.errors import Refused


def trust_key(rows: Rows, name: str, der: bytes, now_s: float) -> Key:
    """Register a public key (DER, ECDSA P-256); registering an active one again changes nothing.

    Raises:
        Refused: `refused-key-format`, `refused-key-revoked`.
    """
    public_key = PublicKey.from_der(der)
    known = rows.get(Key, public_key.key_id)
    if known is not None:
        if known.state is not KeyState.ACTIVE:
            raise Refused("refused-key-revoked", f"Key {public_key.short_id} is {known.state}: make a new one.")
        return known
    key = Key(
        key_id=public_key.key_id,
        name=name,
        public_key_xy=public_key.xy,
        state=KeyState.ACTIVE,
        added_at_s=now_s,
    )
    rows.put(key)
    return key


def find_key(rows: Rows, key_id: str) -> Key:
    """Return a key; `Refused` (`not-found-key`)."""
    key = rows.get(Key, key_id)
    if key is None:
        raise Refused("not-found-key", f"The fleet knows no key {key_id[:16]}: list the keys.")
    return key


def active_ring(rows: Rows) -> KeyRing:
    """Return the keys that may sign new releases."""
    return ring_of(key for key in rows.find(Key) if key.state is KeyState.ACTIVE)


def storable_ring(rows: Rows) -> KeyRing:
    """Return the keys whose images may be stored: active ones, and such as still sign a transition release."""
    known = rows.find(Key)
    return ring_of(key for key in known if key.state is KeyState.ACTIVE or _signs_transition(rows, key))


def ring_of(keys: Iterable[Key]) -> KeyRing:
    """Return keys as what verifies signatures."""
    return KeyRing(keys=tuple(PublicKey.from_xy(key.public_key_xy) for key in keys))


def signers_of(release: Release) -> frozenset[str]:
    """Return the ids of the keys that signed a release, its image and its manifest."""
    return frozenset((release.key_id, release.manifest.key_id))


def is_barred(rows: Rows, release: Release) -> bool:
    """Whether a release goes to no robot because of a key that signed it.

    What a retiring key signed is barred too, but for the transition releases that take its place by an active one.
    """
    for key_id in signers_of(release):
        key = rows.get(Key, key_id)
        if key is None or key.state in (KeyState.REVOKED, KeyState.DESTROYED):
            return True
        if key.state is KeyState.RETIRING and not _is_transition(rows, release, rotation_of(rows, key_id)):
            return True
    return False


def require_usable(rows: Rows, release: Release) -> None:
    """Raise `Refused` (`refused-key-revoked`) where a key that signed a release keeps it from robots."""
    if is_barred(rows, release):
        detail = f"A key that signed {release.release_id} is being rotated or revoked: publish it by an active key."
        raise Refused("refused-key-revoked", detail)


def _is_transition(rows: Rows, release: Release, rotation: Rotation | None) -> bool:
    """Whether a rotation brings its new key by this release, and the new key is not compromised in its turn."""
    if rotation is None or rotation.new_key_id is None:
        return False
    new = rows.get(Key, rotation.new_key_id)
    is_good = new is not None and new.state is KeyState.ACTIVE
    return is_good and rotation.transition_of(release.sku) == release.release_id


def _signs_transition(rows: Rows, key: Key) -> bool:
    if key.state is not KeyState.RETIRING:
        return False
    rotation = rotation_of(rows, key.key_id)
    return rotation is not None and rotation.new_key_id is not None
