"""Offline keys, the server's own key, and what they sign: a whole repository of metadata, with time that is told."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp

from surefoot.fleet import metadata as fleet_metadata
from surefoot.fleet.documents import MetadataFile, file_name, moment, newest
from surefoot.fleet.model import Key, KeyState, Release
from surefoot.fleet.ports import Rows
from surefoot.server.metadata_key import MetadataKey
from surefoot.signing import metadata as offline
from surefoot.signing.metadata import RoleKeys
from surefoot.signing.signers import FileSigner
from surefoot.sim.memory_store import MemoryStore
from surefoot.wire.manifest import SignedManifest
from surefoot.wire.offer import Offer
from surefoot.wire.version import Version

T = TypeVar("T")

SKU = "standard"
START_S = 1_800_000_000.0
DAY_S = 86400.0


def a_signer(number: int) -> FileSigner:
    """Return the same key for the same number."""
    return FileSigner(ec.derive_private_key(0x5EED + number, ec.SECP256R1()))


ROOT, SECOND_ROOT, TARGETS, SECOND_TARGETS, ONLINE, STRANGER, NEW = (a_signer(number) for number in range(7))


def signed(document: Metadata[Any], *signers: FileSigner) -> bytes:
    """Return the document with these signatures and no others."""
    document.signatures.clear()
    for signer in signers:
        offline.endorse(document, signer)
    return document.to_bytes()


def keys(*signers: FileSigner, threshold: int = 1) -> RoleKeys:
    return RoleKeys(keys=tuple(signer.public_key for signer in signers), threshold=threshold)


class Repository:
    """A server's metadata, made as a fleet makes it: by the offline keys, then by the server's own."""

    def __init__(self, root: RoleKeys | None = None, targets: RoleKeys | None = None) -> None:
        self.now_s = START_S
        self.online = MetadataKey(ONLINE)
        self.store = MemoryStore()
        key = Key(key_id="aa" * 32, name="ci", public_key_xy=bytes(64), state=KeyState.ACTIVE, added_at_s=0.0)
        self.write(lambda rows: rows.put(key))
        self.first_root = offline.make_root(root or keys(ROOT), targets or keys(TARGETS), ONLINE.public_key, self.now)
        self.first_targets = offline.make_targets(self.now)

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_s, UTC)

    def write(self, work: Callable[[Rows], T]) -> T:
        return self.store.submit(work).result()

    def set_up(
        self, root_signers: tuple[FileSigner, ...] = (ROOT,), signers: tuple[FileSigner, ...] = (TARGETS,)
    ) -> bytes:
        """Store the first root and targets; return the root, as a companion is given it."""
        root, targets = signed(self.first_root, *root_signers), signed(self.first_targets, *signers)
        self.send(root, targets)
        return root

    def send(self, root: bytes | None = None, targets: bytes | None = None) -> None:
        self.write(lambda rows: fleet_metadata.store_metadata(rows, root, targets, self.online, self.now_s))

    def newest(self, kind: type[Any]) -> Metadata[Any]:
        found = self.store.read(lambda rows: newest(rows, kind))
        assert found is not None
        return found

    def files(self) -> dict[str, bytes]:
        """Return everything the server shows, by name."""
        return {file.name: file.data for file in self.store.read(lambda rows: rows.find(MetadataFile))}

    def release(self, version: str, sku: str = SKU, **changes: Any) -> Release:
        """Return a release that nothing vouches for yet."""
        said: dict[str, Any] = {
            "release_id": f"{sku}-{version}",
            "sku": sku,
            "version": Version.parse(version),
            "sha256": "bb" * 32,
            "size_bytes": 4096,
            "digest": "cc" * 32,
            "key_id": "aa" * 32,
            "manifest": SignedManifest(payload=version.encode(), key_id="aa" * 32, signature=bytes(64)),
            "published_at_s": self.now_s,
        }
        return Release(**{**said, **changes})

    def listing(self, *releases: Release, base: Metadata[Targets] | None = None) -> Metadata[Targets]:
        """Return the next list of targets, with these releases more, unsigned."""
        following = offline.renewed(base or self.newest(Targets), self.now)
        for release in releases:
            path, entry = fleet_metadata.target_of(release)
            following.signed.targets[path] = entry
        return following

    def publish(self, version: str, *signers: FileSigner, sku: str = SKU) -> Release:
        """Publish a release with metadata that these keys sign."""
        release = self.release(version, sku)
        self.publish_with(release, signed(self.listing(release), *(signers or (TARGETS,))))
        return release

    def publish_with(self, release: Release, targets: bytes | None) -> None:
        def work(rows: Rows) -> None:
            rows.put(release)
            fleet_metadata.vouch_for(rows, release, targets, self.online, self.now_s)

        self.write(work)

    def rotate_root(self, change: Callable[[Metadata[Root]], Metadata[Root]], *signers: FileSigner) -> bytes:
        """Return the next root, changed so and signed by these keys."""
        return signed(change(self.newest(Root)), *signers)


def offer_of(release: Release, **changes: Any) -> Offer:
    """Return the offer of a release."""
    return Offer(
        id="assignment-1",
        url=f"https://fleet.test/v1/images/{release.sha256}",
        sha256=release.sha256,
        size_bytes=release.size_bytes,
        digest=release.digest,
        version=release.version,
        sku=release.sku,
        release=release.release_id,
        manifest=release.manifest,
        force=False,
        rollback=False,
        attempt=1,
        delta=None,
    ).replace(**changes)


def forged_news(
    files: dict[str, bytes], targets: bytes, now_s: float, version: int, signer: FileSigner = ONLINE
) -> None:
    """Put up targets with a snapshot and a timestamp of one's own: what whoever holds the server's key can do."""
    listed: Metadata[Targets] = Metadata.from_bytes(targets)
    files[file_name(listed.signed)] = targets
    meta = {"targets.json": MetaFile.from_data(listed.signed.version, targets, ["sha256"])}
    snapshot = signed(Metadata(Snapshot(version=version, expires=moment(now_s + DAY_S), meta=meta)), signer)
    files[f"{version}.snapshot.json"] = snapshot
    about = MetaFile.from_data(version, snapshot, ["sha256"])
    news = Metadata(Timestamp(version=version, expires=moment(now_s + DAY_S), snapshot_meta=about))
    files["timestamp.json"] = signed(news, signer)
