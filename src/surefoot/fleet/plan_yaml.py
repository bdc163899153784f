"""Plans as files: YAML read with the line of every mistake, and written so that a person likes to read it."""

import json
import re
from collections.abc import Iterator

from surefoot.fleet.yaml_lines import plain_value, read_yaml
from surefoot.rollout.durations import duration_text, parse_duration
from surefoot.rollout.maintenance import Day, clock_text
from surefoot.rollout.metrics import Metric
from surefoot.rollout.plan import CODE, HOUR_S, Phase, Plan, PlanRefused
from surefoot.rollout.plan_format import plan_from_object
from surefoot.wire.errors import Refused

_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def plan_from_yaml(data: bytes, name: str) -> Plan:
    """Return the plan that a file holds, in YAML or JSON.

    Raises:
        Refused: `refused-plan-format`, as in "plan.yaml, line 7: phases[1].percent: …".
    """
    document = read_yaml(data, name, CODE)
    try:
        return plan_from_object(document.value)
    except PlanRefused as error:
        raise Refused(CODE, f"{name}, line {document.line(error.path)}: {error}") from error


def plan_to_yaml(plan: Plan) -> str:
    """Return the plan as a file with a comment beside whatever does not explain itself."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    yield "# Robots come in phases; each is watched for its soak before the next one opens."
    yield "phases:"
    if not plan.phases[0].robots:
        yield "  # Name one or two test robots here, and they go first:"
        yield "  # - name: internal"
        yield "  #   robots: [robot-001, robot-002]"
        yield f"  #   soak: {duration_text(24 * HOUR_S)}"
    for phase in plan.phases:
        yield from _phase_lines(phase)
    yield "# The most robots that update at once, counting offers."
    yield f"capacity: {plan.capacity}"
    yield "# The trial boots that one robot may spend."
    yield f"attempts_max: {plan.attempts_max}"
    yield "# The robots that may fail before the rollout halts; null leaves that to the gates."
    yield f"failures_max: {'null' if plan.failures_max is None else plan.failures_max}"
    yield "# A robot that has not reported for so long counts as failed."
    yield _duration_line("silence_deadline", plan.silence_deadline_s)
    yield "# Whether a robot that ran the release and runs another image again is offered it anew."
    yield f"repair_drift: {_flag(plan.repair_drift)}"
    yield "# What is watched, how much worse is accepted of what, and how likely a good release may be halted."
    yield "gates:"
    yield f"  metrics: [{', '.join(metric for metric in Metric if metric in plan.gates.metrics)}]"
    margins = ", ".join(f"{metric}: {value!r}" for metric, value in plan.gates.margins.items())
    yield f"  margins: {{{margins}}}"
    yield f"  false_halt_budget: {plan.gates.false_halt_budget!r}"
    yield from _ramp_lines(plan)
    yield "# random: each rollout draws who goes first; same: the same robots go first in each."
    yield f"order: {plan.order}"
    yield from _window_lines(plan)
    yield "# Robots that are never offered the release."
    yield f"exclude: [{', '.join(map(_text, plan.exclude))}]"
    yield "# What a trigger or a gate that halts also does: take the release back, lead robots back."
    yield f"recall_on_halt: {_flag(plan.recall_on_halt)}"
    yield f"rollback_on_halt: {_flag(plan.rollback_on_halt)}"


def _phase_lines(phase: Phase) -> Iterator[str]:
    yield f"  - name: {_text(phase.name)}"
    if phase.robots:
        yield f"    robots: [{', '.join(map(_text, phase.robots))}]"
    else:
        yield f"    percent: {_number(phase.percent)}"
    yield f"    {_duration_line('soak', phase.soak_s)}"
    if phase.approval:
        yield "    approval: true"


def _ramp_lines(plan: Plan) -> Iterator[str]:
    yield "# Within a phase the doors open gradually: a first wave, then so many offers for each robot that settled."
    if plan.ramp is None:
        yield "ramp: off"
        return
    yield "ramp:"
    yield f"  first_wave: {plan.ramp.first_wave}"
    yield f"  offers_per_settled: {_number(plan.ramp.offers_per_settled)}"


def _window_lines(plan: Plan) -> Iterator[str]:
    yield "# When robots may begin an update, by their own time zones; none: at any time."
    if not plan.maintenance_windows:
        yield "maintenance_windows: []"
        return
    yield "maintenance_windows:"
    for window in plan.maintenance_windows:
        days = "" if window.days == tuple(Day) else f"days: [{', '.join(window.days)}], "
        yield f'  - {{{days}from: "{clock_text(window.from_min)}", to: "{clock_text(window.to_min)}"}}'


def _duration_line(key: str, seconds: float) -> str:
    text = duration_text(seconds)
    return f"{key}: {text}" if parse_duration(text) == seconds else f"{key}_s: {_number(seconds)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _text(text: str) -> str:
    """Return a name so that it is read back as text."""
    return text if _BARE.fullmatch(text) and plain_value(text) == text else json.dumps(text)
