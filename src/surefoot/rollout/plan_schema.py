"""The JSON Schema of a plan, for editors that complete and check while one writes.

It says what each key may hold. What spans several keys, as that percentages must not shrink, only `plan_from_object`
checks.
"""

from typing import Any

from surefoot.rollout.maintenance import Day
from surefoot.rollout.margins import margin_max
from surefoot.rollout.metrics import Metric
from surefoot.rollout.plan import Order, Phase, Plan
from surefoot.rollout.plan_format import FALSE_HALT_BUDGET_MAX, OFF, PHASES_MAX, WINDOWS_MAX, plan_to_object
from surefoot.rollout.plan_part import NAMED_ROBOTS_MAX
from surefoot.wire import limits

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Names of phases and robots (`wire.fields.NAME_CHARS`), and durations and times of the day as people write them.
_NAME = "^[A-Za-z0-9_.:-]+$"
_DURATION = r"^ *[0-9]+(\.[0-9]+)? *(d|h|min|s) *$"
_CLOCK = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"


def plan_schema() -> dict[str, Any]:
    """Return the schema; each key's description is what the reference says of it."""
    usual = plan_to_object(Plan(phases=(Phase(name="full", percent=100, soak_s=0),)))
    properties = _properties()
    for key, schema in properties.items():
        if key in usual and key not in ("phases", "gates"):
            schema["default"] = usual[key]
    return {"$schema": DIALECT, "title": "The plan of a rollout", **_object(properties, ("phases",))}


def _properties() -> dict[str, Any]:
    return {
        "phases": _array(
            _phase(),
            PHASES_MAX,
            "The phases in order; the last one takes 100 percent, or the only one names one robot.",
        )
        | {"minItems": 1},
        "capacity": _integer(1, "The most robots that update at once, counting offers."),
        "attempts_max": _integer(1, "The trial boots that one robot may spend."),
        "failures_max": {
            "description": "The robots that may fail before the rollout halts; null leaves that to the gates.",
            "anyOf": [{"type": "integer", "minimum": 0, "maximum": limits.INTEGER_MAX}, {"type": "null"}],
        },
        **_duration("silence_deadline", "A robot that has not reported for so long counts as failed."),
        "repair_drift": _flag("Whether a robot that ran the release and runs another image again is offered it anew."),
        "gates": _nullable(_gates()),
        "ramp": _ramp(),
        "order": _nullable(
            _words(Order, "random: each rollout draws who goes first; same: the same robots go first in each.")
        ),
        "maintenance_windows": _array(
            _window(), WINDOWS_MAX, "When robots may begin an update, by their own time zones; none: at any time."
        ),
        "exclude": _robots("Robots that are never offered the release."),
        "recall_on_halt": _flag("Whether a trigger or a gate that halts also takes the release back."),
        "rollback_on_halt": _flag("Whether a trigger or a gate that halts also leads robots back."),
    }


def _phase() -> dict[str, Any]:
    return _object(
        {
            "name": {
                "description": "Its own name.",
                "type": "string",
                "pattern": _NAME,
                "maxLength": limits.NAME_CHARS_MAX,
            },
            "robots": _robots("Robots by id, in place of a percentage."),
            "percent": {
                "description": "How much of the fleet it reaches in all, in place of robots.",
                "type": "number",
                "minimum": 0,
                "maximum": 100,
            },
            **_duration("soak", "How long its robots are watched before the next phase opens."),
            "approval": _flag("Whether it opens only after an approver agreed; not for the first phase."),
        },
        ("name",),
    )


def _gates() -> dict[str, Any]:
    return _object(
        {
            "metrics": _array({"enum": list(map(str, Metric))}, len(Metric), "What is watched; left out, everything."),
            "margins": _nullable(_margins()),
            "false_halt_budget": {
                "description": "How likely a whole rollout of a release that is no worse may be halted all the same.",
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": FALSE_HALT_BUDGET_MAX,
            },
        },
        (),
    ) | {"description": "What is watched while robots update, and how strictly."}


def _margins() -> dict[str, Any]:
    shares = {
        str(metric): {"type": "number", "exclusiveMinimum": 0, "maximum": margin_max(metric)} for metric in Metric
    }
    return _object(shares, ()) | {
        "description": "How much worse is accepted, by metric: of `not-returned` and `install-failed` the share of "
        "updates that may end so, of the rest how much worse than on the other robots; 0.1 is 10 %."
    }


def _ramp() -> dict[str, Any]:
    entry = _object(
        {
            "first_wave": _integer(1, "How many robots are offered the release first."),
            "offers_per_settled": {
                "description": "How many offers each robot allows that came back and settled.",
                "type": "number",
                "exclusiveMinimum": 1,
                "maximum": limits.INTEGER_MAX,
            },
        },
        (),
    )
    description = "Within a phase the doors open gradually; off: at once."
    return {"description": description, "anyOf": [entry, {"enum": [OFF, False]}, {"type": "null"}]}


def _window() -> dict[str, Any]:
    clock = {"type": "string", "pattern": _CLOCK}
    return _object(
        {
            "days": _array(
                {"enum": list(map(str, Day))}, len(Day), "The days on which it begins; left out, every day."
            ),
            "from": {"description": "When it begins.", **clock},
            "to": {"description": "When it ends; no later than `from`: on the next day.", **clock},
        },
        ("from", "to"),
    )


def _object(properties: dict[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    description = schema.pop("description")
    return {"description": description, "anyOf": [schema, {"type": "null"}]}


def _array(items: dict[str, Any], items_max: int, description: str) -> dict[str, Any]:
    return {"description": description, "type": "array", "items": items, "maxItems": items_max}


def _robots(description: str) -> dict[str, Any]:
    robot_id = {"type": "string", "pattern": _NAME, "maxLength": limits.ROBOT_ID_CHARS_MAX}
    return _array(robot_id, NAMED_ROBOTS_MAX, description)


def _words(words: type[Order], description: str) -> dict[str, Any]:
    return {"description": description, "enum": list(map(str, words))}


def _flag(description: str) -> dict[str, Any]:
    return {"description": description, "type": "boolean"}


def _integer(minimum: int, description: str) -> dict[str, Any]:
    return {"description": description, "type": "integer", "minimum": minimum, "maximum": limits.INTEGER_MAX}


def _duration(key: str, description: str) -> dict[str, Any]:
    return {
        key: {"description": f"{description} Such as 24 h or 30 min.", "type": "string", "pattern": _DURATION},
        f"{key}_s": {
            "description": f"{description} In seconds.",
            "type": "number",
            "minimum": 0,
            "maximum": limits.INTEGER_MAX,
        },
    }
