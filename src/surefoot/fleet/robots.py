"""Robots: enrolling them, and showing where each stands."""

from dataclasses import dataclass, replace

from surefoot.fleet.doors import Doors, Found, door_of
from surefoot.fleet.judge import judge
from surefoot.fleet.lacking import trusts
from surefoot.fleet.model import Assignment, Facts, HistoryEntry, Release, Robot, RobotView, Rollout
from surefoot.fleet.one_robot import in_order
from surefoot.fleet.ports import Rows
from surefoot.fleet.reconcile import Verdict, reconcile
from surefoot.fleet.way_back import release_before, runs
from surefoot.rollout.door import refusal
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

    `no_offer` is the named refusal under which no newer rollout takes it. That, and whether it is still to be led back,
    is looked up only for a single robot.
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
    status, found = _status(rows, doors, view, now_s, history), _found(doors, view)
    reason = f"{status.verdict.reason} {_going_back(rows, view, found)}".rstrip()
    return replace(status, verdict=replace(status.verdict, reason=reason), no_offer=found.refusal)


def list_robots(rows: Rows, after: str, limit: int, now_s: float) -> list[RobotStatus]:
    """Return up to `limit` robots whose ids sort behind `after`."""
    doors = Doors(rows, now_s)
    return [_status(rows, doors, view, now_s) for view in rows.robot_views(after, limit)]


def robots_beginning(rows: Rows, beginning: str, after: str, limit: int, now_s: float) -> list[RobotStatus]:
    """Return up to `limit` robots whose ids begin so, in order of id, behind `after`."""
    exact = [robot_status(rows, beginning, now_s)] if after < beginning and rows.robot(beginning) is not None else []
    others = list_robots(rows, max(after, beginning), limit - len(exact), now_s)
    return exact + [found for found in others if found.robot.robot_id.startswith(beginning)]


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
    why = _found(doors, view).refusal
    if why is None:
        return replace(verdict, reason="It gets an assignment when it asks next.")
    return replace(verdict, code=why, reason=NAMED_REFUSALS[why])


def _found(doors: Doors, view: RobotView) -> Found:
    facts = view.facts
    version, trusted = (None, ()) if facts is None else (facts.running_version, facts.report.trusted_keys)
    return doors.find(view.robot, view.assignment, version, trusted)


def _going_back(rows: Rows, view: RobotView, found: Found) -> str:
    """Say that a robot is to go back from what it runs and why it has not yet, "" where it is not."""
    robot, current, facts = view.robot, view.assignment, view.facts
    if found.entrance is not None and found.entrance.rollout.rolls_back is None:
        return ""
    for_all = rows.find(Rollout, newest_first=True, sku=robot.sku, only_robot_id=None)
    for rollout in in_order(rows, robot, current, for_all):
        if current is not None and current.rollout_id == rollout.rollout_id:
            break
        recalled, fallback = rows.get(Release, rollout.rolls_back or ""), rows.get(Release, rollout.release_id)
        if recalled is None or fallback is None or not runs(facts, recalled):
            continue
        if rows.assignment_for(rollout.rollout_id, robot.robot_id) is not None:
            continue
        back = release_before(rows, facts, fallback)
        why = refusal(door_of(rows, rollout, back), robot.robot_id, None)
        why = why or (None if trusts(facts, back) else "untrusted-key")
        if why is None:
            return f"It is to go back to {back.version}: it is told so when it asks next, and has not asked yet."
        words = NAMED_REFUSALS[why]
        return f"The way back to {back.version} does not take it yet: {words[0].lower()}{words[1:]}"
    return ""
