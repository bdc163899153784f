"""Images, releases and rollouts as operators send and get them."""

from typing import Any, Self

from pydantic import Field

from surefoot.fleet.gate_view import GateView
from surefoot.fleet.model import Release, RolloutState, Status
from surefoot.fleet.rollout_detail import Beside, Detail
from surefoot.fleet.rollout_history import RolloutAction, RolloutChange
from surefoot.fleet.rollouts import RolloutProgress
from surefoot.rollout.plan_format import plan_to_object
from surefoot.server.operators.gate_models import GateOut
from surefoot.server.operators.models import Model
from surefoot.server.operators.plan_models import ApprovalOut
from surefoot.wire.manifest import SignedManifest, signed_manifest_from_object, signed_manifest_to_object
from surefoot.wire.metadata import TARGETS_BYTES_MAX


class ImageOut(Model):
    """A stored image; `version` is null where the file names none, `key_id` where it carries no signature."""

    sha256: str
    size_bytes: int
    format: str
    version: str | None
    digest: str
    key_id: str | None


class ManifestModel(Model):
    """A signed manifest: the exact bytes as text, the key's id, the raw r ‖ s signature in hex."""

    payload: str
    key_id: str
    signature: str

    def signed(self) -> SignedManifest:
        """Return the value; `Refused` (`refused-manifest-format`)."""
        return signed_manifest_from_object(self.model_dump())


class ReleaseIn(Model):
    """A stored image to publish for a sku; `targets` is the signed list that names it, where metadata is set up.

    `image_signature` is r ‖ s in hex over the slot's bytes alone, for devices that know no manifest.
    """

    sku: str
    sha256: str
    manifest: ManifestModel
    image_signature: str | None = Field(default=None, pattern=r"^[0-9a-f]{128}$")
    targets: str | None = Field(default=None, max_length=TARGETS_BYTES_MAX)


class ReleaseOut(Model):
    """A release; `sha256` and `size_bytes` are of the file, `digest` of the image inside.

    `deltas` counts the shorter ways to it that robots are offered now.
    """

    release_id: str
    sku: str
    version: str
    sha256: str
    size_bytes: int
    format: str
    digest: str
    key_id: str
    published_at_s: float
    stable: bool
    recalled_at_s: float | None
    deltas: int
    manifest: ManifestModel

    @classmethod
    def of(cls, release: Release, deltas: int = 0) -> Self:
        """Show a release."""
        plain = ("release_id", "sku", "sha256", "size_bytes", "format", "digest", "key_id", "published_at_s")
        return cls(
            version=str(release.version),
            manifest=ManifestModel(**signed_manifest_to_object(release.manifest)),
            stable=release.stable,
            recalled_at_s=release.recalled_at_s,
            deltas=deltas if release.recalled_at_s is None else 0,
            **{name: getattr(release, name) for name in plain},
        )


class ReleasesOut(Model):
    """A page of releases, the newest first; `next_after` continues the list, null at its end."""

    releases: list[ReleaseOut]
    next_after: str | None


class WarningsOut(Model):
    """What whoever brings a release to its sku should know: which robots cannot get it, and why."""

    warnings: list[str]


class RolloutIn(Model):
    """A release to bring to its sku; without a plan by the default one.

    With `force` robots that run it already install it once more.
    """

    release_id: str
    plan: dict[str, Any] | None = None
    force: bool = False


class ReasonIn(Model):
    """Why a rollout is paused, resumed or halted."""

    reason: str = Field(default="", max_length=500)


class ChangeIn(ReasonIn):
    """Why, and of a halt whether robots are led back to what they ran before, and whether the release is recalled."""

    roll_back: bool = False
    recall: bool = False


class ChangeOut(Model):
    """One change of a rollout: who made it, why, when, and where the rollout stood behind it."""

    number: int
    at_s: float
    who: str
    action: RolloutAction
    state: RolloutState
    phase: int
    reason: str

    @classmethod
    def of(cls, change: RolloutChange) -> Self:
        """Show a change."""
        return cls(**{name: getattr(change, name) for name in cls.model_fields})


class BesideOut(Model):
    """Another rollout of the sku: how many robots it has offered its release, and what it means for this one."""

    rollout_id: str
    version: str
    state: RolloutState
    is_newer: bool
    offered: int
    meaning: str

    @classmethod
    def of(cls, beside: Beside) -> Self:
        """Show it."""
        return cls(**{name: getattr(beside, name) for name in cls.model_fields})


class RolloutOut(Model):
    """A rollout, where it stands and why, its robots counted by status, and its newest changes, oldest first.

    `soaked_s` is how long the open phase was watched, `offers_max` how many robots the ramp lets be offered the release
    now, null for no bound; `earliest_end_s` is when all would be done if nothing else kept it waiting.
    `rolls_back` names the recalled release that the rollout leads robots back from, null for any other rollout.
    `only_robot_id` names the one robot that it is for, null for all of its sku; with `force` who runs the release
    already installs it once more.
    `gates` is what its gate says, null on the way back, where nothing is judged. `updating` counts robots that may be
    updating, `running` those that have installed the release and run it still; `way_back_rollout_id` leads robots back
    from it; `beside` are the other rollouts of the sku that have a say, the newest first: of several the newest open
    door wins. All five are null wherever several rollouts are listed.
    """

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
    soaked_s: float
    offers_max: int | None
    earliest_end_s: float | None
    approvals: list[ApprovalOut]
    rolls_back: str | None
    only_robot_id: str | None
    force: bool
    changes: list[ChangeOut]
    gates: GateOut | None = None
    updating: int | None = None
    running: int | None = None
    way_back_rollout_id: str | None = None
    beside: list[BesideOut] | None = None

    @classmethod
    def of(cls, progress: RolloutProgress, gates: GateView | None = None, detail: Detail | None = None) -> Self:
        """Show a rollout's progress."""
        rollout = progress.rollout
        plain = ("rollout_id", "release_id", "sku", "state", "reason", "phase", "phase_opened_at_s", "started_at_s")
        whose = ("rolls_back", "only_robot_id", "force")
        return cls(
            version=str(progress.release.version),
            phase_name=progress.phase_name,
            plan=plan_to_object(rollout.plan),
            counts=progress.counts,
            soaked_s=rollout.soaked_s,
            offers_max=rollout.offers_max,
            earliest_end_s=progress.earliest_end_s,
            approvals=[ApprovalOut.of(approval) for approval in progress.approvals],
            changes=[ChangeOut.of(change) for change in progress.changes],
            gates=None if gates is None else GateOut.of(gates),
            updating=None if detail is None else detail.updating,
            running=None if detail is None else detail.running,
            way_back_rollout_id=None if detail is None else detail.way_back_id,
            beside=None if detail is None else [BesideOut.of(other) for other in detail.beside],
            **{name: getattr(rollout, name) for name in (*plain, *whose)},
        )


class RolloutsOut(Model):
    """All rollouts, newest first."""

    rollouts: list[RolloutOut]
