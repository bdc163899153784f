"""What all worlds of a process begin with: a key, two signed releases, and a fleet that knows them.

Signing and publishing go through the real code once; every world gets a copy of the rows.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from surefoot.agent.values import Identity
from surefoot.fleet.keys import trust_key
from surefoot.fleet.model import Release
from surefoot.fleet.releases import check_image, publish
from surefoot.signing.image import sign_image
from surefoot.signing.manifest import manifest_for, sign_manifest
from surefoot.signing.signers import FileSigner, Signer
from surefoot.sim.ground import SKU, identity_of
from surefoot.sim.images import app_image
from surefoot.sim.memory_store import MemoryStore
from surefoot.sim.watch import Trusted
from surefoot.store.blobs import DirectoryBlobs
from surefoot.trust.keys import KeyRing
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.version import Version

OLD_VERSION = "0.2.0"
IMAGE_BYTES = 12_000
OLD_IMAGE = app_image(OLD_VERSION, size_bytes=IMAGE_BYTES, seed=1, half_of=0)
# The last release closes the way back to before the second; robots left the factory with the first.
RELEASES = ((OLD_VERSION, "0.1.0"), ("0.2.1", "0.1.0"), ("0.2.2", "0.2.1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundry:
    """Rows with key and releases in them, the files that robots download, and every image a robot may run.

    `releases` are those to roll out, all made of half the same content, so that deltas between them are of use.
    `strange_file` is a newer image in good order, signed by a key that nobody trusts.
    """

    store: MemoryStore
    releases: tuple[Release, ...]
    files: Mapping[str, bytes]
    strange_file: bytes
    trusted: Mapping[str, Trusted]
    ring: KeyRing

    def identity(self, robot_id: str) -> Identity:
        """Return the identity of a robot that trusts the key."""
        return identity_of(robot_id, self.ring)


@cache
def foundry() -> Foundry:
    """Return what worlds begin with, made at the first call."""
    signer = FileSigner(ec.derive_private_key(0x5EED, ec.SECP256R1()))
    store = MemoryStore()
    store.submit(lambda rows: trust_key(rows, "world", signer.public_key.der, 0.0)).result()
    files: dict[str, bytes] = {}
    trusted: dict[str, Trusted] = {}
    releases = []
    with tempfile.TemporaryDirectory(prefix="surefoot-world-") as directory:
        blobs = DirectoryBlobs(Path(directory))
        for seed, (version, floor) in enumerate(RELEASES, start=1):
            image = app_image(version, size_bytes=IMAGE_BYTES, seed=seed, half_of=0)
            release, file = _publish(store, blobs, signer, image, floor)
            files[release.sha256] = file
            trusted[release.digest] = Trusted(version=release.version, floor=Version.parse(floor))
            releases.append(release)
    ring = KeyRing(keys=(signer.public_key,))
    stranger = FileSigner(ec.derive_private_key(0xBAD, ec.SECP256R1()))
    return Foundry(
        store=store,
        releases=tuple(releases[1:]),
        files=files,
        strange_file=sign_image(app_image("0.2.3", size_bytes=IMAGE_BYTES, seed=9), Version.parse("0.2.3"), stranger),
        trusted=trusted,
        ring=ring,
    )


def _publish(
    store: MemoryStore, blobs: DirectoryBlobs, signer: Signer, image: bytes, floor: str
) -> tuple[Release, bytes]:
    version = RELEASES[len(store.read(lambda rows: rows.find(Release, newest_first=True)))][0]
    file = sign_image(image, Version.parse(version), signer)
    header = ImageHeader.parse(file[:HEADER_BYTES])
    manifest = manifest_for(header, SKU).replace(protocol=1, version_floor=Version.parse(floor))
    envelope = sign_manifest(manifest, signer)
    sha256 = hashlib.sha256(file).hexdigest()
    store.read(lambda rows: check_image(rows, file))
    blobs.put(sha256, file)
    release_id = f"release-{version}"
    return store.submit(lambda rows: publish(rows, blobs, release_id, SKU, sha256, envelope, 0.0)).result(), file
