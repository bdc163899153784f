"""A small fleet to simulate on: real store and use cases, one signing key, releases made of given images."""

import hashlib
import itertools
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from surefoot.agent.values import Identity
from surefoot.fleet.deltas import BuiltDelta, delta_id
from surefoot.fleet.keys import trust_key
from surefoot.fleet.look import tick
from surefoot.fleet.model import Release, Rollout
from surefoot.fleet.ports import Rows, Store
from surefoot.fleet.releases import check_image, publish
from surefoot.fleet.robots import RobotStatus, enrol_robot, robot_status
from surefoot.fleet.rollouts import FORWARD, Purpose, start_rollout
from surefoot.rollout.plan import Phase, Plan
from surefoot.signing.delta import make_delta
from surefoot.signing.image import sign_image
from surefoot.signing.manifest import manifest_for, sign_manifest
from surefoot.signing.signers import Signer
from surefoot.sim.link import FleetLink
from surefoot.store.blobs import DirectoryBlobs
from surefoot.store.sql_store import SqlStore
from surefoot.trust import p256
from surefoot.trust.keys import KeyRing
from surefoot.wire.delta import HEAD_BYTES, DeltaHead
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.version import Version

T = TypeVar("T")

SKU = "standard"
# What every simulated robot left the factory with.
VERSION_FLOOR = Version(major=0, minor=1, patch=0)
EVERYONE = Plan(phases=(Phase(name="full", percent=100, soak_s=0),), failures_max=0, ramp=None)

# A sweep judges the same three signatures thousands of times; the answer is the kernel's own.
verify_once = lru_cache(maxsize=None)(p256.verify)


class SimFleet:
    """A fleet in `directory`, its rows elsewhere if a store is given; time stands still unless it is moved."""

    def __init__(self, directory: Path, signer: Signer, store: Store | None = None) -> None:
        self.store = store or SqlStore(f"sqlite:///{directory / 'fleet.db'}")
        self.blobs = DirectoryBlobs(directory / "images")
        self.now_s = 1_700_000_000.0
        self._signer = signer
        self._ids = itertools.count(1)
        self._write(lambda rows: trust_key(rows, "sim", signer.public_key.der, self.now_s))

    def publish(self, image: bytes, version: str, *, version_floor: str | None = None) -> Release:
        """Sign an image, store it and make it a release."""
        signed = sign_image(image, Version.parse(version), self._signer)
        header = ImageHeader.parse(signed[:HEADER_BYTES])
        floor = None if version_floor is None else Version.parse(version_floor)
        manifest = manifest_for(header, SKU).replace(protocol=1, version_floor=floor)
        envelope = sign_manifest(manifest, self._signer)
        sha256 = hashlib.sha256(signed).hexdigest()
        self.store.read(lambda rows: check_image(rows, signed))
        self.blobs.put(sha256, signed)
        return self._write(
            lambda rows: publish(rows, self.blobs, f"{SKU}-{version}", SKU, sha256, envelope, self.now_s)
        )

    def publish_delta(self, source_image: bytes, version: str, release: Release, *, spoilt: bool = False) -> str:
        """Offer robots that run an image a delta to a release, and return its SHA-256.

        A spoilt one makes an image that nobody signed. The image need be no release.
        """
        source_file = sign_image(source_image, Version.parse(version), self._signer)
        target_file = self.blobs.read(release.sha256, 0, release.size_bytes)
        file = make_delta(source_file, target_file)
        if spoilt:
            wrong = target_file[HEADER_BYTES:-1] + bytes([target_file[-1] ^ 1])
            other = make_delta(source_file, sign_image(wrong, release.version, self._signer))
            file = file[:HEAD_BYTES] + other[HEAD_BYTES:]
        sha256, source_digest = hashlib.sha256(file).hexdigest(), DeltaHead.parse(file[:HEAD_BYTES]).source_digest
        self.blobs.put(sha256, file)
        built = BuiltDelta(
            delta_id=delta_id(release.release_id, source_digest),
            release_id=release.release_id,
            source_digest=source_digest,
            sha256=sha256,
            size_bytes=len(file),
            built_at_s=self.now_s,
        )
        self._write(lambda rows: rows.put(built))
        return sha256

    def start_rollout(self, release: Release, plan: Plan = EVERYONE, purpose: Purpose = FORWARD) -> Rollout:
        """Begin a rollout of a release."""
        rollout_id = f"rollout-{next(self._ids)}"
        return self._write(
            lambda rows: start_rollout(
                rows, release.release_id, plan, rollout_id, rollout_id.encode(), self.now_s, purpose=purpose
            )
        )

    def enrol(self, robot_id: str) -> FleetLink:
        """Add a robot, and return its way to the fleet."""
        robot = self._write(
            lambda rows: enrol_robot(rows, robot_id, SKU, hashlib.sha256(robot_id.encode()).hexdigest(), self.now_s)
        )
        return FleetLink(self.store, self.blobs, robot, lambda: self.now_s, lambda: f"assignment-{next(self._ids)}")

    def identity(self, robot_id: str) -> Identity:
        """Return the identity of a robot that trusts this fleet's key."""
        return identity_of(robot_id, KeyRing(keys=(self._signer.public_key,)))

    def status(self, robot_id: str) -> RobotStatus:
        """Return the fleet's record of a robot."""
        return self.store.read(lambda rows: robot_status(rows, robot_id, self.now_s))

    def tick(self) -> list[str]:
        """Run the rollout engine once."""
        return self._write(lambda rows: tick(rows, self.now_s))

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def _write(self, work: Callable[[Rows], T]) -> T:
        return self.store.submit(work).result()


def identity_of(robot_id: str, ring: KeyRing) -> Identity:
    """Return who a simulated robot is that trusts these keys: a chip with a companion."""
    return Identity(
        robot_id=robot_id,
        sku=SKU,
        ring=ring,
        verify=verify_once,
        version_floor=VERSION_FLOOR,
        protocol=1,
        companion_version="0.1.4",
        chip_id=0,
        attempts_max=3,
        needs_manifest=True,
    )
