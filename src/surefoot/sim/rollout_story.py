"""How a simulated rollout went: its phases, who halted it and why, who was exposed, and whether the record is true."""

from collections import Counter
from dataclasses import dataclass

from surefoot.fleet.alarms import open_alarm
from surefoot.fleet.model import Assignment, Release, Rollout, RolloutState, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollout_history import RolloutAction, RolloutChange, changes_of
from surefoot.sim.rollout_fleet import NEW_VERSION, ROLLOUT_ID, RolloutFleet, digest_of
from surefoot.sim.rollout_robot import RolloutRobot

GATE = "gate"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStory:
    """One phase that opened, in hours since the rollout's start, and for how many hours it was the last open one."""

    name: str
    opened_h: float
    lasted_h: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltStory:
    """Who halted, a trigger's name or `gate`, in which phase, and the sentence that says why.

    `after_effect_h` counts from the moment in which the first robot ran the release that an effect strikes, None
    without any. `exposed` robots had been offered the release, `ran` of them ran it then.
    """

    by: str
    phase: str
    hours: float
    after_effect_h: float | None
    sentence: str
    exposed: int
    ran: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStory:
    """The whole story.

    `statuses` counts robots at the end, after everyone who runs anything said so once more. `records_equal` of the
    `robots` have a record that names what they truly run, and does not call installed what runs nothing; `differing`
    names the others.
    """

    robots: int
    state: RolloutState
    stable: bool
    phases: tuple[PhaseStory, ...]
    halt: HaltStory | None
    statuses: dict[str, int]
    led_back: int
    running_release: int
    running_nothing: int
    records_equal: int
    differing: tuple[str, ...]
    virtual_s: float
    real_s: float


def story_of(
    fleet: RolloutFleet,
    robots: list[RolloutRobot],
    *,
    started_at_s: float,
    ended_at_s: float,
    first_struck_s: float | None,
    real_s: float,
) -> RolloutStory:
    """Read the story from the rows and from the robots themselves."""

    def read(rows: Rows) -> RolloutStory:
        rollout, changes = fleet.rollout(), changes_of(rows, ROLLOUT_ID)
        release = rows.get(Release, rollout.release_id)
        newest = [rows.newest_assignment(robot.robot.robot_id) for robot in robots]
        statuses = Counter(Status.UNASSIGNED if one is None else one.status for one in newest)
        differing = tuple(
            robot.robot.robot_id
            for robot, assignment in zip(robots, newest, strict=True)
            if not _is_true(rows, robot, assignment)
        )
        led_back = [one for one in newest if one is not None and one.rollback and one.status is Status.INSTALLED]
        return RolloutStory(
            robots=len(robots),
            state=rollout.state,
            stable=release is not None and release.stable,
            phases=_phases(rollout, changes, started_at_s, ended_at_s),
            halt=_halt(rows, rollout, changes, started_at_s, first_struck_s),
            statuses={status.value: count for status, count in sorted(statuses.items())},
            led_back=len(led_back),
            running_release=sum(robot.runs == digest_of(NEW_VERSION) for robot in robots),
            running_nothing=sum(not robot.is_alive for robot in robots),
            records_equal=len(robots) - len(differing),
            differing=differing,
            virtual_s=ended_at_s - started_at_s,
            real_s=round(real_s, 2),
        )

    return fleet.store.read(read)


def _is_true(rows: Rows, robot: RolloutRobot, assignment: Assignment | None) -> bool:
    """Whether the record of a robot is what the robot truly is."""
    facts = rows.facts(robot.robot.robot_id)
    is_installed = assignment is not None and assignment.status is Status.INSTALLED
    if not robot.is_alive:
        return not is_installed
    if facts is None or facts.report.running.digest != robot.runs:
        return False
    wanted = None if assignment is None else rows.get(Release, assignment.release_id)
    return is_installed == (wanted is not None and wanted.digest == robot.runs)


def _phases(
    rollout: Rollout, changes: list[RolloutChange], started_at_s: float, ended_at_s: float
) -> tuple[PhaseStory, ...]:
    opened = [one for one in changes if one.action in (RolloutAction.STARTED, RolloutAction.PHASE_OPENED)]
    halted = [one.at_s for one in changes if one.action is RolloutAction.HALTED]
    ends = [one.at_s for one in opened[1:]] + [halted[0] if halted else ended_at_s]
    return tuple(
        PhaseStory(
            name=rollout.plan.phases[one.phase].name,
            opened_h=_hours(one.at_s - started_at_s),
            lasted_h=_hours(end_s - one.at_s),
        )
        for one, end_s in zip(opened, ends, strict=True)
    )


def _halt(
    rows: Rows, rollout: Rollout, changes: list[RolloutChange], started_at_s: float, first_struck_s: float | None
) -> HaltStory | None:
    change = next((one for one in changes if one.action is RolloutAction.HALTED), None)
    if change is None:
        return None
    alarm = open_alarm(rows, ROLLOUT_ID)
    assigned = [one for one in rows.assignments(ROLLOUT_ID) if one.assigned_at_s <= change.at_s]
    ran = [one for one in assigned if one.installed_at_s is not None and one.installed_at_s <= change.at_s]
    return HaltStory(
        by=GATE if alarm is None else alarm.trigger.value,
        phase=rollout.plan.phases[change.phase].name,
        hours=_hours(change.at_s - started_at_s),
        after_effect_h=None if first_struck_s is None else _hours(change.at_s - first_struck_s),
        sentence=change.reason,
        exposed=len(assigned),
        ran=len(ran),
    )


def _hours(seconds: float) -> float:
    return round(seconds / 3600, 2)
