"""The robots: by the beginning of their ids, a page at a time, or those that stand in a way somebody must look at."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from surefoot.fleet.model import Assignment, Rollout, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.robots import RobotStatus, list_robots, robot_status
from surefoot.server.pages.dependencies import Reader, ServicesDependency, SnapshotsDependency
from surefoot.server.pages.fleet_counts import fleet_counts
from surefoot.server.pages.rendering import render
from surefoot.wire import limits

LISTED = 50
# Rollouts whose robots of a status are listed; older ones hold none that matter now.
ROLLOUTS_MAX = 20

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotsView:
    """A page of robots; `next_after` continues it, None at its end."""

    robots: tuple[RobotStatus, ...]
    next_after: str | None


@router.get("/robots")
async def get_robots(
    request: Request,
    actor: Reader,
    services: ServicesDependency,
    snapshots: SnapshotsDependency,
    q: Annotated[str, Query(max_length=limits.ROBOT_ID_CHARS_MAX)] = "",
    after: Annotated[str, Query(max_length=limits.ROBOT_ID_CHARS_MAX)] = "",
    status: Status | None = None,
) -> Response:
    """List robots in order of id, or those whose newest assignment has a status."""
    beginning = q.strip()
    if status is None:
        view = await services.read(lambda rows: robots_view(rows, beginning, after, services.now_s()))
    else:
        view = await services.read(lambda rows: robots_of_status(rows, status, services.now_s()))
    counts = await fleet_counts(services, snapshots)
    return render(
        request,
        "robots.html",
        title="Robots",
        view=view,
        beginning=beginning,
        after=after,
        status=status,
        statuses=None if counts is None else counts.statuses,
    )


def robots_view(rows: Rows, beginning: str, after: str, now_s: float, limit: int = LISTED) -> RobotsView:
    """Return robots whose ids begin so, in order of id, behind `after`."""
    found: list[RobotStatus] = []
    if beginning and not after and rows.robot(beginning) is not None:
        found.append(robot_status(rows, beginning, now_s))
    behind = max(after, beginning)
    page = list_robots(rows, behind, limit + 1 - len(found), now_s)
    found += [status for status in page if status.robot.robot_id.startswith(beginning)]
    shown = tuple(found[:limit])
    return RobotsView(robots=shown, next_after=shown[-1].robot.robot_id if len(found) > limit else None)


def robots_of_status(rows: Rows, status: Status, now_s: float) -> RobotsView:
    """Return the first robots whose newest assignment was recorded with a status, by the newest rollouts."""
    found: dict[str, RobotStatus] = {}
    find = partial(rows.find, Rollout, newest_first=True, limit=ROLLOUTS_MAX)
    # Those for single robots, of which there may be many, do not hide the others.
    for rollout in {one.rollout_id: one for one in (*find(only_robot_id=None), *find())}.values():
        for assignment in rows.assignments_of_status(rollout.rollout_id, status, None, LISTED):
            if len(found) < LISTED and _is_newest(rows, assignment):
                found[assignment.robot_id] = robot_status(rows, assignment.robot_id, now_s)
    return RobotsView(robots=tuple(found[robot_id] for robot_id in sorted(found)), next_after=None)


def _is_newest(rows: Rows, assignment: Assignment) -> bool:
    newest = rows.newest_assignment(assignment.robot_id)
    return newest is not None and newest.assignment_id == assignment.assignment_id
