"""The page of the plan's keys, and its JSON Schema."""

import json
from typing import Any

from scripts.docs_markdown import code, fenced, page, table

from surefoot.fleet.plan_yaml import plan_to_yaml
from surefoot.rollout.plan import default_plan
from surefoot.rollout.plan_schema import plan_schema


def schema() -> str:
    """Return the schema as a file."""
    return json.dumps(plan_schema(), indent=2) + "\n"


def plan() -> str:
    """Return the page: every key, what it means, and what holds where it is left out."""
    properties = plan_schema()["properties"]
    ramp = next(part for part in properties["ramp"]["anyOf"] if part.get("type") == "object")
    gates = properties["gates"]["anyOf"][0]
    return page(
        "The plan of a rollout",
        "A plan is a file in YAML or JSON. Keys that are not listed here are refused. For editors there is a "
        "[JSON Schema](plan.schema.json).",
        "## The fleet strategy",
        "What `surefoot rollout plan` prints, and what a rollout without a plan of its own follows:",
        fenced(plan_to_yaml(default_plan()).rstrip("\n"), "yaml"),
        "## Keys",
        _keys(properties),
        "## Keys of a phase",
        _keys(properties["phases"]["items"]["properties"]),
        "## Keys of `gates`",
        _keys(gates["properties"]),
        "## Keys of `ramp`",
        _keys(ramp["properties"]),
        "## Keys of a maintenance window",
        _keys(properties["maintenance_windows"]["items"]["properties"]),
    )


def _keys(properties: dict[str, Any]) -> str:
    rows = [(code(key), schema["description"], _default(schema)) for key, schema in properties.items()]
    return table(("key", "what it says", "default"), rows)


def _default(schema: dict[str, Any]) -> str:
    return code(json.dumps(schema["default"])) if "default" in schema else ""
