"""Reading and writing plans as JSON objects, strictly: what a plan says and nobody understands is refused.

A misspelt key would otherwise leave a default in force that nobody chose. Each refusal tells the path of what is wrong,
so that whoever read the plan from a file can name the line.
"""

from typing import Any

from surefoot.rollout.maintenance import DAY_MIN, Day, Window, clock_text
from surefoot.rollout.margins import margin_max
from surefoot.rollout.metrics import Metric
from surefoot.rollout.plan import USUAL_RAMP, Gates, Order, Phase, Plan
from surefoot.rollout.plan_part import Part
from surefoot.rollout.ramp import Ramp

PHASES_MAX = 32
WINDOWS_MAX = 32
FALSE_HALT_BUDGET_MAX = 0.5
OFF = "off"

_DEFAULTS = Plan(phases=(Phase(name="full", percent=100, soak_s=0),))
KEYS = (
    *("phases", "capacity", "attempts_max", "failures_max", "silence_deadline", "silence_deadline_s", "repair_drift"),
    *("gates", "ramp", "order", "maintenance_windows", "exclude", "recall_on_halt", "rollback_on_halt"),
)
PHASE_KEYS = ("name", "robots", "percent", "soak", "soak_s", "approval")
GATES_KEYS = ("metrics", "margins", "false_halt_budget")
RAMP_KEYS = ("first_wave", "offers_per_settled")
WINDOW_KEYS = ("days", "from", "to")


def plan_to_object(plan: Plan) -> dict[str, Any]:
    """Return the plan as a JSON object."""
    return {
        "phases": [
            {
                "name": phase.name,
                "robots": list(phase.robots),
                "percent": phase.percent,
                "soak_s": phase.soak_s,
                "approval": phase.approval,
            }
            for phase in plan.phases
        ],
        "capacity": plan.capacity,
        "attempts_max": plan.attempts_max,
        "failures_max": plan.failures_max,
        "silence_deadline_s": plan.silence_deadline_s,
        "repair_drift": plan.repair_drift,
        "gates": {
            "metrics": [metric.value for metric in Metric if metric in plan.gates.metrics],
            "margins": {metric.value: plan.gates.margins[metric] for metric in Metric if metric in plan.gates.margins},
            "false_halt_budget": plan.gates.false_halt_budget,
        },
        "ramp": OFF
        if plan.ramp is None
        else {"first_wave": plan.ramp.first_wave, "offers_per_settled": plan.ramp.offers_per_settled},
        "order": plan.order.value,
        "maintenance_windows": [
            {
                "days": [day.value for day in window.days],
                "from": clock_text(window.from_min),
                "to": clock_text(window.to_min),
            }
            for window in plan.maintenance_windows
        ],
        "exclude": list(plan.exclude),
        "recall_on_halt": plan.recall_on_halt,
        "rollback_on_halt": plan.rollback_on_halt,
    }


def plan_from_object(source: object) -> Plan:
    """Build a plan from a parsed JSON object; raise `PlanRefused` (`refused-plan-format`) telling where."""
    plan = Part(source, (), KEYS)
    return Plan(
        phases=tuple(_phase(entry) for entry in plan.parts("phases", PHASES_MAX, PHASE_KEYS)),
        capacity=plan.integer("capacity", _DEFAULTS.capacity),
        attempts_max=plan.integer("attempts_max", _DEFAULTS.attempts_max),
        failures_max=plan.integer("failures_max", 0) if plan.has("failures_max") else None,
        silence_deadline_s=plan.duration_s("silence_deadline", _DEFAULTS.silence_deadline_s),
        repair_drift=plan.flag("repair_drift", default=_DEFAULTS.repair_drift),
        gates=_gates(plan.part("gates", GATES_KEYS)) if plan.has("gates") else _DEFAULTS.gates,
        ramp=_ramp(plan),
        order=Order(plan.choice("order", tuple(Order))) if plan.has("order") else _DEFAULTS.order,
        maintenance_windows=tuple(
            _window(entry) for entry in plan.parts("maintenance_windows", WINDOWS_MAX, WINDOW_KEYS)
        ),
        exclude=plan.robot_ids("exclude"),
        recall_on_halt=plan.flag("recall_on_halt", default=_DEFAULTS.recall_on_halt),
        rollback_on_halt=plan.flag("rollback_on_halt", default=_DEFAULTS.rollback_on_halt),
    )


def _phase(entry: Part) -> Phase:
    robots = entry.robot_ids("robots")
    percent = entry.number("percent", 0)
    if percent > 100 or bool(robots) == bool(percent):
        raise entry.refuse("percent", "must be between 0 and 100, in place of a list of robots.")
    return Phase(
        name=entry.name("name"),
        robots=robots,
        percent=percent,
        soak_s=entry.duration_s("soak", 0),
        approval=entry.flag("approval", default=False),
    )


def _gates(entry: Part) -> Gates:
    budget = entry.number("false_halt_budget", _DEFAULTS.gates.false_halt_budget)
    if not 0 < budget <= FALSE_HALT_BUDGET_MAX:
        raise entry.refuse("false_halt_budget", f"must be a share above 0 and up to {FALSE_HALT_BUDGET_MAX:g}.")
    metrics = frozenset(Metric)
    if entry.has("metrics"):
        metrics = frozenset(map(Metric, entry.words("metrics", tuple(Metric))))
    margins = _margins(entry.part("margins", tuple(Metric)), metrics) if entry.has("margins") else {}
    return Gates(metrics=metrics, margins=margins, false_halt_budget=budget)


def _margins(entry: Part, metrics: frozenset[Metric]) -> dict[Metric, float]:
    margins: dict[Metric, float] = {}
    for metric in (known for known in Metric if entry.has(known)):
        if metric not in metrics:
            raise entry.refuse(metric, "is not among the metrics that this plan watches: leave it out, or watch it.")
        margins[metric] = entry.number(metric, 0)
        most = margin_max(metric)
        if not 0 < margins[metric] <= most:
            raise entry.refuse(metric, f"must be a share above 0 and up to {most:g}, such as 0.1 for 10 %.")
    return margins


def _ramp(plan: Part) -> Ramp | None:
    # YAML 1.1 takes an unquoted `off` for false.
    said = plan.source.get("ramp")
    if said is False or said == OFF:
        return None
    if not plan.has("ramp"):
        return _DEFAULTS.ramp
    entry, usual = plan.part("ramp", RAMP_KEYS), USUAL_RAMP
    ramp = Ramp(
        first_wave=entry.integer("first_wave", usual.first_wave),
        offers_per_settled=entry.number("offers_per_settled", usual.offers_per_settled),
    )
    if ramp.first_wave < 1:
        raise entry.refuse("first_wave", "must be at least 1.")
    # Each robot that settled must make room for more than itself, or the ramp never ends.
    if ramp.offers_per_settled <= 1:
        raise entry.refuse("offers_per_settled", "must be above 1: the doors would never open further.")
    return ramp


def _window(entry: Part) -> Window:
    days = entry.words("days", tuple(Day)) if entry.has("days") else tuple(Day)
    if not days:
        raise entry.refuse("days", "must name a day: leave it out for every day.")
    from_min, to_min = entry.clock_min("from"), entry.clock_min("to")
    if from_min == DAY_MIN:
        raise entry.refuse("from", "must be before 24:00.")
    return Window(days=tuple(day for day in Day if day in days), from_min=from_min, to_min=to_min)
