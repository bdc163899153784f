"""What the fleet knows: the values that use cases read and write through the ports."""

from dataclasses import dataclass
from enum import StrEnum

from surefoot.rollout.plan import Plan
from surefoot.wire.errors import Refused
from surefoot.wire.formats import ROBO
from surefoot.wire.manifest import SignedManifest
from surefoot.wire.report import Report
from surefoot.wire.version import Version


class Status(StrEnum):
    """Where a robot stands with its assignment; derived by `reconcile`, never announced.

    `superseded` alone is not of the robot but of the assignment: a newer one took its place before it ended, or the
    robot lost its credentials.
    """

    INSTALLED = "installed"
    ROLLED_BACK = "rolled_back"
    REFUSED = "refused"
    DRIFTED = "drifted"
    SILENT = "silent"
    ON_TRIAL = "on_trial"
    DOWNLOADING = "downloading"
    VERIFYING = "verifying"
    REBOOTING = "rebooting"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    SUPERSEDED = "superseded"
    UNASSIGNED = "unassigned"


class RolloutState(StrEnum):
    """The life of a rollout; only a person leads out of `halted`."""

    RUNNING = "running"
    PAUSED = "paused"
    HALTED = "halted"
    FINISHED = "finished"


class KeyState(StrEnum):
    """The life of a signing key; `fleet.rotation` leads it, and no way leads back."""

    ACTIVE = "active"
    RETIRING = "retiring"
    REVOKED = "revoked"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Robot:
    """A robot the fleet knows; only the SHA-256 of its bearer token is kept."""

    robot_id: str
    sku: str
    token_sha256: str
    enrolled_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The greatest report of a robot.

    `received_at_s` is when that report came, `heard_at_s` when the robot last said anything at all (Unix seconds);
    `past_epochs` are the epochs that a factory reset ended: what still arrives from them is out of date.
    """

    report: Report
    received_at_s: float
    heard_at_s: float
    past_epochs: tuple[str, ...] = ()

    @property
    def running_version(self) -> Version | None:
        """The version the robot names for its running image, where that is a version at all."""
        return _version_of(self.report.running.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A public signing key; `public_key_xy` is the 64 bytes X ‖ Y."""

    key_id: str
    name: str
    public_key_xy: bytes
    state: KeyState
    added_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A published image.

    `sha256` and `size_bytes` are of the file that robots download, `digest` of the image inside. Once `recalled_at_s`
    (Unix seconds) is set, nobody is offered the release or served its file again. `format` is one of `wire.formats`.
    """

    release_id: str
    sku: str
    version: Version
    sha256: str
    size_bytes: int
    digest: str
    key_id: str
    manifest: SignedManifest
    published_at_s: float
    stable: bool = False
    recalled_at_s: float | None = None
    format: str = ROBO


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One release on its way to the fleet; `phase` is the index of the last phase whose door is open.

    `salt` fixes who belongs to which percentage; `reason` says why the rollout stands where it stands. The engine last
    looked at `looked_at_s`, without a longer break since `watched_since_s`; `soaked_s` is how long it has watched the
    open phase with every robot of it settled. `rolls_back` names the recalled release from which this rollout leads
    robots back, to what each of them ran before. `offers_max` is how many robots the ramp lets be offered the release
    until the engine looks again, None where nothing but the capacity bounds them. `only_robot_id` names the one robot
    that it is for, None for all of its sku; with `force` who runs the release already installs it once more.
    """

    rollout_id: str
    release_id: str
    sku: str
    plan: Plan
    salt: bytes
    state: RolloutState
    phase: int
    phase_opened_at_s: float
    started_at_s: float
    looked_at_s: float
    watched_since_s: float
    soaked_s: float
    reason: str
    rolls_back: str | None = None
    offers_max: int | None = None
    only_robot_id: str | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One release for one robot: the row with a life.

    `status` and `code` are the last verdict, kept so that a change can be told; `installed_at_s` is when the robot
    was first known to run it; `attempt` is the highest attempt offered; `is_open` tells that it holds a place of its
    plan's capacity: the robot may be updating at this moment; `phase` is the index of the phase that reaches the robot,
    None where that was not kept. `downloading_since_s` is when its download began, `download_s` how long that took, as
    `fleet.download_time` counts it: of the first download that was whole, None while the fleet heard of none.
    """

    assignment_id: str
    rollout_id: str
    release_id: str
    robot_id: str
    assigned_at_s: float
    attempt: int
    status: Status
    code: str | None
    status_since_s: float
    installed_at_s: float | None
    is_open: bool
    force: bool = False
    rollback: bool = False
    phase: int | None = None
    downloading_since_s: float | None = None
    download_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One thing that happened to a robot, in words an operator reads; `kind` is a stable word for filters."""

    robot_id: str
    at_s: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotView:
    """A robot with everything a list shows of it."""

    robot: Robot
    facts: Facts | None
    assignment: Assignment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """A robot that has no assignment from a rollout, with as much of it as tells whether that waits for it.

    `newest_rollout_id` is whose assignment it has, None when it has none at all.
    """

    robot_id: str
    heard_at_s: float | None
    running_version: str | None
    running_digest: str | None
    newest_rollout_id: str | None

    @property
    def version(self) -> Version | None:
        """The version the robot names for its running image, where that is a version at all."""
        return _version_of(self.running_version)


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotCount:
    """How many robots of a sku have this recorded status, None when nothing is assigned, and name this version."""

    sku: str
    status: Status | None
    version: str | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentCount:
    """How many assignments of a rollout's phase stand at this status, and hold a place or not.

    `installs` of them were known to run the release, `installs_s` after their assignment all together; `downloads` are
    those whose download time is known, `downloads_s` all of these together.
    """

    rollout_id: str
    phase: int | None
    status: Status
    is_open: bool
    count: int
    installs: int = 0
    installs_s: float = 0.0
    downloads: int = 0
    downloads_s: float = 0.0


def _version_of(named: str | None) -> Version | None:
    try:
        return Version.parse(named or "")
    except Refused:
        return None
