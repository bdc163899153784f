"""Images, releases and rollouts as operators send and get them."""

from typing import Any, Self

from pydantic import Field

from surefoot.fleet.model import Release, RolloutState, Status
from surefoot.fleet.rollouts import RolloutProgress
from surefoot.rollout.plan import plan_to_object
from surefoot.server.operator_models import Model
from surefoot.wire.manifest import SignedManifest, signed_manifest_from_object, signed_manifest_to_object


class ImageOut(Model):
    """A stored image."""

    sha256: str
    size_bytes: int
    version: str
    digest: str


class ManifestModel(Model):
    """A signed manifest: the exact bytes as text, the key's id, the raw r ‖ s signature in hex."""

    payload: str
    key_id: str
    signature: str

    def signed(self) -> SignedManifest:
        """Return the value; `Refused` (`refused-manifest-format`)."""
        return signed_manifest_from_object(self.model_dump())


class ReleaseIn(Model):
    """A stored image to publish for a sku."""

    sku: str
    sha256: str
    manifest: ManifestModel


class ReleaseOut(Model):
    """A release; `sha256` and `size_bytes` are of the file, `digest` of the image inside."""

    release_id: str
    sku: str
    version: str
    sha256: str
    size_bytes: int
    digest: str
    key_id: str
    published_at_s: float
    stable: bool
    manifest: ManifestModel

    @classmethod
    def of(cls, release: Release) -> Self:
        """Show a release."""
        plain = ("release_id", "sku", "sha256", "size_bytes", "digest", "key_id", "published_at_s", "stable")
        return cls(
            version=str(release.version),
            manifest=ManifestModel(**signed_manifest_to_object(release.manifest)),
            **{name: getattr(release, name) for name in plain},
        )


class ReleasesOut(Model):
    """All releases, newest first."""

    releases: list[ReleaseOut]


class RolloutIn(Model):
    """A release to bring to its sku; without a plan by the default one."""

    release_id: str
    plan: dict[str, Any] | None = None


class ReasonIn(Model):
    """Why a rollout is paused, resumed or halted."""

    reason: str = Field(default="", max_length=500)


class RolloutOut(Model):
    """A rollout, where it stands and why, and its robots counted by status."""

    rollout_id: str
    release_id: str
    sku: str
    version: str
    state: RolloutState
    reason: str
    phase: int
    phase_name: str
    phase_opened_at_s: float
    started_at_s: float
    plan: dict[str, Any]
    counts: dict[Status, int]

    @classmethod
    def of(cls, progress: RolloutProgress) -> Self:
        """Show a rollout's progress."""
        rollout = progress.rollout
        plain = ("rollout_id", "release_id", "sku", "state", "reason", "phase", "phase_opened_at_s", "started_at_s")
        return cls(
            version=str(progress.release.version),
            phase_name=progress.phase_name,
            plan=plan_to_object(rollout.plan),
            counts=progress.counts,
            **{name: getattr(rollout, name) for name in plain},
        )


class RolloutsOut(Model):
    """All rollouts, newest first."""

    rollouts: list[RolloutOut]
