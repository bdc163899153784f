"""Signed metadata (TUF): what a fleet's offline keys vouch for, and how the server proves that this is the newest.

Root and targets are signed where their keys are, far from the server: here they are only checked and kept. Snapshot
and timestamp say which targets are the newest; the server's own key signs them, again and again, so that a companion
which hears nothing new notices. Metadata is set up from the moment a first root is stored, and not before.
"""

import hashlib

from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from surefoot.fleet.documents import (
    MetadataFile,
    OnlineKey,
    S,
    file_name,
    is_over,
    moment,
    newest,
    read_document,
)
from surefoot.fleet.model import Release
from surefoot.fleet.ports import Rows
from surefoot.wire.errors import Refused
from surefoot.wire.metadata import SNAPSHOT, TARGETS, TIMESTAMP, target_entry, target_path

TIMESTAMP_LIFETIME_S = 24 * 3600
SNAPSHOT_LIFETIME_S = 7 * 24 * 3600
# A companion that just read the timestamp still finds the documents it names.
KEPT_VERSIONS = 4


def store_metadata(rows: Rows, root: bytes | None, targets: bytes | None, online: OnlineKey, now_s: float) -> None:
    """Take a new root, a new list of targets, or both; the first time it must be both.

    Raises:
        Refused: `refused-metadata-…`.
    """
    if newest(rows, Root) is None and (root is None or targets is None):
        detail = "Metadata is not set up yet: send its first root and targets, as `surefoot trust init` makes them."
        raise Refused("refused-metadata-missing", detail)
    if root is not None:
        _take_root(rows, root, online, now_s)
    if targets is not None:
        _take_targets(rows, targets, now_s)
    # A root that takes the targets' keys away leaves companions without any targets they could believe.
    _check_signed(rows, newest(rows, Targets))
    renew(rows, online, now_s)


def vouch_for(rows: Rows, release: Release, targets: bytes | None, online: OnlineKey | None, now_s: float) -> None:
    """Take the list of targets that came with a release, in the transaction that stores the release.

    Where metadata is not set up there is nothing to take. A release that the newest list has already needs no new one.

    Raises:
        Refused: `refused-metadata-missing` when neither list has the release, and what else makes the list unfit.
    """
    if newest(rows, Root) is None:
        if targets is not None:
            raise Refused("refused-metadata-missing", "Metadata is not set up: run `surefoot trust init` first.")
        return
    if targets is not None and online is not None:
        _take_targets(rows, targets, now_s)
        renew(rows, online, now_s)
    path, entry = target_of(release)
    if _targets_of(newest(rows, Targets)).get(path) != entry:
        detail = f"The metadata does not list {path} as it is published: sign its targets with the release."
        raise Refused("refused-metadata-missing", detail)


def target_of(release: Release) -> tuple[str, TargetFile]:
    """Return the name and the entry under which metadata must list a release."""
    path = target_path(release.sku, release.version, release.format)
    entry = target_entry(
        release.sku, release.version, release.digest, release.sha256, release.size_bytes, release.manifest
    )
    return path, TargetFile.from_dict(entry, path)


def roles_naming(rows: Rows, key_id: str) -> tuple[str, ...]:
    """Return the roles that the newest root lets a key sign for; none where metadata is not set up."""
    root = newest(rows, Root)
    return () if root is None else tuple(name for name, role in root.signed.roles.items() if key_id in role.keyids)


def due(document: Metadata[S], lifetime_s: float, now_s: float) -> bool:
    """Whether a document must be signed anew: half of its lifetime is over."""
    return document.signed.expires.timestamp() - now_s < lifetime_s / 2


def is_renewal_due(rows: Rows, online: OnlineKey, now_s: float) -> bool:
    """Whether the server must sign its snapshot or timestamp anew now."""
    root = newest(rows, Root)
    if root is None:
        return False
    snapshot, timestamp = newest(rows, Snapshot), newest(rows, Timestamp)
    return (
        snapshot is None
        or timestamp is None
        or online.public_key.key_id not in timestamp.signatures
        or due(snapshot, SNAPSHOT_LIFETIME_S, now_s)
        or due(timestamp, TIMESTAMP_LIFETIME_S, now_s)
    )


def renew(rows: Rows, online: OnlineKey, now_s: float, version_min: int = 0) -> None:
    """Sign a new timestamp, and a new snapshot where the old one does not hold any more or is below `version_min`.

    Raises:
        Refused: `refused-metadata-key` when the root does not let this server's key sign them.
    """
    root, targets = newest(rows, Root), newest(rows, Targets)
    if root is None or targets is None:
        return
    _check_online(root.signed, online)
    snapshot, timestamp = newest(rows, Snapshot), newest(rows, Timestamp)
    if (
        snapshot is None
        or snapshot.signed.version < version_min
        or online.public_key.key_id not in snapshot.signatures
        or snapshot.signed.meta["targets.json"].version != targets.signed.version
        or due(snapshot, SNAPSHOT_LIFETIME_S, now_s)
    ):
        version = max(version_min, 1 if snapshot is None else snapshot.signed.version + 1)
        meta = {"targets.json": _meta_of(rows, targets)}
        snapshot = Metadata(Snapshot(version=version, expires=moment(now_s + SNAPSHOT_LIFETIME_S), meta=meta))
        online.endorse(snapshot)
        _keep(rows, snapshot, snapshot.to_bytes(), now_s)
    version = max(version_min, 1 if timestamp is None else timestamp.signed.version + 1)
    renewed = Metadata(
        Timestamp(
            version=version,
            expires=moment(now_s + TIMESTAMP_LIFETIME_S),
            snapshot_meta=_meta_of(rows, snapshot),
        )
    )
    online.endorse(renewed)
    _keep(rows, renewed, renewed.to_bytes(), now_s)


