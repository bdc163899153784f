"""What is asked of many rows at once for a person to look at."""

from dataclasses import dataclass

from surefoot.fleet.model import Status

# Who stands so tried the release, or may have: the silent too.
TRIED = (Status.ROLLED_BACK, Status.ON_TRIAL, Status.REBOOTING, Status.SILENT, Status.DRIFTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCount:
    """How many assignments of a rollout stand at this status for the reason that the code names, None for none."""

    status: Status
    code: str | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A robot that ran a rollout's release, as far as its record tells, with what says where it is now.

    `heard_at_s` and `running_digest` are None where it never reported.
    """

    robot_id: str
    assigned_at_s: float
    heard_at_s: float | None
    running_digest: str | None
