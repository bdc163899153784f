"""The plan of a rollout: which robots in which order, how long each phase soaks, and what stops it.

A phase names its robots or takes a percentage of the fleet. Percentages only grow from phase to phase, so a robot that
was reached stays reached.
"""

from dataclasses import dataclass
from typing import Any

from surefoot.wire import limits
from surefoot.wire.errors import Refused
from surefoot.wire.fields import NAME_CHARS, Fields

CODE = "refused-plan-format"
PHASES_MAX = 32
NAMED_ROBOTS_MAX = 1000
HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One step of a rollout: the named `robots`, or `percent` of the fleet, watched for `soak_s` seconds."""

    name: str
    robots: tuple[str, ...] = ()
    percent: float = 0.0
    soak_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one release reaches the fleet.

    `capacity` is the most assignments open at once, counting offers; `attempts_max` the trial boots one robot may
    spend; `failures_max` the robots that may fail before the rollout halts; a robot that has not reported for
    `silence_deadline_s` counts as failed.
    """

    phases: tuple[Phase, ...]
    capacity: int = 1000
    attempts_max: int = 3
    failures_max: int = 0
    silence_deadline_s: float = 24 * HOUR_S
    repair_drift: bool = True

    def __post_init__(self) -> None:
        """Refuse (`refused-plan-format`) a plan whose phases do not grow or do not end with the whole fleet."""
        if not self.phases or self.phases[-1].percent != 100:
            raise Refused(CODE, "The plan must end with a phase of 100 percent: add one.")
        names = [phase.name for phase in self.phases]
        if len(set(names)) != len(names):
            raise Refused(CODE, "Two phases have the same name: give each its own.")
        percents = [phase.percent for phase in self.phases]
        if percents != sorted(percents):
            raise Refused(CODE, "The percentages shrink from one phase to the next: order the phases by percentage.")
        if self.capacity < 1 or self.attempts_max < 1:
            raise Refused(CODE, "capacity and attempts_max must be at least 1: no robot could ever be updated.")


def default_plan(internal_robots: tuple[str, ...] = ()) -> Plan:
    """Return the fleet strategy: internal robots 24 h, 10 % 48 h, 50 % 24 h, 100 % 24 h.

    Without named robots the internal phase is left out.
    """
    internal = (Phase(name="internal", robots=internal_robots, soak_s=24 * HOUR_S),) if internal_robots else ()
    return Plan(
        phases=(
            *internal,
            Phase(name="canary", percent=10, soak_s=48 * HOUR_S),
            Phase(name="wider", percent=50, soak_s=24 * HOUR_S),
            Phase(name="full", percent=100, soak_s=24 * HOUR_S),
        )
    )


def plan_to_object(plan: Plan) -> dict[str, Any]:
    """Return the plan as a JSON object."""
    return {
        "phases": [
            {"name": phase.name, "robots": list(phase.robots), "percent": phase.percent, "soak_s": phase.soak_s}
            for phase in plan.phases
        ],
        "capacity": plan.capacity,
        "attempts_max": plan.attempts_max,
        "failures_max": plan.failures_max,
        "silence_deadline_s": plan.silence_deadline_s,
        "repair_drift": plan.repair_drift,
    }


def plan_from_object(source: object) -> Plan:
    """Build a plan from a parsed JSON object; raise `Refused` (`refused-plan-format`) naming the field."""
    fields = Fields(source, CODE, "plan")
    entries = fields.array("phases", PHASES_MAX)
    phases = tuple(_phase(Fields(entry, CODE, f"plan.phases[{index}]")) for index, entry in enumerate(entries))
    defaults = Plan(phases=(Phase(name="full", percent=100, soak_s=0),))
    return Plan(
        phases=phases,
        capacity=fields.integer("capacity") if fields.has("capacity") else defaults.capacity,
        attempts_max=fields.integer("attempts_max") if fields.has("attempts_max") else defaults.attempts_max,
        failures_max=fields.integer("failures_max") if fields.has("failures_max") else defaults.failures_max,
        silence_deadline_s=_number(fields, "silence_deadline_s", defaults.silence_deadline_s),
        repair_drift=fields.flag("repair_drift") if fields.has("repair_drift") else defaults.repair_drift,
    )


def _phase(fields: Fields) -> Phase:
    robots = fields.array("robots", NAMED_ROBOTS_MAX)
    for robot_id in robots:
        valid = isinstance(robot_id, str) and 0 < len(robot_id) <= limits.ROBOT_ID_CHARS_MAX
        if not valid or robot_id.strip(NAME_CHARS):
            raise fields.refuse("robots", "an array of robot ids")
    percent = _number(fields, "percent", 0)
    if percent > 100 or bool(robots) == bool(percent):
        raise fields.refuse("percent", "between 0 and 100, in place of a list of robots")
    return Phase(
        name=fields.text("name", limits.NAME_CHARS_MAX, NAME_CHARS),
        robots=tuple(robots),
        percent=percent,
        soak_s=_number(fields, "soak_s", 0),
    )


def _number(fields: Fields, key: str, default: float) -> float:
    value = fields.source.get(key, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= limits.INTEGER_MAX:
        raise fields.refuse(key, "a number that is not negative")
    return float(value)