def _take_root(rows: Rows, data: bytes, online: OnlineKey, now_s: float) -> None:
    document, previous = read_document(Root, data), newest(rows, Root)
    root = document.signed
    _check_version(root, previous)
    result = root.get_root_verification_result(
        None if previous is None else previous.signed, document.signed_bytes, document.signatures
    )
    if not result.verified:
        detail = (
            f"Root {root.version} has {len(result.first.signed)} of {result.first.threshold} signatures by the keys "
            f"before it and {len(result.second.signed)} of {result.second.threshold} by its own: sign it further."
        )
        raise Refused("refused-metadata-signature", detail)
    _check_not_over(root, now_s)
    if not root.consistent_snapshot:
        raise Refused("refused-metadata-format", "The root is not for consistent snapshots: make it anew.")
    _check_online(root, online)
    _keep(rows, document, data, now_s)


def _take_targets(rows: Rows, data: bytes, now_s: float) -> None:
    document, previous = read_document(Targets, data), newest(rows, Targets)
    _check_signed(rows, document)
    targets = document.signed
    _check_version(targets, previous)
    _check_not_over(targets, now_s)
    if targets.delegations is not None:
        raise Refused("refused-metadata-format", "The targets delegate to others, which is not served here: do not.")
    _check_additions(rows, _targets_of(previous), targets.targets)
    _keep(rows, document, data, now_s)


def _check_signed(rows: Rows, targets: Metadata[Targets] | None) -> None:
    root = newest(rows, Root)
    if root is None or targets is None:
        raise AssertionError("root and targets come together the first time")
    result = root.signed.get_verification_result(TARGETS, targets.signed_bytes, targets.signatures)
    if not result.verified:
        detail = (
            f"The targets have {len(result.signed)} of {result.threshold} signatures by the keys that root "
            f"{root.signed.version} names: sign them further."
        )
        raise Refused("refused-metadata-signature", detail)


def _check_additions(rows: Rows, known: dict[str, TargetFile], listed: dict[str, TargetFile]) -> None:
    """Refuse an entry that is new or changed and is not exactly a release of this fleet."""
    changed = {path: entry for path, entry in listed.items() if known.get(path) != entry}
    if not changed:
        return
    skus = {path.rpartition("/")[0] for path in changed}
    releases = dict(target_of(release) for sku in skus for release in rows.find(Release, sku=sku))
    for path, entry in changed.items():
        if releases.get(path) != entry:
            shown = repr(path[:80])
            detail = f"The targets list {shown}, which is no release of this fleet, or another one: sign what is there."
            raise Refused("refused-metadata-mismatch", detail)


def _check_version(signed: Root | Targets, previous: Metadata[S] | None) -> None:
    expected = 1 if previous is None else previous.signed.version + 1
    if signed.version != expected:
        detail = (
            f"Version {expected} of the {signed.type} comes next, not {signed.version}: sign it anew from the newest."
        )
        raise Refused("refused-metadata-version", detail)


def _check_not_over(signed: Root | Targets, now_s: float) -> None:
    if is_over(signed, now_s):
        raise Refused("refused-metadata-expired", f"The {signed.type} expired {signed.expires:%Y-%m-%d}: renew it.")


def _check_online(root: Root, online: OnlineKey) -> None:
    """Refuse a root by which this server could not say what is the newest, or could say more than that."""
    key = online.public_key
    for role in (SNAPSHOT, TIMESTAMP):
        if key.key_id not in root.roles[role].keyids or root.roles[role].threshold != 1:
            detail = (
                f"The root does not let the server's key {key.short_id} alone sign the {role}: make a root that does."
            )
            raise Refused("refused-metadata-key", detail)
    for role in (Root.type, TARGETS):
        if key.key_id in root.roles[role].keyids:
            detail = f"The root lets the server's own key sign the {role}: only offline keys may."
            raise Refused("refused-metadata-key", detail)


def _targets_of(document: Metadata[Targets] | None) -> dict[str, TargetFile]:
    return {} if document is None else document.signed.targets


def _meta_of(rows: Rows, document: Metadata[S]) -> MetaFile:
    stored = rows.get(MetadataFile, file_name(document.signed))
    if stored is None:
        raise AssertionError("a document is named by the next one only after it was stored")
    # Without the length: a document that is too long is then no endless one, but simply another.
    return MetaFile(stored.version, hashes={"sha256": hashlib.sha256(stored.data).hexdigest()})


def _keep(rows: Rows, document: Metadata[S], data: bytes, now_s: float) -> None:
    """Store a document; of old ones only roots are needed for ever: companions walk from root to root."""
    signed = document.signed
    name = file_name(signed)
    rows.put(MetadataFile(name=name, role=signed.type, version=signed.version, data=data, stored_at_s=now_s))
    if signed.type in (TARGETS, SNAPSHOT):
        rows.drop(MetadataFile, f"{signed.version - KEPT_VERSIONS}.{signed.type}.json")
