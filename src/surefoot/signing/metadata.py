"""Signed metadata (TUF) made and signed offline: roots, lists of targets, and the replacing of keys.

A document that was changed has no signatures: every key that must sign it signs it anew. A key has the same id here as
everywhere in Surefoot.
"""

import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec, utils
from securesystemslib.signer import Signature, SSlibKey
from tuf.api.metadata import Metadata, Role, Root, TargetFile, Targets
from tuf.api.serialization import DeserializationError

from surefoot.signing.signers import Signer
from surefoot.trust.keys import PublicKey
from surefoot.wire.errors import Refused
from surefoot.wire.metadata import ROOT, ROOT_BYTES_MAX, SNAPSHOT, TARGETS, TARGETS_BYTES_MAX, TIMESTAMP

S = TypeVar("S", Root, Targets)

ROOT_LIFETIME = timedelta(days=730)
TARGETS_LIFETIME = timedelta(days=365)
_BYTES_MAX = {ROOT: ROOT_BYTES_MAX, TARGETS: TARGETS_BYTES_MAX}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleKeys:
    """The keys of one role, and how many of them must sign.

    Raises:
        Refused: `refused-metadata-threshold` unless that many different keys are there.
    """

    keys: tuple[PublicKey, ...]
    threshold: int

    def __post_init__(self) -> None:
        count = len({key.key_id for key in self.keys})
        if not 1 <= self.threshold <= count:
            detail = f"{self.threshold} signatures cannot come from {count} keys: name more keys or a lower threshold."
            raise Refused("refused-metadata-threshold", detail)


def make_root(root: RoleKeys, targets: RoleKeys, online: PublicKey, now: datetime) -> Metadata[Root]:
    """Return the first root, unsigned; `online` is the server's own key, for snapshot and timestamp.

    Raises:
        Refused: `refused-metadata-key` when the server's key is among the offline ones.
    """
    if online in (*root.keys, *targets.keys):
        raise Refused("refused-metadata-key", "The server's own key cannot sign root or targets: name offline keys.")
    own = RoleKeys(keys=(online,), threshold=1)
    roles = {ROOT: root, TARGETS: targets, SNAPSHOT: own, TIMESTAMP: own}
    signed = Root(expires=_later(now, ROOT_LIFETIME), consistent_snapshot=True)
    for name, holders in roles.items():
        signed.roles[name] = Role([], holders.threshold)
        for key in holders.keys:
            signed.add_key(tuf_key(key), name)
    return Metadata(signed)


def make_targets(now: datetime) -> Metadata[Targets]:
    """Return the first list of targets, empty and unsigned."""
    return Metadata(Targets(expires=_later(now, TARGETS_LIFETIME)))


def with_target(document: Metadata[Targets], path: str, entry: dict[str, Any], now: datetime) -> Metadata[Targets]:
    """Return the next list of targets, unsigned, with one entry more; `path` and `entry` as `wire.metadata` makes them.

    Raises:
        Refused: `refused-release-exists` when another file has this name already.
    """
    target = TargetFile.from_dict(dict(entry), path)
    if document.signed.targets.get(path, target) != target:
        raise Refused("refused-release-exists", f"The metadata lists another {path} already: raise the version.")
    following = renewed(document, now)
    following.signed.targets[path] = target
    return following


def lists(document: Metadata[Targets], path: str, entry: dict[str, Any]) -> bool:
    """Whether a list of targets has exactly this entry."""
    return document.signed.targets.get(path) == TargetFile.from_dict(dict(entry), path)


def renewed(document: Metadata[S], now: datetime) -> Metadata[S]:
    """Return the document again as its next version, unsigned, with its whole lifetime before it."""
    following: Metadata[S] = copy.deepcopy(document)
    following.signatures.clear()
    following.signed.version += 1
    following.signed.expires = _later(now, ROOT_LIFETIME if following.signed.type == ROOT else TARGETS_LIFETIME)
    return following


def rotate_targets_key(root: Metadata[Root], old_key_id: str, new: PublicKey, now: datetime) -> Metadata[Root]:
    """Return the next root, unsigned, in which a new key may sign targets in place of an old one.

    The list of targets must be signed by the new key too, and both be sent together.

    Raises:
        Refused: `refused-metadata-key` when the old key has no such place.
    """
    return _replaced(root, (TARGETS,), old_key_id, new, now)


def rotate_root_key(root: Metadata[Root], old_key_id: str, new: PublicKey, now: datetime) -> Metadata[Root]:
    """Return the next root, unsigned, to be signed by the old root keys and the new ones; raise as above."""
    return _replaced(root, (ROOT,), old_key_id, new, now)


def rotate_online_key(root: Metadata[Root], new: PublicKey, now: datetime) -> Metadata[Root]:
    """Return the next root, unsigned, that lets the server sign with a new key of its own."""
    return _replaced(root, (SNAPSHOT, TIMESTAMP), root.signed.roles[TIMESTAMP].keyids[0], new, now)


def endorse(document: Metadata[Any], signer: Signer) -> None:
    """Add the signer's signature to a document; raise what the signer refuses."""
    raw = signer.sign(document.signed_bytes)
    der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key_id = signer.public_key.key_id
    document.signatures[key_id] = Signature(key_id, der.hex())


def is_endorsed_by(document: Metadata[Any], key: PublicKey) -> bool:
    """Whether this key signed the document as it stands."""
    asked = Root(roles={name: Role([], 1) for name in (ROOT, TARGETS, SNAPSHOT, TIMESTAMP)})
    asked.add_key(tuf_key(key), TARGETS)
    return asked.get_verification_result(TARGETS, document.signed_bytes, document.signatures).verified


def read_metadata(kind: type[S], data: bytes) -> Metadata[S]:
    """Read a document of this role; `Refused` (`refused-metadata-format`). Nothing is believed of it yet."""
    role = kind.type
    try:
        if len(data) > _BYTES_MAX[role]:
            raise DeserializationError
        found: Metadata[S] = Metadata.from_bytes(data)
    except DeserializationError as error:
        raise Refused("refused-metadata-format", f"This is no signed {role} metadata: make it anew.") from error
    if not isinstance(found.signed, kind):
        raise Refused("refused-metadata-format", f"This is {found.signed.type} metadata where {role} was expected.")
    return found


def tuf_key(key: PublicKey) -> SSlibKey:
    """Return the key as TUF documents hold it."""
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + key.xy)
    return SSlibKey.from_crypto(point, keyid=key.key_id)


def _replaced(
    root: Metadata[Root], roles: tuple[str, ...], old_key_id: str, new: PublicKey, now: datetime
) -> Metadata[Root]:
    following = renewed(root, now)
    for role in roles:
        if old_key_id not in following.signed.roles[role].keyids:
            detail = f"Key {old_key_id[:16]} does not sign {role}: see `surefoot trust show` for those that do."
            raise Refused("refused-metadata-key", detail)
        following.signed.revoke_key(old_key_id, role)
        following.signed.add_key(tuf_key(new), role)
    return following


def _later(now: datetime, lifetime: timedelta) -> datetime:
    return now.astimezone(UTC).replace(microsecond=0) + lifetime
