"""The pages of the two tables that decide: the agent's and reconcile."""

import inspect
from typing import Any

from scripts.docs_markdown import any_or_listed, code, doc, fenced, first_sentence, listed, page, table

from surefoot.agent import effects, events, resume
from surefoot.agent import table as agent_table
from surefoot.fleet import reconcile as fleet_reconcile
from surefoot.wire.journal import IDLE
from surefoot.wire.record import Record


def agent() -> str:
    """Return the page of the agent's two tables, with a diagram drawn from them."""
    rows = [
        (listed(row.states), code(row.event.__name__), first_sentence(row.handler), listed(row.leads_to))
        for row in agent_table.TABLE
    ]
    stories = [
        (
            row.name,
            any_or_listed(row.journal),
            *(any_or_listed((value,) if value else None) for value in (row.running, row.state, row.spare)),
            row.resume_as,
            code(row.code or ""),
        )
        for row in resume.RESUME
    ]
    return page(
        "The agent's tables",
        "The agent is a table: in these states, this event is handled so, and leads to one of these states. "
        "States are persisted by name in the robot's journal.",
        fenced(inspect.getdoc(agent_table).split("\n\n")[-1]),  # type: ignore[union-attr]
        fenced(_diagram(), "mermaid"),
        "In the diagram `rest` stands for the four states in which nothing is in hand, and an arrow marked *boot* is a "
        "row of the second table. Arrows between states that share a row of the first table are left out.",
        "## Events",
        table(("in state", "event", "what the agent does", "leads to"), rows),
        "## After a boot",
        "Power can fail between any two writes, so the journal never says what runs; it only tells which of the "
        "stories that end in these slots was the one that happened. The first row that matches wins. *Source* is the "
        "image that ran when the update began, told by slot and digest together.",
        table(("story", "journal", "running image", "its state", "spare's state", "resume as", "code"), stories),
        f"`{resume.KEEP}`: go on in the journal's state. `{resume.STAGE_AGAIN}`: set the boot slot again while "
        f"attempts are left. `{resume.GO_BACK}`: return to the other slot. `{resume.FORGET}`: keep the confirmed image "
        "and drop the assignment.",
        "## What happens to the agent",
        table(("event", "meaning"), _classes(events, events.Event)),
        "## What the agent wants done",
        doc(effects),
        table(("effect", "meaning"), _classes(effects, effects.Effect)),
    )


def reconcile() -> str:
    """Return the page of the table that gives every status."""
    rows = [
        (
            row.name,
            row.running or "any",
            {True: "confirmed", False: "trial", None: "any"}[row.confirmed],
            any_or_listed(row.device),
            *(_yes_orany_or_listed(value) for value in (row.installed_before, row.overdue, row.retry)),
            code(row.status or "by progress"),
            row.order,
            "yes" if row.failed else "",
        )
        for row in fleet_reconcile.TABLE
    ]
    headings = (
        "row",
        "running image",
        "state",
        "its journal says",
        "installed before",
        "overdue",
        "worth a try",
        "status",
        "order",
        "failed",
    )
    progress = [(code(said), code(status)) for said, status in fleet_reconcile.IN_PROGRESS_STATUS.items()]
    sentences = [(row.name, row.reason) for row in fleet_reconcile.TABLE]
    return page(
        "The table that gives a robot's status",
        "Status is derived anew from what should run and from the robot's latest facts. The first row that "
        "matches wins.",
        "[How to read a robot's status](../how-to/read-a-robot-s-status.md) explains the statuses one by one.",
        table(headings, rows),
        "*Overdue*: the robot has not reported for longer than the plan's silence deadline. *Worth a try*: there are "
        "attempts left, and the robot rolled back for a retryable code or the plan repairs drift. *Failed*: the "
        "rollout counts the robot as failed.",
        "## Status by progress",
        table(("journal's state", "status"), progress),
        "## The sentence beside each status",
        table(("row", "sentence"), sentences),
    )


def _classes(module: Any, base: type[Record]) -> list[tuple[str, str]]:
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, base)]
    return [(code(kind.__name__), doc(kind).replace("\n\n", " ")) for kind in kinds if kind is not base]


def _diagram() -> str:
    edges: dict[tuple[str, str], list[str]] = {}
    for row in agent_table.TABLE:
        at_rest = row.states == agent_table.REST
        for state in ("rest",) if at_rest else row.states:
            for leads_to in row.leads_to:
                if leads_to not in row.states:
                    edges.setdefault((state, leads_to), []).append(row.event.__name__)
    for story in resume.RESUME:
        target = IDLE if story.resume_as in (resume.GO_BACK, resume.FORGET) else story.resume_as
        for state in story.journal or ():
            if target in agent_table.REST + resume.BOOTED and state != target:
                edges.setdefault((state, target), []).append("boot")
    lines = [
        "stateDiagram-v2",
        "  state rest {",
        *(f"    {state}" for state in agent_table.REST),
        "  }",
        "  [*] --> idle",
    ]
    for (state, leads_to), names in edges.items():
        lines.append(f"  {state} --> {leads_to}: {', '.join(dict.fromkeys(names))}")
    return "\n".join(lines)


def _yes_orany_or_listed(value: "bool | None") -> str:
    return {True: "yes", False: "no", None: "any"}[value]
