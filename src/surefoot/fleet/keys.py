"""The signing keys the fleet accepts; only public halves ever come here."""

from surefoot.fleet.model import Key, KeyState
from surefoot.fleet.ports import Rows
from surefoot.trust.keys import KeyRing, PublicKey
from surefoot.wire.errors import Refused


def trust_key(rows: Rows, name: str, der: bytes, now_s: float) -> Key:
    """Register a public key (DER, ECDSA P-256); registering it again changes nothing.

    Raises:
        Refused: `refused-key-format`, `refused-key-revoked`.
    """
    public_key = PublicKey.from_der(der)
    known = rows.get(Key, public_key.key_id)
    if known is not None:
        if known.state is KeyState.REVOKED:
            raise Refused("refused-key-revoked", f"Key {public_key.short_id} is revoked: make a new one.")
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


def active_ring(rows: Rows) -> KeyRing:
    """Return the keys that may sign new releases."""
    known = rows.find(Key)
    return KeyRing(keys=tuple(PublicKey.from_xy(key.public_key_xy) for key in known if key.state is KeyState.ACTIVE))
