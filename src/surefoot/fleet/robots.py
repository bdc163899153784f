"""Robots: enrolling them, and showing where each stands."""

from dataclasses import dataclass, replace

from surefoot.fleet.doors import Doors
from surefoot.fleet.judge import judge
from surefoot.fleet.model import Assignment, Facts, HistoryEntry, Robot, RobotView
from surefoot.fleet.ports import Rows
from surefoot.fleet.reconcile import Verdict, reconcile
from surefoot.wire import limits
from surefoot.wire.codes import NAMED_REFUSALS
from surefoot.wire.errors import Refused
from surefoot.wire.fields import NAME_CHARS
from surefoot.wire.version import Version

HISTORY_SHOWN = 50
# What the server is called at the MQTT broker, where it may do everything.
SERVER_IDENTITY = "surefoot-server"


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotStatus:
    """A robot, what it says, what it should run, and the verdict on the difference.

    `no_offer` is the named refusal under which no newer rollout takes it; it is looked up only for a single robot.
    """

    robot: Robot
    facts: Facts | None
    assignment: Assignment | None
    wanted_version: Version | None
    wanted_digest: str | None
    verdict: Verdict
    history: tuple[HistoryEntry, ...] = ()
    no_offer: str | None = None


def check_names(robot_id: str, sku: str) -> None:
    """Raise `Refused` (`refused-robot-id`) unless both are names that fit into addresses and topics."""
    for name, value, chars_max in (
        ("robot id", robot_id, limits.ROBOT_ID_CHARS_MAX),
        ("sku", sku, limits.NAME_CHARS_MAX),
    ):
        if not value or len(value) > chars_max or value.strip(NAME_CHARS):
            detail = f"The {name} {value!r} is not 1 to {chars_max} of A-Z a-z 0-9 . : _ -: choose another."
            raise Refused("refused-robot-id", detail)
    if robot_id == SERVER_IDENTITY:
        raise Refused("refused-robot-id", f"{SERVER_IDENTITY} is the server's own name at the broker: choose another.")


def enrol_robot(rows: Rows, robot_id: str, sku: str, token_sha256: str, now_s: float) -> Robot:
    """Add a robot to the fleet.

    Raises:
        Refused: `refused-robot-id`, `refused-robot-exists`.
    """
    check_names(robot_id, sku)
    if rows.robot(robot_id) is not None:
        raise Refused("refused-robot-exists", f"Robot {robot_id} is enrolled already: use its token or another id.")
    robot = Robot(robot_id=robot_id, sku=sku, token_sha256=token_sha256, enrolled_at_s=now_s)
    rows.put_robot(robot)
    return robot


def robot_status(rows: Rows, robot_id: str, now_s: float) -> RobotStatus:
    """Return all that is known of one robot; `Refused` (`not-found-robot`)."""
    robot = rows.robot(robot_id)
    if robot is None:
        raise Refused("not-found-robot", f"The fleet has no robot {robot_id}: enrol it first.")
    history = tuple(rows.history(robot_id, HISTORY_SHOWN))
    view = RobotView(robot=robot, facts=rows.facts(robot_id), assignment=rows.newest_assignment(robot_id))
    doors = Doors(rows, now_s)
    return replace(_status(rows, doors, view, now_s, history), no_offer=_no_offer(doors, view))


def list_robots(rows: Rows, after: str, limit: int, now_s: float) -> list[RobotStatus]:
    """Return up to `limit` robots whose ids sort behind `after`."""
    doors = Doors(rows, now_s)
    return [_status(rows, doors, view, now_s) for view in rows.robot_views(after, limit)]


def _status(
    rows: Rows, doors: Doors, view: RobotView, now_s: float, history: tuple[HistoryEntry, ...] = ()
) -> RobotStatus:
    if view.assignment is None:
        verdict, version, digest = _unassigned(doors, view, now_s), None, None
    else:
        judged = judge(rows, view.assignment, view.facts, now_s)
        verdict, version, digest = judged.verdict, judged.release.version, judged.release.digest
    return RobotStatus(
        robot=view.robot,
        facts=view.facts,
        assignment=view.assignment,
        wanted_version=version,
        wanted_digest=digest,
        verdict=verdict,
        history=history,
    )


def _unassigned(doors: Doors, view: RobotView, now_s: float) -> Verdict:
    """Say why nothing is assigned: a robot that could be updated now gets its assignment when it asks."""
    verdict = reconcile(None, view.facts, None, now_s)
    why = _no_offer(doors, view)
    if why is None:
        return replace(verdict, reason="It gets an assignment when it asks next.")
    return replace(verdict, code=why, reason=NAMED_REFUSALS[why])


def _no_offer(doors: Doors, view: RobotView) -> str | None:
    facts = view.facts
    version, trusted = (None, ()) if facts is None else (facts.running_version, facts.report.trusted_keys)
    return doors.find(view.robot, view.assignment, version, trusted).refusal
